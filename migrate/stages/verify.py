"""Verify: ask the destination for what it holds now and compare content, not counts.

A check that could not be made is `unverifiable`: never `differs`, never `match`.
"""

from __future__ import annotations

from collections.abc import Iterable

from migrate.errors import PeerUnavailable
from migrate.journal.events import Event, Quarantined, SentInVain, Verified
from migrate.model import Checked, Defect, ExceptionClass, Outcome
from migrate.peers import StagedStudy
from migrate.stages.site import Site, defect
from migrate.stages.staged import sendables


def verify(site: Site, study: StagedStudy) -> Event:
    """Read back every instance of a study.

    Returns:
        `Verified`; `SentInVain` when acknowledged instances are not held; `Quarantined` when
        content differs or something stays unproven.

    Raises:
        PeerUnavailable: Something could not be compared, and this is not the last attempt.
    """
    items = sendables(site, study)
    checked = site.destination.read_back(study.study_instance_uid, items) if items else ()
    if not study.settle:
        if missing := sum(c.outcome is Outcome.MISSING for c in checked):
            return SentInVain(study_instance_uid=study.study_instance_uid, missing=missing)
        _raise_unproven(checked)
    defects = tuple(d for c in checked if (d := _defect_of(c)))
    if defects:
        return Quarantined(study_instance_uid=study.study_instance_uid, defects=defects, checked=checked)
    return Verified(study_instance_uid=study.study_instance_uid, checked=checked)


def _raise_unproven(checked: Iterable[Checked]) -> None:
    unproven = [c for c in checked if c.outcome is Outcome.UNVERIFIABLE]
    if unproven:
        hint = "the destination did not give the instances back; they are asked for again"
        raise PeerUnavailable("read-back is incomplete", hint, instances=len(unproven), reason=unproven[0].detail)


def _defect_of(checked: Checked) -> Defect | None:
    uid = checked.sop_instance_uid
    if checked.outcome is Outcome.MATCH:
        return None
    if checked.outcome is Outcome.MISSING:
        return defect(ExceptionClass.COUNT_MISMATCH, uid, "acknowledged by the destination and not held there")
    if checked.outcome is Outcome.UNVERIFIABLE:
        return defect(ExceptionClass.PEER_UNAVAILABLE, uid, f"could not be compared: {checked.detail}")
    named = " ".join(checked.differs[:20])
    if "bulk" in checked.differs:
        return defect(ExceptionClass.CONTENT_MISMATCH, uid, f"the destination holds other content: {named}")
    return defect(ExceptionClass.DEST_COERCED, uid, f"the destination changed: {named}")
