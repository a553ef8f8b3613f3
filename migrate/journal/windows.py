"""The crawl's part of the journal: its windows, and how far its listing has come.

Functions over a connection in autocommit mode. A batch is one transaction and is written only
after the table part that it names is durable, so that what a window found is never lost while the
window counts as done. A crawl goes on from the windows that are not decided.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from migrate.errors import JournalError
from migrate.journal import crawl_sql as sql
from migrate.journal import guards
from migrate.journal.opening import FILE_NAME, REPAIR, UNREADABLE, told
from migrate.journal.transactions import at_once

#: States of a window. `open`: to be asked. `rest`: a range to be cut before it is asked. `split`:
#: asked and cut, pieces undecided. `leaf`: closed by its own answer. `done`: closed by its pieces.
#: `failed`: cannot be closed.
STATES = ("open", "rest", "split", "leaf", "done", "failed")


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowRow:
    """One window as the journal keeps it.

    `query` is the window itself, as JSON. `proven`: what it returned itself is all there is in it.
    """

    ordinal: int
    window_id: str
    parent: str | None
    query: str
    state: str
    status: int | None = None
    matches: int | None = None
    studies: int | None = None
    capped: bool = False
    closed: bool = False
    proven: bool = False
    why: str = ""
    strategy: int = 0
    attempts: int = 0
    started_at: str | None = None
    finished_at: str | None = None


_VALUES = attrgetter(*WindowRow.__dataclass_fields__)


@dataclass(frozen=True, kw_only=True, slots=True)
class CrawlRow:
    """One crawl: what it was asked to do, and its phase (`sweep list done`)."""

    crawl_id: str
    terms: str
    phase: str
    result: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """What becomes durable together: windows put and dropped, and the part that holds their rows."""

    put: tuple[WindowRow, ...]
    dropped: tuple[int, ...] = ()
    part: str | None = None
    rows: int = 0


_FLAGS = ("capped", "closed", "proven")


def prepare(db: sqlite3.Connection) -> None:
    """Make the tables that are missing: a journal has them from its opening on, a bare database has not."""
    db.executescript(sql.SCHEMA)
    guards.install(db, guards.CRAWL)


@contextmanager
def _written(db: sqlite3.Connection) -> Iterator[None]:
    """One transaction.

    Raises:
        JournalLocked: Another engine took the journal over.
        JournalError: SQLite says why (disk full, damaged, read-only).
    """
    try:
        with at_once(db):
            yield
    except UNREADABLE as error:
        raise told(_path(db), error) from None


def _rows(db: sqlite3.Connection, statement: str, *values: object) -> Iterator[dict[str, Any]]:
    """Whole rows by column name, without their checksums.

    Raises:
        JournalError: A row is not what was written, or cannot be read.
    """
    try:
        cursor = db.execute(statement, values)
        names = [column[0] for column in cursor.description]
        for row in cursor:
            found = dict(zip(names, row, strict=True))
            if not guards.is_sound(found):
                raise JournalError("the journal is damaged", REPAIR, journal=_path(db), found="a row of the crawl")
            del found[guards.DIGEST]
            yield found
    except UNREADABLE as error:
        raise told(_path(db), error) from None


def _path(db: sqlite3.Connection) -> Path:
    try:
        return Path(db.execute("PRAGMA database_list").fetchone()[2])
    except sqlite3.Error:
        return Path(FILE_NAME)


def latest_crawl(db: sqlite3.Connection) -> CrawlRow | None:
    """The crawl that was started last, finished or not."""
    for row in _rows(db, sql.LATEST_CRAWL):
        return CrawlRow(crawl_id=row["crawl_id"], terms=row["terms"], phase=row["phase"], result=row["result"])
    return None


def start_crawl(db: sqlite3.Connection, crawl_id: str, terms: str, at: str) -> None:
    """Begin a crawl; windows and progress of the one before are forgotten."""
    with _written(db):
        for statement in sql.FORGET:
            db.execute(statement)
        db.execute(sql.ADD_CRAWL, (crawl_id, terms, at))


#: The word in the terms of a crawl that makes it a delta crawl.
DELTA = "delta"


def delta_rounds(db: sqlite3.Connection) -> int:
    """How many delta crawls have ended since the last whole one."""
    rounds = 0
    for row in _rows(db, sql.DONE_TERMS):
        if f'"{DELTA}"' not in row["terms"]:
            break
        rounds += 1
    return rounds


def set_phase(db: sqlite3.Connection, crawl_id: str, phase: str, result: str) -> None:
    """The crawl has come to `phase`; `result` is what the phases before it found, as JSON."""
    with _written(db):
        db.execute(sql.SET_PHASE, (phase, result, crawl_id))


def finish_crawl(db: sqlite3.Connection, crawl_id: str, result: str, at: str) -> None:
    """The crawl is over; its tables are published."""
    with _written(db):
        db.execute(sql.FINISH_CRAWL, (at, result, crawl_id))


def commit_batch(db: sqlite3.Connection, batch: Batch) -> None:
    """Make a batch durable. The part that it names must be durable before."""
    with _written(db):
        for ordinal in batch.dropped:
            db.execute(sql.DROP_WINDOW, (ordinal,))
        db.executemany(sql.PUT_WINDOW, map(_VALUES, batch.put))
        if batch.part is not None:
            db.execute(sql.ADD_PART, (batch.part, batch.rows))


def _windows(rows: Iterable[dict[str, Any]]) -> Iterator[WindowRow]:
    return (WindowRow(**{**row, **{flag: bool(row[flag]) for flag in _FLAGS}}) for row in rows)


def all_windows(db: sqlite3.Connection) -> Iterator[WindowRow]:
    """Every window of the latest crawl, in the order in which they were made."""
    return _windows(_rows(db, sql.ALL_WINDOWS))


def undecided_windows(db: sqlite3.Connection) -> list[WindowRow]:
    """Windows to be asked, to be cut, or waiting for their pieces."""
    return list(_windows(_rows(db, sql.UNDECIDED)))


def pieces_of(db: sqlite3.Connection, window_id: str) -> list[WindowRow]:
    """The windows that were cut from this one."""
    return list(_windows(_rows(db, sql.BELOW, window_id)))


def durable_parts(db: sqlite3.Connection) -> list[str]:
    """Names of the parts that a committed batch named; other files are orphans of a kill."""
    return [row["part"] for row in _rows(db, sql.ALL_PARTS)]


def commit_listing(db: sqlite3.Connection, batch: int, counts: tuple[int, int, int]) -> None:
    """A batch of studies is listed and durable; counts are series, instances, incomplete studies."""
    with _written(db):
        db.execute(sql.ADD_LISTING, (batch, *counts))


def listed_batches(db: sqlite3.Connection) -> set[int]:
    """Batches of studies that are listed."""
    return {row["batch"] for row in _rows(db, sql.LISTED)}


def listed_sums(db: sqlite3.Connection) -> tuple[int, int, int]:
    """Series, instances and incomplete studies of all listed batches."""
    series = instances = incomplete = 0
    for row in _rows(db, sql.LISTED):
        series, instances, incomplete = (
            series + row["series"],
            instances + row["instances"],
            incomplete + row["incomplete"],
        )
    return series, instances, incomplete
