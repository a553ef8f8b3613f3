"""Storage commitment over DIMSE: asked for on one association, answered on this one or on another.

The word of an archive that it keeps an object proves nothing about the object's content (an archive
has committed to a flipped file and to a deleted one): it comes beside the content proof.
Standard: PS3.4 J.3; failure reasons PS3.3 C.14.1.1.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from migrate.errors import PeerRefused, PeerUnavailable
from migrate.peers import Commitment, CommitmentSilent, Transaction
from migrate.staging.mailbox import Mailbox
from migrate.wire.dimse.commitment import STORAGE_COMMITMENT_PUSH_MODEL, CommitmentResult, SopReference
from migrate.wire.dimse.endpoint import Context, Endpoint
from migrate.wire.dimse.scu import Association

LISTEN_S = 0.05
"""How long the asking association is listened to before the mailbox is looked at again."""


def offers_commitment(endpoint: Endpoint) -> bool:
    """Whether the peer accepts the context of storage commitment.

    Raises:
        PeerUnavailable: No association.
    """
    with Association.open(endpoint, [CONTEXT]) as association:
        return any(syntax == STORAGE_COMMITMENT_PUSH_MODEL for syntax, _ in association.accepted)


def commit(endpoint: Endpoint, mailbox: Mailbox, transaction: Transaction) -> Commitment:
    """Ask for commitment and wait for the word; what came late to an earlier transaction counts as well.

    Raises:
        CommitmentSilent: The request was refused, or taken and no result came in `transaction.wait_s`.
        PeerUnavailable: The request did not get through.
    """
    for uid in transaction.earlier:
        if late := mailbox.take(uid):
            return _told(late, transaction)
        mailbox.expect(uid)
    uid = transaction.transaction_uid
    mailbox.expect(uid)
    _ask(endpoint, mailbox, transaction)
    for known in (uid, *transaction.earlier):
        if result := mailbox.take(known):
            return _told(result, transaction)
    hint = "is our AE title with its host and port known to the destination? Results come to our receiver"
    raise CommitmentSilent("no word on storage commitment came", hint, peer=endpoint.ae_title, transaction=uid)


def into(mailbox: Mailbox) -> Callable[[CommitmentResult], None]:
    """Where a receiver or an association puts results; one that nobody asked for raises KeyError."""
    return lambda result: mailbox.deliver(result.transaction_uid, result)


def _ask(endpoint: Endpoint, mailbox: Mailbox, transaction: Transaction) -> None:
    uid = transaction.transaction_uid
    references = [SopReference(one.sop_class_uid, one.sent_sop_instance_uid) for one in transaction.references]
    deadline = time.monotonic() + transaction.wait_s
    quick = replace(endpoint, limits=replace(endpoint.limits, tick_s=LISTEN_S))
    association = Association.open(quick, [CONTEXT])
    try:
        association.on_commitment = into(mailbox)
        try:
            status = association.commit(uid, references)
        except PeerRefused as refused:
            # Not a reason to stop the run, as a refused association is.
            raise PeerUnavailable(refused.fact, refused.hint, **refused.facts) from None
        if status:
            hint = "the destination must know our AE title to answer: ask its administrator"
            raise CommitmentSilent(
                "storage commitment was not taken", hint, peer=endpoint.ae_title, status=f"{status:04X}"
            )
        _listen(association, deadline, lambda: mailbox.has(uid))
    finally:
        association.release()
    mailbox.wait(uid, deadline - time.monotonic())


def _listen(association: Association, deadline: float, done: Callable[[], bool]) -> None:
    """Serve what comes on the asking association until it ends."""
    try:
        association.listen(max(0.0, deadline - time.monotonic()), done)
    except PeerUnavailable:
        return  # an archive that answers on a new association may well end this one


def _told(result: CommitmentResult, transaction: Transaction) -> Commitment:
    """What of a result is about the instances that were asked for."""
    received = {one.sent_sop_instance_uid: one.sop_instance_uid for one in transaction.references}
    told = ((received.get(one.sop_instance_uid), why) for one, why in result.failed)
    failed = tuple((uid, why) for uid, why in told if uid)
    good = {received[one.sop_instance_uid] for one in result.committed if one.sop_instance_uid in received}
    return Commitment(committed=frozenset(good - {uid for uid, _ in failed}), failed=failed)


CONTEXT = Context(STORAGE_COMMITMENT_PUSH_MODEL, ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2"))
