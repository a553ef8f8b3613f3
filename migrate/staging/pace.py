"""How many bytes a second may come in: a bucket that fills at the allowed rate."""

from __future__ import annotations

import threading
import time

LONGEST_BURST_S = 0.25


class Pace:
    """Shared by every association of one worker. 0 bytes a second means no limit."""

    def __init__(self, bytes_per_s: float = 0.0) -> None:
        self.bytes_per_s = bytes_per_s
        self._free_at = 0.0
        self._lock = threading.Lock()

    def take(self, count: int) -> None:
        """Wait until `count` more bytes may come. The peer waits with us: TCP holds it back."""
        if not self.bytes_per_s:
            return
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now - LONGEST_BURST_S) + count / self.bytes_per_s
            wait_s = self._free_at - now
        if wait_s > 0:
            time.sleep(wait_s)
