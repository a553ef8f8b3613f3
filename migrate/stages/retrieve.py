"""Retrieve: bring one study's instances into the staging area.

Truth is the set of SOP Instance UIDs that became durable, never a status (standards.md section 0).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from migrate.dicom.status import MoveClass, move_class
from migrate.journal.events import Event, Quarantined, Retrieved, Staged
from migrate.model import Defect, Evidence, ExceptionClass, Level
from migrate.peers import Received, StudyWork
from migrate.stages.collisions import collisions
from migrate.stages.site import Site, defect


def retrieve(site: Site, work: StudyWork) -> Event:
    """Fetch what is listed and not yet staged, nor proven in an earlier round and still held.

    Returns:
        `Retrieved` when all is there or settled; `Staged` when some is missing and may still come;
        `Quarantined` when nothing could be had.

    Raises:
        PeerError: The source could not be asked; nothing new is staged.
        StagingFull: The reserve would be touched.
    """
    if not work.instances:
        shell = defect(ExceptionClass.EMPTY_SHELL, work.study_instance_uid, "the source lists no instance", Level.STUDY)
        return Quarantined(study_instance_uid=work.study_instance_uid, defects=(shell,))
    work = _still_held(site, work)
    received = site.source.retrieve(work) if work.wanted else Received(evidence=())
    evidence = _once((*work.staged, *received.evidence))
    defects = [*received.defects, *collisions(site, evidence)]
    missing = _missing(work, evidence, defects)
    if missing and not work.settle:
        return Staged(study_instance_uid=work.study_instance_uid, evidence=received.evidence, missing=len(missing))
    defects += _unlisted(work, evidence) if missing else ()
    said = f"the source ended with {_status(received)} and did not send it"
    defects += [defect(_why_missing(received), uid, said) for uid in missing]
    return _settled(work, received, evidence, tuple(defects))


def _still_held(site: Site, work: StudyWork) -> StudyWork:
    """What was proven before counts only while the destination says that it holds it."""
    by_study: dict[str, set[str]] = defaultdict(set)
    for one in work.proven:
        by_study[one.sent.study_instance_uid].add(one.sent.series_instance_uid)
    held = {uid for study, series in by_study.items() for uid in site.destination.holds(study, sorted(series))}
    return replace(work, proven=tuple(one for one in work.proven if one.sent.sop_instance_uid in held))


def _settled(work: StudyWork, received: Received, evidence: list[Evidence], defects: tuple[Defect, ...]) -> Event:
    bad = {d.uid for d in defects}
    if bad and all(e.sop_instance_uid in bad for e in evidence):
        return Quarantined(study_instance_uid=work.study_instance_uid, defects=defects)
    return Retrieved(study_instance_uid=work.study_instance_uid, evidence=received.evidence, defects=defects)


def _once(evidence: Iterable[Evidence]) -> list[Evidence]:
    """An object that came twice with the same content counts once."""
    return list({(e.sop_instance_uid, e.wire_xxh3): e for e in evidence}.values())


def _missing(work: StudyWork, evidence: Iterable[Evidence], defects: Iterable[Defect]) -> list[str]:
    seen = {e.sop_instance_uid for e in evidence} | {d.uid for d in defects}
    return sorted({ref.sop_instance_uid for ref in work.due} - seen)


def _unlisted(work: StudyWork, evidence: Iterable[Evidence]) -> list[Defect]:
    """Something unlisted came and something listed did not: the source may change UIDs as it sends."""
    listed = {ref.sop_instance_uid for ref in work.instances}
    told = "not listed by the crawl, while listed instances did not come"
    return [
        defect(ExceptionClass.UID_DRIFT, e.sop_instance_uid, told) for e in evidence if e.sop_instance_uid not in listed
    ]


def _why_missing(received: Received) -> ExceptionClass:
    """A source that says it failed has the instance and cannot read or send it."""
    if move_class(received.status) in {MoveClass.BUSY, MoveClass.FAILED}:
        return ExceptionClass.READ_ERROR
    return ExceptionClass.MISSING_AT_SOURCE


def _status(received: Received) -> str:
    return "no status" if received.status is None else f"status {received.status:04X}"
