"""What was worked out a moment ago: the newest entries, within a bound."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

MOST_BYTES: Final = 32 * 1024 * 1024
ENTRY_BYTES: Final = 500  # of an entry besides its bytes

Segments = tuple[bytes | tuple[int, int], ...]


class Recent:
    """Segments of data sets by what they were made from. Thread-safe; the oldest make room."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._held_bytes = 0
        self._entries: OrderedDict[Hashable, Segments] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, key: Hashable, segments: Segments) -> None:
        """Remember; one that is too large on its own is not."""
        with self._lock:
            self._forget(key)
            self._entries[key] = segments
            self._held_bytes += _bytes_of(segments)
            while self._held_bytes > self._most_bytes:
                self._forget(next(iter(self._entries)))

    def take(self, key: Hashable) -> Segments | None:
        """What was remembered, if it still is; it is not any more: what was used would only fill memory."""
        with self._lock:
            return self._forget(key)

    def _forget(self, key: Hashable) -> Segments | None:
        known = self._entries.pop(key, None)
        if known is not None:
            self._held_bytes -= _bytes_of(known)
        return known


def _bytes_of(segments: Segments) -> int:
    return ENTRY_BYTES + sum(len(one) for one in segments if isinstance(one, bytes))
