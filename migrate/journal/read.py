"""Reading a journal while an engine writes it: what reports, notebooks and `status` use.

Every function opens its own read-only connection; a run folder without a journal reads as empty.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from migrate.journal import sql
from migrate.journal.opening import FILE_NAME, UNREADABLE, broken_link, refuse_newer, told

STUDY_COLUMNS = ("study_instance_uid", "state", "exception_class", "detail", "attempts", "updated_at")


@contextlib.contextmanager
def connected(run_folder: Path) -> Iterator[sqlite3.Connection | None]:
    """A read-only connection, or None when the run folder has no journal yet."""
    path = run_folder / FILE_NAME
    if not path.exists():
        yield None
        return
    db = sqlite3.connect(_address(path), uri=True, timeout=30, isolation_level=None)
    try:
        refuse_newer(db, path)
        yield db
    except UNREADABLE as error:
        raise told(path, error, "the journal cannot be read") from None
    finally:
        db.close()


def _address(path: Path) -> str:
    """In a folder that cannot be written (a finished run on read-only media) SQLite must not try to share a log."""
    settled = not os.access(path.parent, os.W_OK) and not path.with_name(f"{FILE_NAME}-wal").exists()
    return f"file:{quote(str(path))}?mode=ro{'&immutable=1' if settled else ''}"


def _rows(run_folder: Path, statement: str, *values: object) -> Iterator[dict[str, Any]]:
    with connected(run_folder) as db:
        if db is None:
            return
        cursor = db.execute(statement, values)
        names = [column[0] for column in cursor.description]
        for row in cursor:
            yield dict(zip(names, row, strict=True))


def study_states(run_folder: Path) -> Iterator[dict[str, Any]]:
    """Every study's current row (STUDY_COLUMNS), sorted by UID."""
    return _rows(run_folder, sql.STUDY_STATES)


def states(run_folder: Path) -> dict[str, int]:
    """State -> number of studies."""
    return {row["state"]: row["count(*)"] for row in _rows(run_folder, sql.COUNT_STATES)}


def classes(run_folder: Path) -> dict[str, int]:
    """Exception class -> number of quarantined studies."""
    return {row["exception_class"]: row["count(*)"] for row in _rows(run_folder, sql.COUNT_CLASSES)}


def exceptions(run_folder: Path) -> Iterator[dict[str, Any]]:
    """The register: every exception ever seen, oldest first, with its disposition."""
    return _rows(run_folder, sql.ALL_EXCEPTIONS)


def newest_exceptions(run_folder: Path, limit: int) -> list[dict[str, Any]]:
    """The newest open lines of the register: at, exception_class, level, uid, detail."""
    return list(_rows(run_folder, sql.NEWEST_EXCEPTIONS, limit))


def story(run_folder: Path, study_instance_uid: str) -> list[dict[str, Any]]:
    """What happened to one study, oldest first: at, kind, payload."""
    found = _rows(run_folder, sql.STORY, study_instance_uid)
    return [{**row, "payload": json.loads(row["payload"])} for row in found]


def events(run_folder: Path) -> Iterator[dict[str, Any]]:
    """Every event, oldest first: seq, at, study_instance_uid, kind, payload (dict)."""
    for row in _rows(run_folder, sql.ALL_EVENTS):
        yield {**row, "payload": json.loads(row["payload"])}


def last_events(run_folder: Path, limit: int) -> list[dict[str, Any]]:
    """The newest events, newest first: at, study_instance_uid, kind, payload (dict)."""
    return [{**row, "payload": json.loads(row["payload"])} for row in _rows(run_folder, sql.LAST_EVENTS, limit)]


def staged_objects(run_folder: Path, uid: str) -> list[dict[str, Any]]:
    """Instances of a study, or the one with this SOP Instance UID, that have not left the journal yet."""
    return list(_rows(run_folder, sql.STAGED_OBJECTS, uid, uid))


def changed_objects(run_folder: Path) -> Iterator[dict[str, Any]]:
    """Instances in flight that rules have changed; the order has nothing to do with studies."""
    return _rows(run_folder, sql.CHANGED_OBJECTS)


def in_flight_instances(run_folder: Path) -> dict[str, int]:
    """received, received_bytes, uploaded, uploaded_bytes, verified, verified_bytes not yet in the tables."""
    names = ("received", "received_bytes", "uploaded", "uploaded_bytes", "verified", "verified_bytes")
    for row in _rows(run_folder, sql.COUNT_INSTANCES):
        return dict(zip(names, row.values(), strict=True))
    return dict.fromkeys(names, 0)


def first_broken_link(run_folder: Path) -> int | None:
    """The `seq` of the first event whose chain does not hold, or None when all hold."""
    with connected(run_folder) as db:
        return broken_link(db.execute(sql.ALL_EVENTS), 0, "") if db else None
