"""Upload: send every instance once; what was not answered is asked about, never assumed."""

from __future__ import annotations

from collections.abc import Iterable

from migrate.dicom.status import StoreClass, store_class
from migrate.dicom.uid import KEY_OBJECT_SELECTION_DOCUMENT
from migrate.errors import PeerRefused, PeerUnavailable
from migrate.journal.events import Event, Lost, Uploaded
from migrate.model import BY_CONTENT, Defect, ExceptionClass, Outcome, StoreOutcome, now
from migrate.peers import Sendable, StagedStudy
from migrate.stages.site import Site, defect
from migrate.stages.staged import by_sent_study, sendables

HELD = "held when asked"
STORED = frozenset({StoreClass.STORED, StoreClass.STORED_CHANGED, StoreClass.DUPLICATE})


def upload(site: Site, study: StagedStudy) -> Event:
    """Send what the destination does not hold yet.

    The destination is asked first: only instances that it says it does not hold go out. What it held
    before anything of the study was sent is compared, and never replaced: others fill the archive too,
    and some archives overwrite. Of a study that was begun before (`doubtful`), instances that it holds
    as they were before the source changed them go out again. Rejection notes go last: an archive that
    has read one may refuse or hide what the note names (IHE IOCM).

    Returns:
        `Uploaded`, or `Lost` when a staged file is gone or damaged.

    Raises:
        PeerUnavailable: Some instances have no answer, or one that may pass.
        PeerRefused: The destination takes no association to store.
    """
    items = sorted(sendables(site, study), key=_is_note)
    there = _held(site, items) if study.doubtful else _held_before(site, items)
    at_destination = [item for item in items if item.sent.sop_instance_uid in there]
    held = there - _outdated(site, study, at_destination)
    to_send = [item for item in items if item.sent.sop_instance_uid not in held]
    outcomes = site.destination.store(to_send) if to_send else ()
    if damaged := tuple(o.sop_instance_uid for o in outcomes if o.damaged):
        reason = "staged files are gone, or not what was received"
        return Lost(study_instance_uid=study.study_instance_uid, reason=reason, sop_instance_uids=damaged)
    defects = _defects(outcomes, settle=study.settle)
    if not study.doubtful:
        defects += _foreign(site, at_destination)
    found = [_found(i.evidence.sop_instance_uid) for i in items if i.sent.sop_instance_uid in held]
    return Uploaded(study_instance_uid=study.study_instance_uid, outcomes=(*found, *outcomes), defects=tuple(defects))


def _is_note(item: Sendable) -> bool:
    return item.evidence.sop_class_uid == KEY_OBJECT_SELECTION_DOCUMENT


def _held_before(site: Site, items: Iterable[Sendable]) -> frozenset[str]:
    """SOP Instance UIDs that it holds of a study that nothing was sent of: mostly one question, and no answer.

    A destination that takes no questions is sent everything.
    """
    try:
        return frozenset(uid for study in by_sent_study(items) for uid in site.destination.holds(study, ()))
    except PeerRefused:
        return frozenset()


def _foreign(site: Site, items: Iterable[Sendable]) -> list[Defect]:
    """What is there is not what would have been sent: somebody else's content under the same UID."""
    return [
        defect(
            ExceptionClass.UID_COLLISION,
            one.sop_instance_uid,
            f"the destination held other content before, nothing was sent: {' '.join(one.differs[:20])}",
        )
        for uid, sent in by_sent_study(items).items()
        for one in site.destination.read_back(uid, sent)
        if one.outcome is Outcome.DIFFERS
    ]


def _outdated(site: Site, study: StagedStudy, held: Iterable[Sendable]) -> frozenset[str]:
    """What the destination holds with older content: it was sent otherwise before, and reads back so.

    A destination that only lists UIDs cannot show its content: then the new one is sent.
    """
    before = study.sent_before
    changed = [i for i in held if before.get(i.evidence.sop_instance_uid, i.dataset_xxh3) != i.dataset_xxh3]
    checked = {
        one.sop_instance_uid: one
        for uid, sent in by_sent_study(changed).items()
        for one in site.destination.read_back(uid, sent)
    }
    found = ((item, checked.get(item.evidence.sop_instance_uid)) for item in changed)
    return frozenset(
        item.sent.sop_instance_uid
        for item, one in found
        if one and (one.outcome is Outcome.DIFFERS or (one.outcome is Outcome.MATCH and one.method not in BY_CONTENT))
    )


def _held(site: Site, items: Iterable[Sendable]) -> frozenset[str]:
    """SOP Instance UIDs, as sent, that the destination says it holds."""
    return frozenset(
        uid
        for study, sent in by_sent_study(items).items()
        for uid in site.destination.holds(study, sorted({item.sent.series_instance_uid for item in sent}))
    )


def _found(sop_instance_uid: str) -> StoreOutcome:
    return StoreOutcome(sop_instance_uid=sop_instance_uid, status=None, warning=HELD, sent_at=now())


def _defects(outcomes: Iterable[StoreOutcome], *, settle: bool) -> list[Defect]:
    """Permanent answers become defects; what may pass is raised, until it must be settled.

    Raises:
        PeerUnavailable: Something may pass, and this is not the last attempt.
    """
    defects, open_ends = [], []
    for outcome in outcomes:
        kind = StoreClass.UNKNOWN if outcome.status is None else store_class(outcome.status)
        if outcome.refused_context:
            defects.append(
                defect(
                    ExceptionClass[outcome.refused_context],
                    outcome.sop_instance_uid,
                    "no presentation context accepted",
                )
            )
        elif kind in {StoreClass.TRANSIENT, StoreClass.UNKNOWN}:
            open_ends.append(outcome)
        elif kind not in STORED:
            defects.append(_refused(outcome))
    if open_ends and not settle:
        raise _may_pass(open_ends)
    return defects + [_refused(outcome) for outcome in open_ends]


def _refused(outcome: StoreOutcome) -> Defect:
    said = "gave no answer" if outcome.status is None else f"answered status {outcome.status:04X}"
    kind = ExceptionClass.PEER_UNAVAILABLE if outcome.status is None else ExceptionClass.REFUSED_SOP
    return defect(kind, outcome.sop_instance_uid, f"the destination {said} to C-STORE")


def _may_pass(outcomes: list[StoreOutcome]) -> PeerUnavailable:
    codes = sorted({"none" if o.status is None else f"{o.status:04X}" for o in outcomes})
    hint = "the destination may be busy or full; the study is tried again, and asked about first"
    return PeerUnavailable("C-STORE got no final answer", hint, instances=len(outcomes), status="|".join(codes))
