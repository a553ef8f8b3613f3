"""Lines of the exception register that hold nothing back: they are there to be known."""

from __future__ import annotations

from collections.abc import Iterable

from migrate.journal import sql
from migrate.journal.store import Journal
from migrate.model import Defect, now


def note(journal: Journal, noted: Iterable[tuple[str, Defect]]) -> int:
    """Write (study, defect) pairs into the register as `noted`; what stands there already stays as it is.

    Returns:
        How many lines are new.

    Raises:
        JournalLocked: Another engine took the journal over.
        JournalError: SQLite says why.
    """
    at = now()
    rows = [(study, d.level, d.uid, d.exception_class, d.detail, at) for study, d in noted]
    with journal.transaction() as db:
        return sum(db.execute(sql.NOTE_EXCEPTION, row).rowcount for row in rows)


def mark(journal: Journal, key: str) -> str:
    """The last value of a mark that `set_mark` made; "" when there is none."""
    row = journal.db.execute(sql.GET_META, (key,)).fetchone()
    return str(row[0]) if row else ""


def set_mark(journal: Journal, key: str, value: str) -> None:
    """Remember how far something has come.

    Raises:
        JournalError: SQLite says why.
    """
    with journal.transaction() as db:
        db.execute(sql.SET_META, (key, value))
