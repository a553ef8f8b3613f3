"""What each event does to the current rows. One function per event, one line in EFFECTS."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from migrate.journal import events as e
from migrate.journal import sql
from migrate.model import Checked, Defect, Evidence, Level, Outcome

EVIDENCE = (
    *("study_instance_uid", "series_instance_uid", "sop_instance_uid", "sop_class_uid", "transfer_syntax_uid"),
    *("size_bytes", "wire_xxh3", "bulk_xxh3", "dataset_xxh3", "received_at", "attempt"),
)
Effect = Callable[[sqlite3.Connection, Any, str], None]


def _nothing(_db: sqlite3.Connection, _event: e.Event, _at: str) -> None:
    """The state is all that changes."""


def _planned(db: sqlite3.Connection, event: e.Planned, _at: str) -> None:
    db.execute(sql.SET_PLAN, (event.rank, event.modified_at, event.study_instance_uid))


def _excluded(db: sqlite3.Connection, event: e.Excluded, at: str) -> None:
    db.execute(sql.SET_EXCEPTION, ("EXCLUDED_BY_POLICY", event.reason, event.study_instance_uid))
    db.execute(sql.DISPOSE, ("excluded", event.reason, event.by, at, event.study_instance_uid))


def _add_evidence(db: sqlite3.Connection, study_instance_uid: str, evidence: Iterable[Evidence], at: str) -> None:
    """Add what came; what had come before and was lost since must be the same object, or the register says so."""
    db.executemany(sql.ADD_INSTANCE, (tuple(getattr(one, name) for name in EVIDENCE) for one in evidence))
    for uid, *differs in db.execute(sql.CAME_AGAIN, (study_instance_uid,)).fetchall():
        parts = " and ".join(name for name, other in zip(("data set", "bulk data"), differs, strict=True) if other)
        if parts:
            told = f"the source gave another object than the first time: its {parts}"
            db.execute(sql.NOTE_EXCEPTION, (study_instance_uid, Level.IMAGE, uid, "UID_DRIFT", told, at))
        db.execute(sql.FORGET_LOST, (study_instance_uid, uid))


def _add_defects(db: sqlite3.Connection, study_instance_uid: str, defects: Iterable[Defect], at: str) -> None:
    for d in defects:
        db.execute(sql.ADD_EXCEPTION, (study_instance_uid, d.level, d.uid, d.exception_class, d.detail, at))
        if d.level == Level.IMAGE:
            db.execute(sql.SET_INSTANCE, ("QUARANTINED", study_instance_uid, d.uid))


def _staged(db: sqlite3.Connection, event: e.Staged, at: str) -> None:
    _add_evidence(db, event.study_instance_uid, event.evidence, at)
    if event.retry_at:
        detail = f"{event.missing} instances still missing"
        db.execute(sql.SET_ATTEMPT, (event.retry_at, detail, event.study_instance_uid))


def _retrieved(db: sqlite3.Connection, event: e.Retrieved, at: str) -> None:
    _add_evidence(db, event.study_instance_uid, event.evidence, at)
    _add_defects(db, event.study_instance_uid, event.defects, at)
    db.execute(sql.CLEAR_ATTEMPTS, (event.study_instance_uid,))


def _checksummed(db: sqlite3.Connection, event: e.Checksummed, at: str) -> None:
    _add_defects(db, event.study_instance_uid, event.defects, at)
    decoded = ((one.pixels_xxh3, event.study_instance_uid, one.sop_instance_uid) for one in event.decoded)
    db.executemany(sql.SET_DECODED, decoded)
    for one in event.rejected:
        told = f"{one.code}: {one.policy}"
        noted = (one.study_instance_uid, Level.IMAGE, one.sop_instance_uid, "REJECTED_AT_SOURCE", told, at)
        db.execute(sql.NOTE_EXCEPTION, noted)
        if one.policy == "exclude":
            db.execute(sql.SET_INSTANCE, ("EXCLUDED", event.study_instance_uid, one.sop_instance_uid))


def _normalized(db: sqlite3.Connection, event: e.Normalized, at: str) -> None:
    for item in event.prepared:
        row = (
            item.dataset_xxh3,
            item.ledger or None,
            item.census or None,
            event.study_instance_uid,
            item.sop_instance_uid,
        )
        db.execute(sql.SET_PREPARED, row)
    _add_defects(db, event.study_instance_uid, event.defects, at)
    _note(db, event.study_instance_uid, event.flags, at)


def _note(db: sqlite3.Connection, study_instance_uid: str, flags: Iterable[Defect], at: str) -> None:
    for flag in flags:
        noted = (study_instance_uid, flag.level, flag.uid, flag.exception_class, flag.detail, at)
        db.execute(sql.NOTE_EXCEPTION, noted)


def _upload_started(db: sqlite3.Connection, event: e.UploadStarted, _at: str) -> None:
    db.execute(sql.SET_DOUBTFUL, (1, event.study_instance_uid))
    db.execute(sql.SET_SENDING, (event.study_instance_uid,))


def _uploaded(db: sqlite3.Connection, event: e.Uploaded, at: str) -> None:
    for o in event.outcomes:
        row = (o.status, o.warning, o.error_comment, o.sent_transfer_syntax_uid, o.sent_wire_xxh3, o.sent_at)
        db.execute(sql.SET_STORED, ("STORED", *row, event.study_instance_uid, o.sop_instance_uid))
    _add_defects(db, event.study_instance_uid, event.defects, at)
    db.execute(sql.CLEAR_ATTEMPTS, (event.study_instance_uid,))


def _set_checked(db: sqlite3.Connection, study_instance_uid: str, checked: Iterable[Checked]) -> None:
    for c in checked:
        state = "VERIFIED" if c.outcome is Outcome.MATCH else "MISMATCH"
        differs = json.dumps(c.differs) if c.differs else None
        row = (state, c.method, c.outcome, differs, c.verified_at, c.detail or None, c.census, c.held_dataset_xxh3)
        db.execute(sql.SET_CHECKED, (*row, study_instance_uid, c.sop_instance_uid))


def _verified(db: sqlite3.Connection, event: e.Verified, at: str) -> None:
    _set_checked(db, event.study_instance_uid, event.checked)
    db.execute(sql.DROP_COMMITMENTS, (event.study_instance_uid,))
    db.execute(sql.SET_FLUSHED, (0, event.study_instance_uid))
    db.execute(sql.SET_DOUBTFUL, (0, event.study_instance_uid))
    db.execute(sql.SET_EXCEPTION, (None, None, event.study_instance_uid))
    db.execute(sql.FIX, ("verified on a later attempt", "migrate", at, event.study_instance_uid))
    _note(db, event.study_instance_uid, event.flags, at)


def _quarantined(db: sqlite3.Connection, event: e.Quarantined, at: str) -> None:
    _set_checked(db, event.study_instance_uid, event.checked)
    _add_defects(db, event.study_instance_uid, event.defects, at)
    _note(db, event.study_instance_uid, event.flags, at)
    db.execute(sql.DROP_COMMITMENTS, (event.study_instance_uid,))
    first = event.defects[0]
    db.execute(sql.SET_EXCEPTION, (first.exception_class, first.detail, event.study_instance_uid))
    db.execute(sql.SET_FLUSHED, (0, event.study_instance_uid))


def _failed(db: sqlite3.Connection, event: e.Failed, _at: str) -> None:
    db.execute(sql.SET_ATTEMPT, (event.retry_at, event.reason, event.study_instance_uid))


def _lost(db: sqlite3.Connection, event: e.Lost, _at: str) -> None:
    rows = [(event.study_instance_uid, uid) for uid in event.sop_instance_uids]
    db.executemany(sql.REMEMBER_LOST, rows)
    db.executemany(sql.DROP_INSTANCE, rows)
    db.execute(sql.DROP_COMMITMENTS, (event.study_instance_uid,))
    db.execute(sql.SET_BACK, (event.reason, event.study_instance_uid))


def _sent_in_vain(db: sqlite3.Connection, event: e.SentInVain, _at: str) -> None:
    db.execute(sql.FORGET_COMMITTED, (event.study_instance_uid,))
    db.execute(sql.DROP_COMMITMENTS, (event.study_instance_uid,))
    db.execute(sql.SET_BACK, (f"{event.missing} acknowledged and not held", event.study_instance_uid))


def _disposed(disposition: str) -> Effect:
    def effect(db: sqlite3.Connection, event: e.Retried | e.Waived, at: str) -> None:
        row = (disposition, event.reason, event.by, at, event.study_instance_uid)
        db.execute(sql.DISPOSE, row)

    return effect


def _retried(db: sqlite3.Connection, event: e.Retried, at: str) -> None:
    _disposed("retry")(db, event, at)
    db.execute(sql.NEXT_ROUND, (event.study_instance_uid,))
    db.execute(sql.FORGIVE, (event.study_instance_uid,))
    db.execute(sql.REMEMBER_UNVERIFIED, (event.study_instance_uid,))
    db.execute(sql.DROP_UNVERIFIED, (event.study_instance_uid,))


def _assigned(db: sqlite3.Connection, event: e.Assigned, _at: str) -> None:
    line = (event.study_instance_uid, event.uid, event.exception_class)
    db.execute(sql.ASSIGN, (event.owner, event.due, *line))


def _changed(db: sqlite3.Connection, event: e.Changed, at: str) -> None:
    """What was moved before is at the destination: it is asked for that before anything is sent."""
    db.execute(sql.DISPOSE, ("retry", "the source has changed it", "migrate", at, event.study_instance_uid))
    db.execute(sql.NEXT_ROUND, (event.study_instance_uid,))
    db.execute(sql.SET_DOUBTFUL, (1, event.study_instance_uid))
    db.execute(sql.DROP_INSTANCES, (event.study_instance_uid,))


def _restored(db: sqlite3.Connection, event: e.Restored, _at: str) -> None:
    db.execute(sql.SET_ROUND, (event.round, event.study_instance_uid))


def _doubted(db: sqlite3.Connection, event: e.Doubted, _at: str) -> None:
    db.execute(sql.SET_ROUND, (event.round, event.study_instance_uid))
    db.execute(sql.SET_DOUBTFUL, (1, event.study_instance_uid))


def _commitment_asked(db: sqlite3.Connection, event: e.CommitmentAsked, at: str) -> None:
    db.execute(sql.ADD_COMMITMENT, (event.transaction_uid, event.study_instance_uid, at))


def _committed(db: sqlite3.Connection, event: e.Committed, at: str) -> None:
    rows = ((at, event.study_instance_uid, uid) for uid in event.sop_instance_uids)
    db.executemany(sql.SET_COMMITTED, rows)
    db.execute(sql.CLEAR_ATTEMPTS, (event.study_instance_uid,))
    _add_defects(db, event.study_instance_uid, event.defects, at)
    db.execute(sql.DROP_COMMITMENTS, (event.study_instance_uid,))


EFFECTS: Mapping[type[e.Event], Effect] = {
    e.Found: _nothing,
    e.Planned: _planned,
    e.Excluded: _excluded,
    e.Staged: _staged,
    e.Retrieved: _retrieved,
    e.Checksummed: _checksummed,
    e.Normalized: _normalized,
    e.UploadStarted: _upload_started,
    e.Uploaded: _uploaded,
    e.Verified: _verified,
    e.SentInVain: _sent_in_vain,
    e.Quarantined: _quarantined,
    e.Failed: _failed,
    e.Lost: _lost,
    e.Retried: _retried,
    e.Waived: _disposed("accepted"),
    e.Assigned: _assigned,
    e.Changed: _changed,
    e.Restored: _restored,
    e.Doubted: _doubted,
    e.CommitmentAsked: _commitment_asked,
    e.Committed: _committed,
}
