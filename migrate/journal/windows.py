"""The crawl's part of the journal: its windows, and how far its listing has come.

Functions over a connection in autocommit mode. A batch is one transaction and is written only
after the table part that it names is durable, so that what a window found is never lost while the
window counts as done. A crawl goes on from the windows that are not decided.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter

SCHEMA = """
CREATE TABLE IF NOT EXISTS crawls (
  crawl_id TEXT PRIMARY KEY, terms TEXT NOT NULL, phase TEXT NOT NULL, started_at TEXT NOT NULL,
  finished_at TEXT, result TEXT) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS windows (
  ordinal INTEGER PRIMARY KEY, window_id TEXT NOT NULL, parent TEXT, query TEXT NOT NULL,
  state TEXT NOT NULL, status INTEGER, matches INTEGER, studies INTEGER, capped INTEGER NOT NULL,
  closed INTEGER NOT NULL, proven INTEGER NOT NULL, why TEXT NOT NULL,
  strategy INTEGER NOT NULL, attempts INTEGER NOT NULL, started_at TEXT, finished_at TEXT) STRICT;
CREATE INDEX IF NOT EXISTS windows_by_parent ON windows (parent);
CREATE INDEX IF NOT EXISTS windows_by_state ON windows (state);
CREATE TABLE IF NOT EXISTS crawl_parts (part TEXT PRIMARY KEY, row_count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS crawl_listings (
  batch INTEGER PRIMARY KEY, series INTEGER NOT NULL, instances INTEGER NOT NULL, incomplete INTEGER NOT NULL) STRICT;
"""

# --- one crawl at a time; the rows of the crawl before go when a new one starts
FORGET = ("DELETE FROM windows", "DELETE FROM crawl_parts", "DELETE FROM crawl_listings")
ADD_CRAWL = "INSERT INTO crawls (crawl_id, terms, phase, started_at) VALUES (?, ?, 'sweep', ?)"
LATEST_CRAWL = "SELECT crawl_id, terms, phase, result FROM crawls ORDER BY crawl_id DESC LIMIT 1"
SET_PHASE = "UPDATE crawls SET phase = ?, result = ? WHERE crawl_id = ?"
DONE_TERMS = "SELECT terms FROM crawls WHERE phase = 'done' ORDER BY crawl_id DESC"
FINISH_CRAWL = "UPDATE crawls SET phase = 'done', finished_at = ?, result = ? WHERE crawl_id = ?"

# --- windows: the row says all; a repeated row replaces the one before
PUT_WINDOW = "INSERT OR REPLACE INTO windows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
DROP_WINDOW = "DELETE FROM windows WHERE ordinal = ?"
ALL_WINDOWS = "SELECT * FROM windows ORDER BY ordinal"
UNDECIDED = "SELECT * FROM windows WHERE state IN ('open', 'rest', 'split') ORDER BY ordinal"
BELOW = "SELECT * FROM windows WHERE parent = ? ORDER BY ordinal"
ADD_PART = "INSERT OR REPLACE INTO crawl_parts VALUES (?, ?)"
ALL_PARTS = "SELECT part FROM crawl_parts ORDER BY part"

# --- listing: a batch is a range of the sorted studies
ADD_LISTING = "INSERT OR REPLACE INTO crawl_listings VALUES (?, ?, ?, ?)"
LISTED = "SELECT batch FROM crawl_listings"
LISTED_SUMS = """SELECT coalesce(sum(series), 0), coalesce(sum(instances), 0), coalesce(sum(incomplete), 0)
  FROM crawl_listings"""

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


def prepare(db: sqlite3.Connection) -> None:
    """Make the tables that are missing."""
    db.executescript(SCHEMA)


@contextmanager
def _at_once(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def latest_crawl(db: sqlite3.Connection) -> CrawlRow | None:
    """The crawl that was started last, finished or not."""
    row = db.execute(LATEST_CRAWL).fetchone()
    return CrawlRow(crawl_id=row[0], terms=row[1], phase=row[2], result=row[3]) if row else None


def start_crawl(db: sqlite3.Connection, crawl_id: str, terms: str, at: str) -> None:
    """Begin a crawl; windows and progress of the one before are forgotten."""
    with _at_once(db):
        for statement in FORGET:
            db.execute(statement)
        db.execute(ADD_CRAWL, (crawl_id, terms, at))


#: The word in the terms of a crawl that makes it a delta crawl.
DELTA = "delta"


def delta_rounds(db: sqlite3.Connection) -> int:
    """How many delta crawls have ended since the last whole one."""
    rounds = 0
    for (terms,) in db.execute(DONE_TERMS):
        if f'"{DELTA}"' not in terms:
            break
        rounds += 1
    return rounds


def set_phase(db: sqlite3.Connection, crawl_id: str, phase: str, result: str) -> None:
    """The crawl has come to `phase`; `result` is what the phases before it found, as JSON."""
    db.execute(SET_PHASE, (phase, result, crawl_id))


def finish_crawl(db: sqlite3.Connection, crawl_id: str, result: str, at: str) -> None:
    """The crawl is over; its tables are published."""
    db.execute(FINISH_CRAWL, (at, result, crawl_id))


def commit_batch(db: sqlite3.Connection, batch: Batch) -> None:
    """Make a batch durable. The part that it names must be durable before."""
    with _at_once(db):
        for ordinal in batch.dropped:
            db.execute(DROP_WINDOW, (ordinal,))
        db.executemany(PUT_WINDOW, map(_VALUES, batch.put))
        if batch.part is not None:
            db.execute(ADD_PART, (batch.part, batch.rows))


def _window_row(row: sqlite3.Row | tuple[object, ...]) -> WindowRow:
    names = WindowRow.__dataclass_fields__
    values = dict(zip(names, row, strict=True))
    for flag in ("capped", "closed", "proven"):
        values[flag] = bool(values[flag])
    return WindowRow(**values)


def all_windows(db: sqlite3.Connection) -> Iterator[WindowRow]:
    """Every window of the latest crawl, in the order in which they were made."""
    return map(_window_row, db.execute(ALL_WINDOWS))


def undecided_windows(db: sqlite3.Connection) -> list[WindowRow]:
    """Windows to be asked, to be cut, or waiting for their pieces."""
    return [_window_row(row) for row in db.execute(UNDECIDED)]


def pieces_of(db: sqlite3.Connection, window_id: str) -> list[WindowRow]:
    """The windows that were cut from this one."""
    return [_window_row(row) for row in db.execute(BELOW, (window_id,))]


def durable_parts(db: sqlite3.Connection) -> list[str]:
    """Names of the parts that a committed batch named; other files are orphans of a kill."""
    return [row[0] for row in db.execute(ALL_PARTS)]


def commit_listing(db: sqlite3.Connection, batch: int, counts: tuple[int, int, int]) -> None:
    """A batch of studies is listed and durable; counts are series, instances, incomplete studies."""
    db.execute(ADD_LISTING, (batch, *counts))


def listed_batches(db: sqlite3.Connection) -> set[int]:
    """Batches of studies that are listed."""
    return {row[0] for row in db.execute(LISTED)}


def listed_sums(db: sqlite3.Connection) -> tuple[int, int, int]:
    """Series, instances and incomplete studies of all listed batches."""
    series, instances, incomplete = db.execute(LISTED_SUMS).fetchone()
    return series, instances, incomplete
