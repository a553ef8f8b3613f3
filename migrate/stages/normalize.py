"""Normalize: apply the rules to each header and fix the digest of what will be sent.

A pure function of content, rule packs and run: no clock, no new UID, so a repeat gives the same
bytes. Nothing is written; upload splices the same edits in front of the untouched file ranges.
"""

from __future__ import annotations

from migrate.dicom.census import census_of
from migrate.dicom.digest import dataset_digest
from migrate.errors import IllegalDicom
from migrate.journal.events import Event, Lost, Normalized
from migrate.model import Defect, Evidence, ExceptionClass, Prepared
from migrate.peers import StagedStudy
from migrate.rules.apply import Normalized as Changed
from migrate.rules.result import header_after
from migrate.stages.site import Site, defect
from migrate.stages.staged import StagedObject, edited, is_whole, read_staged, remember, segments_of


def normalize(site: Site, study: StagedStudy) -> Event:
    """Work out every change of a study.

    Returns:
        `Normalized`, with a defect for each instance that a rule could not treat (it is not sent
        half-normalized) and a flag for what a person should know; or `Lost`.
    """
    lost = tuple(e.sop_instance_uid for e in study.evidence if not is_whole(site.area, e))
    if lost:
        reason = f"{len(lost)} staged files are gone or short"
        return Lost(study_instance_uid=study.study_instance_uid, reason=reason, sop_instance_uids=lost)
    prepared: list[Prepared] = []
    defects: list[Defect] = []
    flags: list[Defect] = []
    for evidence in study.evidence:
        try:
            staged = read_staged(site.area, evidence)
            result = edited(site, study, staged.header)
            prepared.append(_prepared(evidence, staged, result))
            if not staged.header.syntax.deflated:
                remember(site, study, evidence, segments_of(staged, result.edits))
        except IllegalDicom as error:
            defects.append(defect(ExceptionClass.ILLEGAL_DICOM, evidence.sop_instance_uid, str(error)))
        else:
            defects += result.refused
            flags += result.flags
    return Normalized(
        study_instance_uid=study.study_instance_uid,
        prepared=tuple(prepared),
        defects=tuple(defects),
        flags=tuple(flags),
    )


def _prepared(evidence: Evidence, staged: StagedObject, result: Changed) -> Prepared:
    digest = evidence.dataset_xxh3
    if result.edits:
        digest = dataset_digest(header_after(staged.header, result.edits))
    return Prepared(
        sop_instance_uid=evidence.sop_instance_uid,
        dataset_xxh3=digest,
        changes=result.changes,
        census=census_of(staged.header),
    )
