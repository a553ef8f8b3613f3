"""A checksum in every current row: a bit that flips on the disk is found when the row is next used.

SQLite itself does not notice: of 400 flips in a journal, `integrity_check` let 29 % through
(xxh3 finds accidents, not forgers). Triggers keep the checksums, so no statement can forget them:
a row is digested when it is written, and must still agree with its digest when it is changed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence

from migrate.dicom.digest import xxh3

#: The crawl's tables and their primary keys; they are guarded since format 3.
CRAWL: Mapping[str, tuple[str, ...]] = {
    "crawls": ("crawl_id",),
    "windows": ("ordinal",),
    "crawl_parts": ("part",),
    "crawl_listings": ("batch",),
}
#: Every guarded table. Events are not here: their chain covers them.
GUARDED: Mapping[str, tuple[str, ...]] = {
    "meta": ("key",),
    "studies": ("study_instance_uid",),
    "instances": ("study_instance_uid", "sop_instance_uid", "wire_xxh3"),
    "lost": ("study_instance_uid", "sop_instance_uid"),
    "exceptions": ("study_instance_uid", "uid", "exception_class"),
    "commitments": ("transaction_uid",),
    "runs": ("run_id",),
    **CRAWL,
}
#: What a journal of the current format may lack until it is opened for writing.
ADDED = frozenset({"lost"})
DIGEST = "digest"
_TEXT_OF = json.JSONEncoder(default=repr).encode
_HEX_DIGITS = 15  # 60 bits: an INTEGER of SQLite that is never negative


def row_digest(*values: object) -> int:
    """The checksum of one row; the values come in the order of the sorted column names."""
    # Text that decayed into bytes has a digest too: another one.
    return int(xxh3(_TEXT_OF(values).encode())[:_HEX_DIGITS], 16)


def is_sound(row: Mapping[str, object]) -> bool:
    """Whether a whole row, its digest included, is what was written."""
    return row[DIGEST] == row_digest(*(row[name] for name in sorted(row) if name != DIGEST))


def install(db: sqlite3.Connection, tables: Mapping[str, tuple[str, ...]] = GUARDED) -> None:
    """Make the triggers that `tables` lack; digest the rows of those that had no digests before."""
    db.create_function("row_digest", -1, row_digest, deterministic=True)
    for table, key in tables.items():
        known = _columns(db, table)
        if DIGEST not in known:
            db.execute(f"ALTER TABLE {table} ADD COLUMN {DIGEST} INTEGER NOT NULL DEFAULT 0")
            names = ", ".join(known)
            db.execute(f"UPDATE {table} SET {DIGEST} = row_digest({names})")  # noqa: S608 - names of our own schema
        for statement in _triggers(table, key, known):
            db.execute(statement)


def forget(db: sqlite3.Connection, table: str) -> None:
    """Drop the triggers and digests of a table whose columns change; `install` makes them anew."""
    for name in ("added", "checked", "changed"):
        db.execute(f"DROP TRIGGER IF EXISTS {table}_{name}")
    if DIGEST in _columns(db, table):
        db.execute(f"ALTER TABLE {table} DROP COLUMN {DIGEST}")


def damaged(db: sqlite3.Connection, table: str) -> Iterator[str]:
    """The keys of rows of `table` that are not what was written."""
    db.create_function("row_digest", -1, row_digest, deterministic=True)
    names = ", ".join(_columns(db, table, without_digest=True))
    key = " || ' ' || ".join(GUARDED[table])
    statement = f"SELECT {key} FROM {table} WHERE {DIGEST} IS NOT row_digest({names})"  # noqa: S608 - as above
    return (str(row[0]) for row in db.execute(statement))


def _columns(db: sqlite3.Connection, table: str, *, without_digest: bool = False) -> list[str]:
    names: Iterable[str] = (row[1] for row in db.execute(f"PRAGMA table_info({table})"))
    return sorted(name for name in names if not (without_digest and name == DIGEST))


def _triggers(table: str, key: Sequence[str], columns: Sequence[str]) -> tuple[str, ...]:
    """The three triggers of one table; an update of the digest alone fires none of them."""
    names = [name for name in columns if name != DIGEST]
    old, new = (", ".join(f"{which}.{name}" for name in names) for which in ("OLD", "NEW"))
    row = " AND ".join(f"{name} = NEW.{name}" for name in key)
    renew = f"UPDATE {table} SET {DIGEST} = row_digest({new}) WHERE {row}"  # noqa: S608 - as above
    updates = f"UPDATE OF {', '.join(names)} ON {table}"
    unlike = f"WHEN OLD.{DIGEST} IS NOT row_digest({old})"
    refuse = f"SELECT RAISE(ABORT, 'a row of {table} is damaged')"
    return (
        f"CREATE TRIGGER IF NOT EXISTS {table}_added AFTER INSERT ON {table} BEGIN {renew}; END",
        f"CREATE TRIGGER IF NOT EXISTS {table}_checked BEFORE {updates} {unlike} BEGIN {refuse}; END",
        f"CREATE TRIGGER IF NOT EXISTS {table}_changed AFTER {updates} BEGIN {renew}; END",
    )
