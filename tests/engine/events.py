"""One plausible event of every kind, and Hypothesis strategies over them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from migrate.journal import events as e
from migrate.model import (
    Change,
    Checked,
    Defect,
    Evidence,
    ExceptionClass,
    Level,
    Outcome,
    Prepared,
    StoreOutcome,
    ledger_of,
)

STUDY = "1.2.3"


def sop(study: str, number: int) -> str:
    return f"{study}.1.{number}"


def evidence(study: str = STUDY, number: int = 1, attempt: int = 1) -> Evidence:
    return Evidence(
        study_instance_uid=study,
        series_instance_uid=f"{study}.1",
        sop_instance_uid=sop(study, number),
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        size_bytes=100 + number,
        wire_xxh3=f"{abs(hash((study, number))) & 0xFFFFFFFF:032x}",
        bulk_xxh3=None,
        dataset_xxh3="d" * 32,
        received_at="2026-01-01T00:00:00.000+00:00",
        attempt=attempt,
    )


def change(study: str = STUDY, number: int = 1, *, identifying: bool = False) -> Change:
    return Change(
        sop_instance_uid=sop(study, number),
        path="00080080",
        keyword="InstitutionName",
        before="A",
        after="B",
        identifying=identifying,
        rule="a rule",
        pack="common",
        pack_version="1",
    )


def prepared(study: str = STUDY, number: int = 1) -> Prepared:
    return Prepared(
        sop_instance_uid=sop(study, number), dataset_xxh3="e" * 32, ledger=ledger_of([change(study, number)])
    )


def stored(study: str = STUDY, number: int = 1, status: int | None = 0) -> StoreOutcome:
    return StoreOutcome(
        sop_instance_uid=sop(study, number), status=status, sent_wire_xxh3="f" * 32, sent_at="2026-01-01T00:00:01"
    )


def checked(study: str = STUDY, number: int = 1, outcome: Outcome = Outcome.MATCH) -> Checked:
    return Checked(sop_instance_uid=sop(study, number), method="content", outcome=outcome, verified_at="2026-01-01")


def defect(study: str = STUDY, number: int | None = None) -> Defect:
    level = Level.STUDY if number is None else Level.IMAGE
    uid = study if number is None else sop(study, number)
    return Defect(exception_class=ExceptionClass.CORRUPT, level=level, uid=uid, detail="broken")


TRANSACTIONS = itertools.count(1)

#: Kind -> a maker of one event for a study of two instances.
MAKERS: dict[type[e.Event], Callable[[str], e.Event]] = {
    e.Found: lambda uid: e.Found(study_instance_uid=uid),
    e.Planned: lambda uid: e.Planned(study_instance_uid=uid, rank=1, modified_at="2026-01-01"),
    e.Excluded: lambda uid: e.Excluded(study_instance_uid=uid, reason="modalities_in_study = OT"),
    e.Staged: lambda uid: e.Staged(study_instance_uid=uid, evidence=(evidence(uid),), missing=1),
    e.Retrieved: lambda uid: e.Retrieved(study_instance_uid=uid, evidence=(evidence(uid), evidence(uid, 2))),
    e.Checksummed: lambda uid: e.Checksummed(study_instance_uid=uid),
    e.Normalized: lambda uid: e.Normalized(study_instance_uid=uid, prepared=(prepared(uid), prepared(uid, 2))),
    e.UploadStarted: lambda uid: e.UploadStarted(study_instance_uid=uid),
    e.Uploaded: lambda uid: e.Uploaded(study_instance_uid=uid, outcomes=(stored(uid), stored(uid, 2))),
    e.Verified: lambda uid: e.Verified(study_instance_uid=uid, checked=(checked(uid), checked(uid, 2))),
    e.SentInVain: lambda uid: e.SentInVain(study_instance_uid=uid, missing=1),
    e.Quarantined: lambda uid: e.Quarantined(study_instance_uid=uid, defects=(defect(uid),)),
    e.Failed: lambda uid: e.Failed(study_instance_uid=uid, stage="retrieve", reason="no answer", retry_at=5.0),
    e.Lost: lambda uid: e.Lost(study_instance_uid=uid, reason="1 file gone", sop_instance_uids=(sop(uid, 1),)),
    e.Retried: lambda uid: e.Retried(study_instance_uid=uid, by="ops", reason="fixed"),
    e.Waived: lambda uid: e.Waived(study_instance_uid=uid, by="ops", reason="known"),
    e.Assigned: lambda uid: e.Assigned(
        study_instance_uid=uid, uid=uid, exception_class="CORRUPT", owner="pat", due="2026-12-31", by="ops"
    ),
    e.Restored: lambda uid: e.Restored(study_instance_uid=uid, round=2),
    e.Doubted: lambda uid: e.Doubted(study_instance_uid=uid, round=2),
    e.CommitmentAsked: lambda uid: e.CommitmentAsked(
        study_instance_uid=uid, transaction_uid=f"2.25.{next(TRANSACTIONS)}", instances=2
    ),
    e.Committed: lambda uid: e.Committed(
        study_instance_uid=uid, transaction_uid="2.25.1", sop_instance_uids=(sop(uid, 1),)
    ),
    e.Changed: lambda uid: e.Changed(study_instance_uid=uid, detail="2 more instances"),
}

STRAIGHT = (e.Found, e.Planned, e.Retrieved, e.Checksummed, e.Normalized, e.UploadStarted, e.Uploaded, e.Verified)


def straight(study: str = STUDY, until: type[e.Event] = e.Verified) -> list[e.Event]:
    """The events of a study that has no trouble, up to and with `until`."""
    return [MAKERS[kind](study) for kind in STRAIGHT[: STRAIGHT.index(until) + 1]]


def life(uid: str, fate: str, rank: int, quarantined: e.Quarantined) -> Iterator[e.Event]:
    """What leads a study to be EXCLUDED, PLANNED, VERIFIED, or in quarantine as told; nothing stands in it."""
    yield e.Found(study_instance_uid=uid)
    if fate == "EXCLUDED":
        yield e.Excluded(study_instance_uid=uid, reason="older than the retention period")
        return
    yield e.Planned(study_instance_uid=uid, rank=rank, modified_at="20260301190000")
    if fate == "PLANNED":
        return
    yield e.Retrieved(study_instance_uid=uid, evidence=())
    yield e.Checksummed(study_instance_uid=uid)
    yield e.Normalized(study_instance_uid=uid, prepared=())
    yield e.UploadStarted(study_instance_uid=uid)
    yield e.Uploaded(study_instance_uid=uid, outcomes=())
    yield e.Verified(study_instance_uid=uid, checked=()) if fate == "VERIFIED" else quarantined
