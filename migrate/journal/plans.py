"""What the plan has said about studies so far."""

from __future__ import annotations

from collections.abc import Iterable

from migrate.journal import sql
from migrate.journal.store import Journal


def standing_plans(journal: Journal, study_instance_uids: Iterable[str]) -> dict[str, tuple[int, str]]:
    """Study -> (rank, the time that the plan fixed for Original Attributes), for studies the journal knows."""
    found = ((uid, journal.db.execute(sql.GET_PLAN, (uid,)).fetchone()) for uid in study_instance_uids)
    return {uid: (row[0], row[1]) for uid, row in found if row}
