"""What a task gets to know: one study's rows from the manifests and the journal, put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from migrate.journal.events import Checksummed, Event, Normalized, Retrieved, Uploaded
from migrate.journal.store import Journal, ReadyStudy
from migrate.manifest.before import UNMOVED, Before
from migrate.manifest.read import rows_of_studies
from migrate.model import Evidence, InstanceRef, Prepared
from migrate.peers import StagedStudy, StudyWork

LISTED = ("study_instance_uid", "series_instance_uid", "sop_instance_uid", "sop_class_uid")
SYNTAX = "available_transfer_syntax_uid"
ASIDE = frozenset({"QUARANTINED", "VERIFIED", "EXCLUDED"})

Listing = dict[str, tuple[InstanceRef, ...]]


@dataclass(frozen=True, slots=True)
class Known:
    """What the manifests say about one study."""

    listed: tuple[InstanceRef, ...] = ()
    facility: str = ""
    before: Before = UNMOVED
    hidden: frozenset[str] = frozenset()


def listed(run_folder: Path, studies: Iterable[str]) -> Listing:
    """What the crawl listed, by study; a study without instances is an empty tuple."""
    wanted = list(studies)
    columns = rows_of_studies(run_folder, "instances", wanted, [*LISTED, SYNTAX])
    found: dict[str, dict[str, InstanceRef]] = {uid: {} for uid in wanted}
    for study, series, sop, sop_class, syntax in zip(*(columns[name] for name in (*LISTED, SYNTAX)), strict=True):
        ref = InstanceRef(
            series_instance_uid=series,
            sop_instance_uid=sop,
            sop_class_uid=sop_class,
            available_transfer_syntax_uid=syntax,
        )
        found[study].setdefault(sop, ref)
    return {uid: tuple(refs.values()) for uid, refs in found.items()}


def facilities(run_folder: Path, studies: Iterable[str]) -> dict[str, str]:
    """Institution Name of each study as the crawl saw it; "" when it did not."""
    columns = rows_of_studies(run_folder, "studies", studies, ["study_instance_uid", "institution_name"])
    return {uid: name or "" for uid, name in zip(*columns.values(), strict=True)}


def to_retrieve(journal: Journal, study: ReadyStudy, known: Known, attempts: int) -> StudyWork:
    """Work for `retrieve`: what is verified or stays behind is neither asked for nor counted as missing."""
    rows = journal.instances(study.study_instance_uid)
    verified = {row["sop_instance_uid"] for row in rows if row["state"] == "VERIFIED"}
    left = {row["sop_instance_uid"] for row in rows if row["state"] == "EXCLUDED"}
    return StudyWork(
        study_instance_uid=study.study_instance_uid,
        instances=known.listed,
        proven=tuple(one for one in known.before.proven if one.sop_instance_uid not in verified),
        aside=known.hidden | verified | left,
        staged=tuple(evidence_of(row) for row in rows if row["state"] not in ASIDE),
        round=study.round,
        settle=study.attempts + 1 >= attempts,
    )


def staged(journal: Journal, study: ReadyStudy, known: Known, attempts: int) -> StagedStudy:
    """Work for the later stages: the instances that are neither verified nor in quarantine."""
    rows = [r for r in journal.instances(study.study_instance_uid) if r["state"] not in ASIDE]
    return StagedStudy(
        study_instance_uid=study.study_instance_uid,
        evidence=tuple(evidence_of(row) for row in rows),
        prepared=tuple(prepared_of(row) for row in rows if row["sent_dataset_xxh3"]),
        committed=frozenset(row["sop_instance_uid"] for row in rows if row["committed_at"]),
        **_around(study, known, attempts),
    )


def staged_after(work: StudyWork | StagedStudy, event: Event) -> StagedStudy | None:
    """What the journal would say of a study after a stage without incident; None where it has to be asked.

    Args:
        work: What the stage was given.
        event: What came of it; the journal has it.
    """
    match event, work:
        case Retrieved(defects=()), StudyWork(staged=()) if not work.aside:
            first = {(one.sop_instance_uid, one.wire_xxh3): one for one in reversed(event.evidence)}
            evidence = tuple(first[key] for key in sorted(first))
            return StagedStudy(study_instance_uid=work.study_instance_uid, evidence=evidence)
        case Checksummed(defects=(), rejected=(), decoded=()), StagedStudy():
            return work
        case Normalized(defects=()), StagedStudy():
            return replace(work, prepared=event.prepared)
        case Uploaded(defects=()), StagedStudy():
            return work
    return None


def completed(staged: StagedStudy, study: ReadyStudy, known: Known, attempts: int) -> StagedStudy:
    """What `staged_after` left, for the next stage."""
    return replace(staged, **_around(study, known, attempts))


def _around(study: ReadyStudy, known: Known, attempts: int) -> dict[str, Any]:
    """What is not of the instances."""
    return {
        "listed": known.listed,
        "facility": known.facility,
        "modified_at": study.modified_at,
        "doubtful": study.doubtful,
        "settle": study.attempts + 1 >= attempts,
        "sent_before": known.before.sent,
        "hidden": known.hidden,
    }


def evidence_of(row: Mapping[str, Any]) -> Evidence:
    """An instance row as evidence."""
    names = ("study_instance_uid", "series_instance_uid", "sop_instance_uid", "sop_class_uid", "transfer_syntax_uid")
    digests = ("size_bytes", "wire_xxh3", "bulk_xxh3", "dataset_xxh3", "pixels_xxh3", "received_at", "attempt")
    return Evidence(**{name: row[name] for name in (*names, *digests)})


def prepared_of(row: Mapping[str, Any]) -> Prepared:
    """An instance row as what will be sent."""
    return Prepared(
        sop_instance_uid=row["sop_instance_uid"],
        dataset_xxh3=row["sent_dataset_xxh3"],
        ledger=row["changes"] or "",
        census=row["census"] or "",
    )
