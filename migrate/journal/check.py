"""Everything that can be wrong with a journal, found without writing to it.

Five looks, each finds what the others cannot: the database's own structure, the schema, the chain
of events, the checksum of every row, and the states against the fold of the events.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from migrate.errors import JournalError
from migrate.journal import crawl_sql, guards, sql
from migrate.journal.events import EVENTS
from migrate.journal.opening import UNREADABLE, broken_link, get_meta, refuse_newer
from migrate.journal.states import TRANSITIONS, State

MOST_PROBLEMS = 100
CRAWL_GUARDED_SINCE = 3
_TRIGGERS = "SELECT name, sql FROM sqlite_master WHERE type IN ('trigger', 'index') AND sql IS NOT NULL"


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What a check counted, and what it found wrong (at most 100, each a sentence without identity)."""

    events: int = 0
    studies: int = 0
    problems: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Nothing was found."""
        return not self.problems


def check(path: Path) -> Report:
    """Look at every page, row and event of one journal file.

    Raises:
        FormatTooNew: Written by a newer version.
        JournalError: There is no such file.
    """
    if not path.is_file():
        raise JournalError("there is no journal", "name a file, or a run folder that has one", journal=path)
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30, isolation_level=None)) as db:
            db.execute("BEGIN")  # one snapshot: an engine may go on writing
            refuse_newer(db, path)
            problems = tuple(itertools.islice(_problems(db), MOST_PROBLEMS))
            counts = _counts(db)
    except UNREADABLE as error:
        return Report(problems=(f"it cannot be opened: {error}",))
    return Report(events=counts[0], studies=counts[1], problems=problems)


def _problems(db: sqlite3.Connection) -> Iterator[str]:
    """What each look finds; one that cannot be finished is a finding itself."""
    for name, look in LOOKS.items():
        try:
            yield from look(db)
        except (sqlite3.Error, ValueError, OverflowError) as error:
            yield f"{name} cannot be read: {type(error).__name__} {error if isinstance(error, sqlite3.Error) else ''}"


def _structure(db: sqlite3.Connection) -> Iterator[str]:
    for (line,) in db.execute(f"PRAGMA integrity_check({MOST_PROBLEMS})"):
        if line != "ok":
            yield f"structure: {line}"


def _schema(db: sqlite3.Connection) -> Iterator[str]:
    """Columns, triggers and indexes against those of a journal made now."""
    with closing(sqlite3.connect(":memory:")) as fresh:
        tables = _guarded(db)
        fresh.executescript(sql.SCHEMA)
        if "crawls" in tables:
            fresh.executescript(crawl_sql.SCHEMA)
        guards.install(fresh, tables)
        for table in ("events", *tables):
            if _columns(db, table) != _columns(fresh, table):
                yield f"schema: the table {table} is not as it was made"
        have = dict(db.execute(_TRIGGERS))
        for name, text in fresh.execute(_TRIGGERS):
            if have.get(name) != text:
                yield f"schema: {name} is not as it was made"


def _guarded(db: sqlite3.Connection) -> Mapping[str, tuple[str, ...]]:
    """The tables with checksums in the format that this journal has: a backup is made before an upgrade, too."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    absent = {table for table in guards.ADDED if not _columns(db, table)}
    if version < CRAWL_GUARDED_SINCE:
        absent |= guards.CRAWL.keys()
    return {table: key for table, key in guards.GUARDED.items() if table not in absent}


def _columns(db: sqlite3.Connection, table: str) -> set[tuple[object, ...]]:
    """(name, type, not null, default, place in the primary key) of each; an upgrade may add at the end."""
    return {row[1:] for row in db.execute(f"PRAGMA table_info({table})")}


def _chain(db: sqlite3.Connection) -> Iterator[str]:
    broken = broken_link(db.execute(sql.ALL_EVENTS), 0, "")
    if broken is not None:
        yield f"event {broken} does not follow from the one before"
    last = db.execute(sql.LAST_LINKS, (1,)).fetchone()
    if (last[5] if last else "") != (get_meta(db, "chain") or ""):
        yield "the newest event is not the one that was written last"


def _rows(db: sqlite3.Connection) -> Iterator[str]:
    for table in _guarded(db):
        for key in guards.damaged(db, table):
            yield f"a row of {table} is damaged: {key}"


def _fold(db: sqlite3.Connection) -> Iterator[str]:
    """The state of every study against its events; both come sorted, so memory holds one study."""
    told = _states(itertools.groupby(db.execute(sql.KINDS_BY_STUDY), key=itemgetter(0)))
    stand = iter(db.execute(sql.STATES_BY_STUDY))
    for by_events, row in itertools.zip_longest(told, stand):
        if by_events != row:
            yield f"the row of study {(row or by_events)[0]} is not what its events say"
            return


def _states(histories: Iterable[tuple[str, Iterable[tuple[str, str]]]]) -> Iterator[tuple[str, str | None]]:
    for study, events in histories:
        state: State | None = None
        for _, kind in events:
            state = TRANSITIONS[state].get(EVENTS[kind]) if kind in EVENTS else None
        yield study, state


def _counts(db: sqlite3.Connection) -> tuple[int, int]:
    try:
        return (
            db.execute("SELECT count(*) FROM events").fetchone()[0],
            db.execute("SELECT count(*) FROM studies").fetchone()[0],
        )
    except UNREADABLE:
        return 0, 0


#: Name -> a look at one aspect.
LOOKS: Mapping[str, Callable[[sqlite3.Connection], Iterator[str]]] = {
    "structure": _structure,
    "schema": _schema,
    "events": _chain,
    "rows": _rows,
    "states": _fold,
}
