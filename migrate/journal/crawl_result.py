"""What the latest finished crawl came to, for reports: its certificate and its estimate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from migrate.journal.read import connected

_HAS_CRAWLS = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'crawls'"
_LATEST_DONE = "SELECT result FROM crawls WHERE phase = 'done' ORDER BY crawl_id DESC LIMIT 1"


def crawl_result(run_folder: Path) -> dict[str, Any] | None:
    """The result of the latest crawl that ended, as it was recorded; None when there is none.

    Raises:
        JournalError: The journal cannot be read.
        FormatTooNew: It was written by a newer version.
    """
    with connected(run_folder) as db:
        if db is None or not db.execute(_HAS_CRAWLS).fetchone()[0]:
            return None
        row = db.execute(_LATEST_DONE).fetchone()
    found: dict[str, Any] | None = json.loads(row[0]) if row and row[0] else None
    return found
