"""Storage commitment, push model, as provider (PS3.4 J.3)."""

from __future__ import annotations

import threading
from contextlib import suppress
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context, build_role
from pynetdicom.association import Association
from pynetdicom.dsutils import decode, encode

from migrate.demo.association import requested
from migrate.demo.core import Call
from migrate.demo.messages import AssociationLost, send_message

STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
STORAGE_COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"

_N_EVENT_REPORT_RQ, _N_ACTION_RSP = 0x0100, 0x8130
_ALL_COMMITTED, _FAILURES_EXIST = 1, 2
_NO_SUCH_INSTANCE, _CLASS_CONFLICT = 0x0112, 0x0119
_PROCESSING_FAILURE = 0x0110
_WRONG_TRANSACTION = "1.2.826.0.1.3680043.8.498.999.9"


def serve_action(call: Call) -> None:
    """Answer an N-ACTION request for commitment and send its report. Raises AssociationLost."""
    orders = call.core.orders.commitment
    known = orders.same_association or (call.calling_ae_title in call.core.destinations and not orders.stranger)
    call.respond(
        {
            "AffectedSOPClassUID": STORAGE_COMMITMENT,
            "CommandField": _N_ACTION_RSP,
            "Status": 0x0000 if known else _PROCESSING_FAILURE,
            "AffectedSOPInstanceUID": STORAGE_COMMITMENT_INSTANCE,
            "ActionTypeID": 1,
        }
    )
    if not known or orders.lost:
        return
    request = decode(call.request.ActionInformation or BytesIO(), call.implicit_vr, True, False)  # noqa: FBT003
    report = _report(call, request)
    if orders.same_association:
        call.core.wait(orders.late_s)
        for _ in range(2 if orders.twice else 1):
            _send_report(call.association, call.context_id, report)
    else:
        threading.Thread(target=_report_later, args=(call, report), daemon=True).start()


def _report(call: Call, request: Dataset) -> Dataset:
    committed: list[Dataset] = []
    failed: list[Dataset] = []
    for item in request.get("ReferencedSOPSequence", ()):
        reason = 0 if call.core.orders.commitment.lies else _failure_reason(call, item)
        (failed if reason else committed).append(_item(item, reason))
    report = Dataset()
    wrong = call.core.orders.commitment.wrong_transaction
    report.TransactionUID = UID(_WRONG_TRANSACTION) if wrong else request.get("TransactionUID", "")
    if committed:
        report.ReferencedSOPSequence = Sequence(committed)
    if failed:
        report.FailedSOPSequence = Sequence(failed)
    return report


def _failure_reason(call: Call, item: Dataset) -> int:
    """PS3.4 J.3.3.1.3: 0 when the instance is held under the class that was named."""
    held = call.core.archive.with_sop_instance_uid(str(item.get("ReferencedSOPInstanceUID", "")))
    if not held:
        return _NO_SUCH_INSTANCE
    named = str(item.get("ReferencedSOPClassUID", ""))
    return 0 if any(each.sop_class_uid == named for each in held) else _CLASS_CONFLICT


def _item(asked: Dataset, reason: int) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = asked.get("ReferencedSOPClassUID", "")
    item.ReferencedSOPInstanceUID = asked.get("ReferencedSOPInstanceUID", "")
    if reason:
        item.FailureReason = reason
    return item


def _report_later(call: Call, report: Dataset) -> None:
    """Deliver on an association of our own, as most archives do."""
    orders = call.core.orders.commitment
    call.core.wait(orders.late_s)
    if call.core.stopping.is_set():
        return
    context = build_context(STORAGE_COMMITMENT, [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
    role = build_role(STORAGE_COMMITMENT, scp_role=True)
    with (
        suppress(AssociationLost),
        requested(call.core, call.calling_ae_title, [context], [role]) as association,
    ):
        accepted = association.accepted_contexts[0]
        for _ in range(2 if orders.twice else 1):
            _send_report(association, int(accepted.context_id or 0), report)


def _send_report(association: Association, context_id: int, report: Dataset) -> None:
    syntax = next(each for each in association.accepted_contexts if each.context_id == context_id).transfer_syntax[0]
    command = {
        "AffectedSOPClassUID": STORAGE_COMMITMENT,
        "CommandField": _N_EVENT_REPORT_RQ,
        "MessageID": 1,
        "AffectedSOPInstanceUID": STORAGE_COMMITMENT_INSTANCE,
        "EventTypeID": _FAILURES_EXIST if "FailedSOPSequence" in report else _ALL_COMMITTED,
    }
    encoded = encode(report, syntax.is_implicit_VR, True, False)  # noqa: FBT003
    send_message(association, context_id, command, [encoded or b""])
    association.dimse.get_msg(block=True)
