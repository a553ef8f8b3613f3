"""Opening a journal: its format, its soundness, its schema, and the upgrade of older ones.

What cannot be trusted is refused before anything is written to it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from migrate.dicom.digest import xxh3
from migrate.errors import FormatTooNew, JournalError
from migrate.journal import crawl_sql, guards, sql
from migrate.journal.transactions import OwnedConnection

FILE_NAME = "journal.sqlite"
FORMAT_VERSION = 3
#: What SQLite needs to open a journal, even for reading: its shared memory is a file.
LEAST_FREE_BYTES = 65_536
#: So many of the newest events are linked again at every opening; `journal check` does all.
LINKS_AT_OPENING = 1_000
#: What SQLite says of a damaged file; the names of damaged columns are no text any more.
UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
REPAIR = "look at it with: migrate journal check; make a new one from the manifests with: migrate journal rebuild"


def open_database(path: Path, least_seq: int = 0) -> OwnedConnection:
    """A connection in autocommit mode to a journal of the current format; made when there is none.

    Args:
        path: The file.
        least_seq: An event that is known to be durable.

    Raises:
        FormatTooNew: Written by a newer version.
        JournalError: Not a journal, damaged, shorter than it was, or it cannot be read.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        db = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False, factory=OwnedConnection)
    except (sqlite3.Error, OSError) as error:
        raise told(path, error) from None
    try:
        db.execute("PRAGMA journal_mode=WAL")
        # FULL, not NORMAL: NORMAL lost up to 72 % of acknowledged rows in power cuts (faults.md b).
        db.execute("PRAGMA synchronous=FULL")
        # Rows hold patients' values while a study is in flight; what is deleted is overwritten.
        db.execute("PRAGMA secure_delete=ON")
        refuse_newer(db, path)
        _quick_check(db)
        _upgrade(db)
        _whole_to_the_end(db, path, least_seq)
    except UNREADABLE as error:
        db.close()
        raise told(path, error) from None
    except BaseException:
        db.close()
        raise
    return db


def refuse_newer(db: sqlite3.Connection, path: Path) -> None:
    """Raise FormatTooNew when a newer version wrote this journal."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > FORMAT_VERSION:
        hint = "use the version of migrate that wrote it, or a newer one"
        raise FormatTooNew("this journal was written by a newer version", hint, journal=path, format=version)


def told(path: Path, error: Exception, what: str = "the journal cannot be used") -> JournalError:
    """SQLite's or the system's words as an error of ours; on a full disk SQLite says no more than "disk I/O error"."""
    hint = f"check the disk and its permissions; if the file is damaged, {REPAIR}"
    reason = str(error)
    with contextlib.suppress(OSError):
        if shutil.disk_usage(path.parent).free < LEAST_FREE_BYTES:
            hint, reason = "free space on the disk of the run folder", f"{reason}, the disk is full"
    return JournalError(what, hint, journal=path, reason=reason)


def chained(before: str, *row: str) -> str:
    """The digest that binds an event to everything before it (accident, not forgery)."""
    return xxh3("\x1f".join((before, *row)).encode())


def broken_link(rows: Iterable[tuple[int, str, str, str, str, str]], seq: int, before: str) -> int | None:
    """The place of the first event that does not follow, or None.

    Args:
        rows: (seq, at, study, kind, payload, chain) in rising order.
        seq: Of the event before the first row; 0 when there is none.
        before: Its chain.
    """
    for row in rows:
        seq, before = seq + 1, chained(before, *map(str, row[1:5]))  # a decayed cell may be of any type
        if row[0] != seq or row[5] != before:
            return seq
    return None


def get_meta(db: sqlite3.Connection, key: str) -> str | None:
    """One value of the meta table."""
    row = db.execute(sql.GET_META, (key,)).fetchone()
    return row[0] if row else None


def _quick_check(db: sqlite3.Connection) -> None:
    if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise sqlite3.DatabaseError("quick_check failed")


def _upgrade(db: sqlite3.Connection) -> None:
    """Bring an older journal, or an empty file, to the current format, in one transaction."""
    db.execute("BEGIN IMMEDIATE")
    for statement in (*_statements(sql.SCHEMA), *_statements(crawl_sql.SCHEMA)):
        db.execute(statement)
    late = [name for name in sql.LATE_COLUMNS if not db.execute(sql.HAS_COLUMN, ("instances", name)).fetchone()[0]]
    if late:
        guards.forget(db, "instances")
    for name in late:
        db.execute(sql.ADD_COLUMN.format(name))
    guards.install(db)
    db.execute(f"PRAGMA user_version={FORMAT_VERSION}")
    db.execute("COMMIT")


def _statements(script: str) -> list[str]:
    return [text for text in script.split(";\n") if text.strip()]


def _whole_to_the_end(db: sqlite3.Connection, path: Path, least_seq: int) -> None:
    """Link the newest events again, up to the end that the journal itself noted."""
    rows = db.execute(sql.LAST_LINKS, (LINKS_AT_OPENING + 1,)).fetchall()[::-1]
    seq, chain = (rows[-1][0], rows[-1][5]) if rows else (0, "")
    if seq < least_seq:
        hint = f"was its -wal file removed, or an old copy put in its place? Put the right one back, or {REPAIR}"
        raise JournalError("the journal has lost its newest events", hint, journal=path, last=seq, expected=least_seq)
    first = rows.pop(0) if len(rows) > LINKS_AT_OPENING else (0, "", "", "", "", "")
    broken = broken_link(rows, first[0], first[5])
    if broken is not None or chain != (get_meta(db, "chain") or ""):
        raise JournalError("the journal is damaged", REPAIR, journal=path, event=broken or seq)
