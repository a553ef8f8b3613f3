"""What was worked out a moment ago: the newest entries, within a bound."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class Recent(Generic[V]):
    """Values by what they were made from. Thread-safe; the oldest make room.

    Args:
        size_of: How many bytes a value takes.
        most_bytes: What all of them may take.
    """

    def __init__(self, size_of: Callable[[V], int], most_bytes: int) -> None:
        self._size_of = size_of
        self._most_bytes = most_bytes
        self._held_bytes = 0
        self._entries: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, key: Hashable, value: V) -> None:
        """Remember; one that is too large on its own is not."""
        size = self._size_of(value)
        with self._lock:
            self._forget(key)
            self._entries[key] = value, size
            self._held_bytes += size
            while self._held_bytes > self._most_bytes:
                self._forget(next(iter(self._entries)))

    def take(self, key: Hashable) -> V | None:
        """What was remembered, if it still is; it is not any more: what was used would only fill memory."""
        with self._lock:
            return self._forget(key)

    def _forget(self, key: Hashable) -> V | None:
        value, size = self._entries.pop(key, (None, 0))
        self._held_bytes -= size
        return value
