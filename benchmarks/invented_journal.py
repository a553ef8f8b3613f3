"""The journal of an invented run: 100 studies are journalled, and their rows repeated for any number of others.

A million studies are 7.9 million events; appended one by one they take most of an hour. Chain and digests of
the repeated rows are right, so the journal opens and checks like any other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from migrate.journal import events as e
from migrate.journal import sql
from migrate.journal.opening import chained
from migrate.journal.store import Journal

PATTERN = 100
PER_TRANSACTION = 20_000
CURRENT = ("studies", "exceptions")

Row = dict[str, Any]


def write_journal(
    folder: Path, studies: int, uid_of: Callable[[int], str], history: Callable[[int], Iterable[e.Event]]
) -> None:
    """A journal of so many studies; study n fares as study n modulo 100 does.

    Args:
        folder: The run folder.
        studies: How many.
        uid_of: Study Instance UID of a number.
        history: The events of one of the first 100.
    """
    known = min(studies, PATTERN)
    with Journal(folder) as journal:
        journal.append(event for number in range(known) for event in history(number))
        pattern = [_Pattern(journal.db, number, uid_of(number)) for number in range(known)]
        index = journal.db.execute("SELECT sql FROM sqlite_master WHERE name = 'events_of_study'").fetchone()[0]
        journal.db.execute("DROP INDEX events_of_study")  # filled at once at the end: UIDs come in no order
        for first in range(known, studies, PER_TRANSACTION):
            with journal.transaction() as db:
                numbers = range(first, min(first + PER_TRANSACTION, studies))
                _repeat(db, ((pattern[number % PATTERN], number, uid_of(number)) for number in numbers))
        journal.db.execute(index)


class _Pattern:
    """The rows of one study, for others of the same fate."""

    def __init__(self, db: sqlite3.Connection, number: int, uid: str) -> None:
        self._number, self._uid = number, uid
        self._events = db.execute(
            "SELECT at, kind, payload FROM events WHERE study_instance_uid = ?", (uid,)
        ).fetchall()
        self._planned = any(kind == "Planned" for _, kind, _ in self._events)
        self._rows = {table: _rows(db, table, uid) for table in CURRENT}

    def events(self, number: int, uid: str) -> Iterator[tuple[str, str, str, str]]:
        """(at, study, kind, payload) for another study."""
        for at, kind, payload in self._events:
            told = payload.replace(self._uid, uid).replace(f'"rank":{self._number},', f'"rank":{number},')
            yield at, uid, kind, told

    def rows(self, table: str, number: int, uid: str) -> list[Row]:
        """The current rows for another study; the digest is the triggers' business."""
        return [{name: self._of(name, value, number, uid) for name, value in row.items()} for row in self._rows[table]]

    def _of(self, name: str, value: Any, number: int, uid: str) -> Any:
        if name == "rank":
            return number if self._planned else 0
        return value.replace(self._uid, uid) if isinstance(value, str) else value


def _rows(db: sqlite3.Connection, table: str, uid: str) -> list[Row]:
    found = db.execute(f"SELECT * FROM {table} WHERE study_instance_uid = ?", (uid,))  # noqa: S608 - our own names
    names = [column[0] for column in found.description]
    return [{name: value for name, value in zip(names, row, strict=True) if name != "digest"} for row in found]


def _repeat(db: sqlite3.Connection, studies: Iterable[tuple[_Pattern, int, str]]) -> None:
    chain = db.execute(sql.GET_META, ("chain",)).fetchone()[0]
    for pattern, number, uid in studies:
        for table in CURRENT:
            for row in pattern.rows(table, number, uid):
                names, marks = ", ".join(row), ", ".join("?" * len(row))
                db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))  # noqa: S608
        for event in pattern.events(number, uid):
            chain = chained(chain, *event)
            db.execute(sql.ADD_EVENT, (*event, chain))
    db.execute(sql.SET_META, ("chain", chain))
