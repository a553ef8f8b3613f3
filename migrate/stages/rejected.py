"""What the source has rejected: read from the rejection notes of a study, judged by policy.

`[plan] rejected` says for each title whether the instances that a note names stay behind (`exclude`)
or move (`migrate`, noted in the register). A note whose instances all stay behind stays with them: at
the destination it would name what is not there. What had moved before it was rejected is not taken
back: its note follows it. What moves goes first, notes last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from migrate.config import PlanBlock
from migrate.dicom.rejection import referenced, rejection_code
from migrate.dicom.uid import KEY_OBJECT_SELECTION_DOCUMENT
from migrate.errors import IllegalDicom
from migrate.model import DELETED, Evidence, Rejection
from migrate.peers import StagedStudy
from migrate.stages.site import Site
from migrate.stages.staged import read_staged

EXCLUDE, MIGRATE = "exclude", "migrate"
DEFAULTS = {"113001": MIGRATE, "113037": EXCLUDE, "113038": EXCLUDE, "113039": EXCLUDE}


def policy_of(block: PlanBlock, code: str) -> str:
    """What is done with instances that a note of this title names."""
    if isinstance(block.rejected, str):
        return block.rejected
    ordered: Mapping[str, str] = {str(known): policy for known, policy in block.rejected.items()}
    return ordered.get(code, DEFAULTS[code])


def rejections(site: Site, study: StagedStudy) -> Iterator[Rejection]:
    """Every instance that a note of this study names, the notes that stay behind, and what is hidden.

    A note that names instances of another study rejects them there. An instance that several notes
    name is named once, and stays behind if one of them says so.
    """
    found: dict[tuple[str, str | None], Rejection] = {}
    for note in (e for e in study.evidence if e.sop_class_uid == KEY_OBJECT_SELECTION_DOCUMENT):
        for one in _of_note(site, study, note):
            key = one.study_instance_uid, one.sop_instance_uid
            if key not in found or one.policy == EXCLUDE:
                found[key] = one
    yield from found.values()
    named = {uid for _, uid in found}
    yield from _hidden(study, named)


def _of_note(site: Site, study: StagedStudy, note: Evidence) -> Iterable[Rejection]:
    try:
        header = read_staged(site.area, note).header
    except (IllegalDicom, OSError):
        return []  # normalize finds and tells it
    code = rejection_code(header)
    if code is None:
        return []
    policy = policy_of(site.config.plan, code)
    found = [
        Rejection(
            study_instance_uid=ref.study_instance_uid or study.study_instance_uid,
            series_instance_uid=ref.series_instance_uid,
            sop_instance_uid=ref.sop_instance_uid,
            code=code,
            policy=MIGRATE if ref.sop_instance_uid in study.sent_before else policy,
            note_sop_instance_uid=note.sop_instance_uid,
        )
        for ref in referenced(header)
    ]
    behind = bool(found) and all(one.policy == EXCLUDE for one in found)
    return [*found, _left_behind(note, code)] if behind else found


def _left_behind(note: Evidence, code: str) -> Rejection:
    return Rejection(
        study_instance_uid=note.study_instance_uid,
        series_instance_uid=note.series_instance_uid,
        sop_instance_uid=note.sop_instance_uid,
        code=code,
        policy=EXCLUDE,
        note_sop_instance_uid=note.sop_instance_uid,
    )


def _hidden(study: StagedStudy, named: set[str | None]) -> Iterator[Rejection]:
    """What came although it is known to be hidden: some sources send a whole study whatever was asked for."""
    for one in study.evidence:
        if one.sop_instance_uid in study.hidden and one.sop_instance_uid not in named:
            yield Rejection(
                study_instance_uid=study.study_instance_uid,
                series_instance_uid=one.series_instance_uid,
                sop_instance_uid=one.sop_instance_uid,
                code=DELETED,
                policy=EXCLUDE,
            )
