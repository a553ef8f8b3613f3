"""Commit: the destination's word that it keeps what was sent. Part of the verify stage."""

from __future__ import annotations

from migrate.dicom.status import CommitClass, commit_class
from migrate.errors import PeerError, PeerUnavailable
from migrate.journal.events import Committed, Event, SentInVain
from migrate.model import Defect, ExceptionClass
from migrate.peers import Commitment, StagedStudy, Transaction
from migrate.stages.site import Site, defect

_PERMANENT = {
    CommitClass.UNSUPPORTED: (ExceptionClass.REFUSED_SOP, "the destination keeps no objects of this class"),
    CommitClass.CONFLICT: (ExceptionClass.UID_COLLISION, "the destination holds this UID under another SOP class"),
}


def commit(site: Site, study: StagedStudy, transaction: Transaction) -> Event:
    """Ask the destination to commit to what it has not committed to yet.

    Returns:
        `Committed` with those that it keeps and those that it never will; `SentInVain` when it says
        that it does not hold some. On the last attempt what is still open is a defect.

    Raises:
        PeerUnavailable: No word, or one that may be another one later.
    """
    try:
        word = site.destination.commit(transaction)
    except PeerError as silent:
        if not study.settle:
            raise
        return _given_up(study, transaction, str(silent))
    classes = {uid: commit_class(reason) for uid, reason in word.failed}
    gone = sum(kind is CommitClass.RESEND for kind in classes.values())
    if gone and not study.settle:
        return SentInVain(study_instance_uid=study.study_instance_uid, missing=gone)
    defects = [_permanent(uid, kind) for uid, kind in classes.items() if kind in _PERMANENT]
    if study.settle:
        defects += _open(transaction, word, {one.uid for one in defects}, "no commitment was given")
    elif not word.committed and not defects:
        raise _may_pass(word)
    return Committed(
        study_instance_uid=study.study_instance_uid,
        transaction_uid=transaction.transaction_uid,
        sop_instance_uids=tuple(sorted(word.committed)),
        defects=tuple(defects),
    )


def _given_up(study: StagedStudy, transaction: Transaction, reason: str) -> Committed:
    return Committed(
        study_instance_uid=study.study_instance_uid,
        transaction_uid=transaction.transaction_uid,
        sop_instance_uids=(),
        defects=tuple(_open(transaction, Commitment(), set(), reason)),
    )


def _permanent(uid: str, kind: CommitClass) -> Defect:
    exception_class, detail = _PERMANENT[kind]
    return defect(exception_class, uid, detail)


def _open(transaction: Transaction, word: Commitment, settled: set[str], reason: str) -> list[Defect]:
    """Those without a final word, now that this was the last attempt."""
    reasons = dict(word.failed)
    left = [one.sop_instance_uid for one in transaction.references]
    left = [uid for uid in left if uid not in word.committed | settled]
    return [
        defect(
            ExceptionClass.COUNT_MISMATCH
            if commit_class(reasons.get(uid, 0)) is CommitClass.RESEND
            else ExceptionClass.PEER_UNAVAILABLE,
            uid,
            f"not committed (reason {reasons[uid]:04X})" if uid in reasons else f"not committed: {reason}",
        )
        for uid in left
    ]


def _may_pass(word: Commitment) -> PeerUnavailable:
    reasons = sorted({f"{reason:04X}" for _, reason in word.failed}) or ["none"]
    hint = "the destination may be busy; it is asked again in a new transaction"
    return PeerUnavailable("no commitment was given", hint, instances=len(word.failed), reason="|".join(reasons))
