"""Makes what a crawl found durable: first the part with the rows, then the windows that they close.

Rows wait as columns, never as objects. A kill loses at most one batch of questions, no knowledge:
parts that no committed batch names are deleted when the crawl goes on.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from migrate.journal import windows as journal
from migrate.manifest.sightings import SIGHTINGS, work_parts, work_writer, write_work_part
from migrate.stages.crawl.answers import Columns
from migrate.stages.crawl.request import CrawlRequest
from migrate.stages.crawl.sweep import Sweep


class CrawlRecorder:
    """The durable side of one sweep.

    Args:
        request: Whose rows and windows.
        crawl_id: Which crawl.
        sweep: Where the windows are decided; its changed windows are written.
        lock: Held while the sweep or the rows change.
    """

    def __init__(self, request: CrawlRequest, crawl_id: str, sweep: Sweep, lock: threading.RLock) -> None:
        self._request, self._crawl_id, self._sweep, self._lock = request, crawl_id, sweep, lock
        self._waiting = _empty()
        self._rows = 0
        self._since_s = time.monotonic()
        self._parts = len(journal.durable_parts(request.db))
        self.answers = 0

    def drop_orphans(self) -> None:
        """Delete parts that a kill left behind before their batch was committed."""
        named = set(journal.durable_parts(self._request.db))
        for part in work_parts(self._request.manifests, self._crawl_id, "sightings"):
            if part.name not in named:
                part.unlink()

    def add(self, columns: Columns) -> None:
        """Rows of one answer."""
        with self._lock:
            for name, values in columns.items():
                self._waiting[name].extend(values)
            added = len(columns["raw"])
            self._rows += added
            self.answers += added

    def flush_if_due(self) -> None:
        """Make everything durable if enough waits, or for long enough."""
        with self._lock:
            due = self._rows >= self._request.flush_rows
            if due or time.monotonic() - self._since_s >= self._request.flush_s:
                self.flush()

    def flush(self) -> None:
        """Make everything durable.

        Raises:
            LocalError: The disk is full or not writable.
        """
        with self._lock:
            changed, rows, columns = self._sweep.windows.changed, self._rows, self._waiting
            if not (changed or rows):
                return
            part = self._write_part(columns) if rows else None
            put = tuple(node.row() for node in changed.values())
            journal.commit_batch(self._request.db, journal.Batch(put=put, part=part, rows=rows))
            changed.clear()
            self._waiting, self._rows, self._since_s = _empty(), 0, time.monotonic()

    def _write_part(self, columns: Columns) -> str:
        name = f"{self._parts:08d}"
        write_work_part(work_writer(self._request.manifests, self._crawl_id, "sightings", name), columns)
        self._parts += 1
        return f"part-{name}.parquet"


def _empty() -> dict[str, list[Any]]:
    return {name: [] for name in SIGHTINGS.names}
