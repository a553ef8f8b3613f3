"""The crawls of a run folder so far, and how fast studies were proven: what the cut-over is predicted from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from migrate.journal.crawl_result import crawl_rows
from migrate.journal.read import connected

_DONE = """SELECT * FROM crawls
  WHERE phase = 'done' AND finished_at IS NOT NULL ORDER BY started_at, crawl_id"""
# A minute in which studies were verified is a minute of work; the nights between do not count.
_VERIFIED = """SELECT count(*), count(DISTINCT substr(at, 1, 16)) FROM events WHERE kind = 'Verified'"""
_MINUTES_PER_HOUR = 60


def finished_crawls(run_folder: Path) -> list[dict[str, Any]]:
    """Every crawl that ended, oldest first: crawl_id, started_at, finished_at, and its `result`.

    Raises:
        JournalError: The journal cannot be read.
        FormatTooNew: It was written by a newer version.
    """
    names = ("crawl_id", "started_at", "finished_at")
    rows = crawl_rows(run_folder, _DONE)
    return [{name: row[name] for name in names} | {"result": json.loads(row["result"] or "{}")} for row in rows]


def verified_per_hour(run_folder: Path) -> float | None:
    """Studies verified in an average hour of work; None before the first.

    Raises:
        JournalError: The journal cannot be read.
        FormatTooNew: It was written by a newer version.
    """
    with connected(run_folder) as db:
        studies, minutes = db.execute(_VERIFIED).fetchone() if db is not None else (0, 0)
    return studies / minutes * _MINUTES_PER_HOUR if minutes else None
