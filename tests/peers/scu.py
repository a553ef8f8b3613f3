"""A plain pynetdicom user of DICOM services: what a third party would ask of our embedded peers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.association import Association

from migrate.demo.pacs import EmbeddedPeer

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
PATIENT_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.1.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
VERIFICATION = "1.2.840.10008.1.1"
COMMITMENT = "1.2.840.10008.1.20.1"


@dataclass
class Outcome:
    """What came back: the status (None when the association ended without one) and everything else."""

    status: int | None = None
    rows: list[Dataset] = field(default_factory=list)
    pending: list[int] = field(default_factory=list)
    final: Dataset = field(default_factory=Dataset)
    identifier: Dataset | None = None
    received: dict[str, bytes] = field(default_factory=dict)


@contextmanager
def associated(
    peer: EmbeddedPeer,
    contexts: Sequence[tuple[str, Sequence[str]]],
    *,
    handlers: Sequence[Any] = (),
    roles: Sequence[str] = (),
    timeout_s: float = 20,
) -> Iterator[Association]:
    """An association with `peer` under the calling AE title TESTER."""
    ae = AE(ae_title="TESTER")
    ae.dimse_timeout = timeout_s
    ae.acse_timeout = timeout_s
    for abstract, syntaxes in contexts:
        ae.add_requested_context(abstract, list(syntaxes) or None)
    association = ae.associate(
        peer.options.host,
        peer.port,
        ae_title=peer.options.ae_title,
        evt_handlers=list(handlers),
        ext_neg=[build_role(uid, scp_role=True) for uid in roles],
    )
    if not handlers:
        take = association.dimse.get_msg  # pynetdicom's own reactor must not take our answers
        association.dimse.get_msg = (  # type: ignore[method-assign]
            lambda block=False: take(block) if block else (None, None)
        )
    try:
        yield association
    finally:
        if association.is_established:
            association.release()
        else:
            association.abort()


def identifier(level: str, **keys: Any) -> Dataset:
    """An identifier for C-FIND, C-MOVE or C-GET."""
    dataset = Dataset()
    dataset.QueryRetrieveLevel = level
    for keyword, value in keys.items():
        setattr(dataset, keyword, value)
    return dataset


def find(peer: EmbeddedPeer, level: str, model: str = STUDY_ROOT_FIND, **keys: Any) -> Outcome:
    """One C-FIND on an association of its own."""
    timeout_s = keys.pop("timeout_s", 20)
    outcome = Outcome()
    with associated(peer, [(model, ())], timeout_s=timeout_s) as association:
        for status, row in association.send_c_find(identifier(level, **keys), model):
            _note(outcome, status, row)
    return outcome


def move(peer: EmbeddedPeer, destination: str, level: str = "STUDY", **keys: Any) -> Outcome:
    """One C-MOVE on an association of its own."""
    timeout_s = keys.pop("timeout_s", 20)
    outcome = Outcome()
    with associated(peer, [(STUDY_ROOT_MOVE, ())], timeout_s=timeout_s) as association:
        for status, failed in association.send_c_move(identifier(level, **keys), destination, STUDY_ROOT_MOVE):
            _note(outcome, status, failed)
    return outcome


def get(peer: EmbeddedPeer, pairs: Sequence[tuple[str, str]], **keys: Any) -> Outcome:
    """One C-GET; `pairs` are the (SOP class, transfer syntax) contexts to receive in."""
    outcome = Outcome()

    def keep(event: evt.Event) -> int:
        request: Any = event.request
        outcome.received[str(request.AffectedSOPInstanceUID)] = request.DataSet.getvalue()
        return 0

    contexts = [(STUDY_ROOT_GET, ())] + [(sop_class, (syntax,)) for sop_class, syntax in pairs]
    handlers = [(evt.EVT_C_STORE, keep)]
    classes = sorted({sop_class for sop_class, _ in pairs})
    with associated(peer, contexts, handlers=handlers, roles=classes) as association:
        if not any(context.abstract_syntax == STUDY_ROOT_GET for context in association.accepted_contexts):
            return outcome
        for status, failed in association.send_c_get(identifier("STUDY", **keys), STUDY_ROOT_GET):
            _note(outcome, status, failed)
    return outcome


def store(peer: EmbeddedPeer, *paths: Path, timeout_s: float = 20) -> list[int | None]:
    """Send files one after the other on one association; the statuses."""
    datasets = [dcmread(path) for path in paths]
    contexts = {(str(each.SOPClassUID), str(each.file_meta.TransferSyntaxUID)) for each in datasets}
    statuses: list[int | None] = []
    offered = [(sop_class, (syntax,)) for sop_class, syntax in sorted(contexts)]
    with associated(peer, offered, timeout_s=timeout_s) as association:
        for dataset in datasets:
            if not association.is_established:
                statuses.append(None)
                continue
            try:
                statuses.append(association.send_c_store(dataset).get("Status"))
            except ValueError:  # no presentation context was accepted
                statuses.append(-1)
    return statuses


def commit(peer: EmbeddedPeer, references: Sequence[tuple[str, str]], wait_s: float) -> list[tuple[int, Dataset]]:
    """Ask for commitment; the (event type, report) pairs that reach our own listener within `wait_s`."""
    reports: list[tuple[int, Dataset]] = []

    def take(event: evt.Event) -> tuple[int, None]:
        request: Any = event.request
        reports.append((int(request.EventTypeID), event.event_information))
        return 0, None

    listener = AE(ae_title="TESTER")
    listener.add_supported_context(COMMITMENT, scu_role=False, scp_role=True)
    server = listener.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, take)])
    assert server is not None
    peer.add_destination("TESTER", "127.0.0.1", server.server_address[1])
    request = Dataset()
    request.TransactionUID = "1.2.3.4.5"
    request.ReferencedSOPSequence = [_reference(*pair) for pair in references]
    try:
        with associated(peer, [(COMMITMENT, ())], handlers=[(evt.EVT_N_EVENT_REPORT, take)]) as association:
            status, _ = association.send_n_action(request, 1, COMMITMENT, "1.2.840.10008.1.20.1.1")
            assert status.Status == 0
            deadline = time.monotonic() + wait_s
            while time.monotonic() < deadline:
                time.sleep(0.02)
    finally:
        server.shutdown()
    return reports


def _reference(sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
    return item


def _note(outcome: Outcome, status: Dataset, answer: Dataset | None) -> None:
    code = status.get("Status")
    if code in (0xFF00, 0xFF01):
        outcome.pending.append(code)
        if answer is not None:
            outcome.rows.append(answer)
        return
    outcome.status, outcome.final, outcome.identifier = code, status, answer
