"""Normalize: apply the rules to each header and fix the digest of what will be sent.

A pure function of content, rule packs and run: no clock, no new UID, so a repeat gives the same
bytes. Nothing is written; upload splices the same edits in front of the untouched file ranges.
"""

from __future__ import annotations

from migrate.dicom.census import census_of
from migrate.dicom.digest import dataset_digest, dataset_digest_after
from migrate.errors import IllegalDicom
from migrate.journal.events import Event, Lost, Normalized
from migrate.model import Defect, Evidence, ExceptionClass, Prepared, ledger_of
from migrate.peers import StagedStudy
from migrate.rules.apply import Normalized as Changed
from migrate.rules.result import header_after
from migrate.stages.site import Site, defect
from migrate.stages.staged import StagedObject, arrived, edited, is_whole, remember, segments_of


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
            staged = arrived(site, evidence)
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
    return Prepared(
        sop_instance_uid=evidence.sop_instance_uid,
        dataset_xxh3=_digest_after(staged, result) if result.edits else evidence.dataset_xxh3,
        ledger=ledger_of(result.changes),
        census=census_of(staged.header),
    )


def _digest_after(staged: StagedObject, result: Changed) -> str:
    after = header_after(staged.header, result.edits)
    return dataset_digest_after(staged.received, after) if staged.received else dataset_digest(after)
