"""A new journal in the place of a damaged one; the damaged one is kept beside.

What the tables prove comes from the caller. What only the old file knows (decisions about
exceptions, the result of the crawl) is taken from it as far as it can still be read and trusted.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from migrate.errors import JournalError
from migrate.journal import guards, sql
from migrate.journal.opening import FILE_NAME, UNREADABLE, told
from migrate.journal.store import Journal

WORK_FOLDER = "journal.rebuilding"
BESIDE = ("-wal", "-shm")
#: Table -> its rows that mean something alone; a crawl that had not ended is begun again.
SALVAGED = {
    "exceptions": "SELECT * FROM exceptions",
    "crawls": "SELECT * FROM crawls WHERE phase = 'done'",
    "runs": "SELECT * FROM runs",
}


def fresh_journal(run_folder: Path) -> Journal:
    """An empty journal in a folder of its own, to be filled and then put in place.

    Raises:
        JournalError: It cannot be made.
    """
    folder = run_folder / WORK_FOLDER
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise told(folder, error) from None
    return Journal(folder)


def salvage(run_folder: Path, journal: Journal) -> int:
    """Bring the register of exceptions and finished crawls over from the old file. Returns how many rows.

    Rows whose checksum does not hold are left behind; so is the rest of a table that cannot be read on.
    """
    path = run_folder / FILE_NAME
    if not path.is_file():
        return 0
    with suppress(*UNREADABLE), closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as old:
        old.row_factory = sqlite3.Row
        with journal.transaction() as db:
            return sum(_copied(db, table, row) for table, query in SALVAGED.items() for row in _readable(old, query))
    return 0


def _readable(old: sqlite3.Connection, query: str) -> Iterator[dict[str, Any]]:
    with suppress(*UNREADABLE):
        for row in old.execute(query):
            values = dict(row)
            if guards.DIGEST not in values or guards.is_sound(values):
                yield values


def _copied(db: sqlite3.Connection, table: str, row: dict[str, Any]) -> int:
    """One row, of which a part is known to the new schema; 0 when it does not fit."""
    known = [column[1] for column in db.execute(f"PRAGMA table_info({table})")]
    names = [name for name in row if name in known and name != guards.DIGEST]
    marks = ", ".join("?" * len(names))
    statement = f"INSERT OR IGNORE INTO {table} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 - names of our schema
    try:
        return db.execute(statement, [row[name] for name in names]).rowcount
    except sqlite3.Error:
        return 0


def put_in_place(run_folder: Path) -> Path | None:
    """Let the journal in the work folder be the run folder's. Returns where the old one is now.

    The caller holds the run folder's lease. The old file keeps its name until the new one has it.
    """
    path, folder = run_folder / FILE_NAME, run_folder / WORK_FOLDER
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    kept = path.with_name(f"{FILE_NAME}.damaged-{stamp}") if path.exists() else None
    try:
        if kept:
            os.link(path, kept)
        for end in BESIDE:
            beside = path.with_name(path.name + end)
            if beside.exists() and kept:
                beside.rename(kept.with_name(kept.name + end))
            beside.unlink(missing_ok=True)  # a -wal belongs to its file alone: never replayed into another
        (folder / FILE_NAME).replace(path)
        handle = os.open(run_folder, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
        shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise told(path, error) from None
    return kept


def newest_event(folder: Path) -> int:
    """The number of the newest event in the closed journal of a folder."""
    path = folder / FILE_NAME
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            return int(db.execute(sql.LAST_SEQ).fetchone()[0])
    except sqlite3.Error as error:
        raise JournalError("the new journal cannot be read", journal=path, reason=str(error)) from None
