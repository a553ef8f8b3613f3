"""Transactions that a former owner of the journal cannot make."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

from migrate.errors import JournalLocked
from migrate.journal.sql import GET_META


class OwnedConnection(sqlite3.Connection):
    """A connection that knows whose it is.

    Attributes:
        epoch: Of the engine that opened it; None when it belongs to no run folder's engine.
    """

    epoch: str | None = None


@contextlib.contextmanager
def at_once(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, and only while the engine behind `db` is the owner.

    Raises:
        JournalLocked: Another engine took the journal over; nothing was written.
        sqlite3.Error: SQLite says why.
    """
    try:
        db.execute("BEGIN IMMEDIATE")
        _refuse_former_owner(db)
        yield
        db.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise


def _refuse_former_owner(db: sqlite3.Connection) -> None:
    epoch = db.epoch if isinstance(db, OwnedConnection) else None
    if epoch is not None and db.execute(GET_META, ("epoch",)).fetchone() != (epoch,):
        raise JournalLocked("another engine took this journal over")
