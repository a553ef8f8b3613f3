"""The journal that the engine writes: one lease, one transaction per batch of events.

Only the engine opens a `Journal`; everybody else reads through `journal.read`. The order of
durability is the caller's: files first, then the event (PS-free rule of DESIGN section 7).
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from migrate.errors import IllegalEvent, JournalError, JournalLocked
from migrate.journal import sql
from migrate.journal.effects import EFFECTS
from migrate.journal.events import Event
from migrate.journal.guards import is_sound
from migrate.journal.lease import Lease
from migrate.journal.opening import FILE_NAME, REPAIR, UNREADABLE, chained, get_meta, open_database, told
from migrate.journal.states import State, follow
from migrate.journal.transactions import at_once
from migrate.model import Defect, Evidence, now

STORY_EVENTS = 20


@dataclass(frozen=True, slots=True)
class ReadyStudy:
    """One study that a stage may take now. `doubtful`: something of it may be at the destination."""

    study_instance_uid: str
    round: int
    attempts: int
    next_at: float
    doubtful: bool
    modified_at: str


class Journal:
    """The journal of one run folder, held by one engine.

    Raises:
        JournalLocked: Another engine holds the run folder.
        FormatTooNew: Written by a newer version.
        JournalError: Not a journal, or damaged.
    """

    def __init__(self, run_folder: Path, *, take_over: bool = False) -> None:
        self.path = run_folder / FILE_NAME
        self._lease = Lease(run_folder, take_over=take_over)
        try:
            self.db = open_database(self.path, self._lease.last_seq)
            self._chain = get_meta(self.db, "chain") or ""
            self._epoch = str(int(get_meta(self.db, "epoch") or 0) + 1)
            self.db.execute(sql.SET_META, ("epoch", self._epoch))
            self.db.epoch = self._epoch
        except UNREADABLE as error:
            self._lease.release()
            raise told(self.path, error) from None
        except BaseException:
            self._lease.release()
            raise

    def __enter__(self) -> Self:
        """The journal itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close and give the lease back."""
        self.close()

    def close(self) -> None:
        """Close the database and give the lease back."""
        self.db.close()
        self._lease.release()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and only while this engine is the owner.

        Raises:
            JournalLocked: Another engine took the journal over.
            JournalError: SQLite says why (disk full, damaged, read-only).
        """
        try:
            with at_once(self.db):
                yield self.db
        except UNREADABLE as error:
            raise told(self.path, error) from None

    def append(self, events: Iterable[Event]) -> None:
        """Append events and bring the current rows up to them, in one durable transaction.

        Raises:
            IllegalEvent: The table of states does not allow one of them; nothing is written.
        """
        chain = self._chain
        with self.transaction() as db:
            for event in events:
                chain = _append_one(db, event, chain)
            db.execute(sql.SET_META, ("chain", chain))
            seq = db.execute(sql.LAST_SEQ).fetchone()[0]
        self._chain = chain
        self._lease.note(seq)

    def ready(self, state: State, now_s: float, limit: int) -> list[ReadyStudy]:
        """Studies in `state` whose time has come, in the order of the plan."""
        rows = self.db.execute(sql.READY, (state, now_s, limit))
        return [_ready(row) for row in rows]

    def ready_of(self, study_instance_uids: Iterable[str], state: State, now_s: float) -> list[ReadyStudy]:
        """The same for named studies."""
        rows = [self.db.execute(sql.READY_OF, (uid, state, now_s)).fetchone() for uid in sorted(study_instance_uids)]
        return [_ready(row) for row in rows if row]

    def hold_back(self, until_s: float) -> None:
        """No study of which an upload had begun is sent before `until_s` (Unix s)."""
        with self.transaction() as db:
            db.execute(sql.HOLD_BACK, (until_s,))

    def instances(self, study_instance_uid: str) -> list[dict[str, Any]]:
        """The rows of a study in flight, as dictionaries by column name.

        Raises:
            JournalError: A row is not what was written: it is proof of nothing.
        """
        cursor = self.db.execute(sql.INSTANCES, (study_instance_uid,))
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor]
        if not all(map(is_sound, rows)):
            raise JournalError("the journal is damaged", REPAIR, journal=self.path, study=study_instance_uid)
        return rows

    def open_exceptions(self, study_instance_uid: str) -> list[tuple[str, str, str, str]]:
        """(exception class, level, uid, detail) of what is open for a study."""
        return self.db.execute(sql.OPEN_EXCEPTIONS, (study_instance_uid,)).fetchall()

    def commitments(self, study_instance_uid: str) -> tuple[str, ...]:
        """Transactions of a study for which an answer may still come, oldest first."""
        return tuple(row[0] for row in self.db.execute(sql.COMMITMENTS, (study_instance_uid,)))

    def to_flush(self, limit: int) -> list[tuple[str, str]]:
        """(study, state) of ended studies whose instances are not yet in the Parquet tables."""
        return self.db.execute(sql.TO_FLUSH, (limit,)).fetchall()

    def flushed(self, studies: Iterable[tuple[str, str]]) -> None:
        """The tables are durable: verified studies' instances leave the journal, others are kept for a retry."""
        with self.transaction() as db:
            for study_instance_uid, state in studies:
                db.execute(sql.SET_FLUSHED, (1, study_instance_uid))
                leave = sql.DROP_INSTANCES if state == State.VERIFIED else sql.KEEP_FLUSHED
                db.execute(leave, (study_instance_uid,))

    def instance_files(self) -> list[tuple[str, str, str, int, str]]:
        """(study, SOP instance, wire digest, size_bytes, state) of every instance in flight."""
        return self.db.execute(sql.INSTANCE_FILES).fetchall()

    def states_of(self, study_instance_uids: Iterable[str]) -> dict[str, State]:
        """The state of each study that the journal knows."""
        found = ((uid, self.db.execute(sql.GET_STUDY, (uid,)).fetchone()) for uid in study_instance_uids)
        return {uid: State(row[0]) for uid, row in found if row}


def _ready(row: tuple[str, int, int, float, int, str]) -> ReadyStudy:
    uid, number, attempts, next_at, doubtful, modified_at = row
    return ReadyStudy(uid, number, attempts, next_at, bool(doubtful), modified_at)


def _append_one(db: sqlite3.Connection, event: Event, chain: str) -> str:
    row = db.execute(sql.GET_STUDY, (event.study_instance_uid,)).fetchone()
    before = State(row[0]) if row else None
    after = _follow(db, before, event)
    at = now()
    if before is None:
        db.execute(sql.ADD_STUDY, (event.study_instance_uid, after, at))
    elif db.execute(sql.SET_STATE, (after, at, event.study_instance_uid, before)).rowcount != 1:
        raise JournalLocked("another engine changed this study", study=event.study_instance_uid)
    EFFECTS[type(event)](db, event, at)
    payload = json.dumps(summary(event), separators=(",", ":"))
    kind = type(event).__name__
    chain = chained(chain, at, event.study_instance_uid, kind, payload)
    db.execute(sql.ADD_EVENT, (at, event.study_instance_uid, kind, payload, chain))
    return chain


def _follow(db: sqlite3.Connection, before: State | None, event: Event) -> State:
    """The state after `event`; an illegal one is told with what happened to the study before."""
    try:
        return follow(before, event)
    except IllegalEvent as illegal:
        kinds = [kind for _, kind, _ in db.execute(sql.STORY, (event.study_instance_uid,))]
        illegal.facts["story"] = " > ".join(kinds[-STORY_EVENTS:]) or "none"
        raise


def summary(event: Event) -> dict[str, object]:
    """What of an event stays for good: scalars as they are, defects in short, other tuples as a count."""
    told: dict[str, object] = {}
    for field in fields(event):
        value = getattr(event, field.name)
        if field.name == "study_instance_uid" or value in ((), None):
            continue
        if not isinstance(value, tuple):
            told[field.name] = value
        elif isinstance(value[0], Defect):
            told[field.name] = [f"{d.exception_class} {d.level} {d.uid}: {d.detail}" for d in value[:20]]
        else:
            told[field.name] = len(value)
        if isinstance(value, tuple) and isinstance(value[0], Evidence):
            told["size_bytes"] = sum(evidence.size_bytes for evidence in value)
    return told
