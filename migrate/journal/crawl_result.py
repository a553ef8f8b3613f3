"""What the latest finished crawl came to, for reports: its certificate and its estimate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from migrate.errors import JournalError
from migrate.journal.guards import DIGEST, is_sound
from migrate.journal.opening import FILE_NAME, REPAIR
from migrate.journal.read import connected

_HAS_CRAWLS = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'crawls'"
_LATEST_DONE = "SELECT * FROM crawls WHERE phase = 'done' ORDER BY crawl_id DESC LIMIT 1"


def crawl_result(run_folder: Path) -> dict[str, Any] | None:
    """The result of the latest crawl that ended, as it was recorded; None when there is none.

    Raises:
        JournalError: The journal cannot be read.
        FormatTooNew: It was written by a newer version.
    """
    rows = crawl_rows(run_folder, _LATEST_DONE)
    found: dict[str, Any] | None = json.loads(rows[0]["result"]) if rows and rows[0]["result"] else None
    return found


def crawl_rows(run_folder: Path, statement: str) -> list[dict[str, Any]]:
    """Whole rows of the table `crawls` by column name; none when there is no such table yet.

    Raises:
        JournalError: The journal cannot be read, or a row is not what was written.
        FormatTooNew: It was written by a newer version.
    """
    with connected(run_folder) as db:
        if db is None or not db.execute(_HAS_CRAWLS).fetchone()[0]:
            return []
        cursor = db.execute(statement)
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor]
    if not all(is_sound(row) for row in rows if DIGEST in row):  # before format 3 there were no checksums
        raise JournalError("the journal is damaged", REPAIR, journal=run_folder / FILE_NAME, found="a row of the crawl")
    return rows
