"""Our associations and our receiver against pynetdicom's servers and clients."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.presentation import build_context

from migrate.model import Level
from migrate.wire.dimse.commitment import CommitmentResult, SopReference
from migrate.wire.dimse.endpoint import Context
from migrate.wire.dimse.identifier import decode, encode, tags_of
from migrate.wire.dimse.negotiation import LOSSLESS, Acceptance
from migrate.wire.dimse.pynetdicom_stack import PynetdicomAssociation
from migrate.wire.dimse.scp import Receiver, ReceiverOptions
from migrate.wire.dimse.scu import Association
from tests.conformance.wire_kit import (
    BASIC,
    EXPLICIT,
    IMPLICIT,
    QUICK,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    VERIFICATION,
    MemorySink,
    Stored,
    contexts_for,
    endpoint,
    stored,
)

COMMITMENT = "1.2.840.10008.1.20.1"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
CT = "1.2.840.10008.5.1.4.1.1.2"
KINDS = [Association, PynetdicomAssociation]


@pytest.fixture(params=KINDS, ids=["own", "pynetdicom"])
def stack(request: pytest.FixtureRequest) -> type[Association]:
    kind: type[Association] = request.param
    return kind


@pytest.fixture
def objects(plain_objects: list[Path]) -> list[Stored]:
    return [stored(path) for path in plain_objects[:12]]


class Archive:
    """A pynetdicom AE that keeps what it is sent, finds one study and gives what it holds."""

    def __init__(self, objects: list[Stored], own_contexts: list[Context]) -> None:
        self.objects = objects
        self.received: dict[str, bytes] = {}
        self.asked: list[dict[str, Any]] = []
        self.event_to: int | None = None
        entity = AE("ARCHIVE")
        entity.add_supported_context(VERIFICATION)
        entity.add_supported_context(STUDY_ROOT_FIND)
        entity.add_supported_context(STUDY_ROOT_GET)
        entity.add_supported_context(COMMITMENT)
        for one in own_contexts:
            entity.add_supported_context(one.abstract_syntax, list(one.transfer_syntaxes), scu_role=True, scp_role=True)
        handlers: list[Any] = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_FIND, self._find),
            (evt.EVT_C_GET, self._get),
            (evt.EVT_N_ACTION, self._action),
        ]
        started: Any = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
        self.server = started
        self.port = int(self.server.socket.getsockname()[1])

    def _store(self, event: evt.Event) -> int:
        request: Any = event.request
        self.received[str(request.AffectedSOPInstanceUID)] = request.DataSet.getvalue()
        return 0

    def _find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        for number in range(3):
            answer = Dataset()
            answer.SpecificCharacterSet = "ISO_IR 100"
            answer.QueryRetrieveLevel = "STUDY"
            answer.StudyInstanceUID = f"1.2.3.{number}"
            answer.PatientName = "Müller^Jürgen"
            answer.NumberOfStudyRelatedInstances = number
            yield (0xFF01 if number else 0xFF00), answer
            if event.is_cancelled:
                yield 0xFE00, None
                return

    def _get(self, event: evt.Event) -> Iterator[Any]:
        yield len(self.objects)
        for one in self.objects:
            yield 0xFF00, pydicom.dcmread(one.path)

    def _action(self, event: evt.Event) -> tuple[int, None]:
        information = event.action_information
        result = Dataset()
        result.TransactionUID = information.TransactionUID
        good, bad = information.ReferencedSOPSequence[:-1], information.ReferencedSOPSequence[-1]
        bad.FailureReason = 0x0112
        result.ReferencedSOPSequence = good
        result.FailedSOPSequence = [bad]
        threading.Timer(0.2, self._report, (event.assoc, result)).start()
        return 0x0000, None

    def _report(self, assoc: Any, result: Dataset) -> None:
        if self.event_to is None:
            assoc.send_n_event_report(result, 2, COMMITMENT, "1.2.840.10008.1.20.1.1")
            return
        entity = AE("ARCHIVE")
        entity.add_requested_context(COMMITMENT)
        role = build_role(COMMITMENT, scu_role=False, scp_role=True)
        back = entity.associate("127.0.0.1", self.event_to, ae_title="MIGRATE", ext_neg=[role])
        back.send_n_event_report(result, 2, COMMITMENT, "1.2.840.10008.1.20.1.1")
        back.release()


@pytest.fixture
def archive(objects: list[Stored]) -> Iterator[Archive]:
    running = Archive(objects, contexts_for(objects))
    yield running
    running.server.shutdown()


def test_echo_and_store_arrive_byte_for_byte(stack: type[Association], archive: Archive, objects: list[Stored]) -> None:
    contexts = [Context(VERIFICATION, BASIC), *contexts_for(objects)]
    with stack.open(endpoint(archive.port, "ARCHIVE"), contexts) as association:
        assert association.echo() == 0
        assert {association.store(one.outgoing()).status for one in objects} == {0}
    assert archive.received == {one.sop_instance_uid: one.data_set for one in objects}


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_answers_come_whole_and_decoded(stack: type[Association], archive: Archive, syntax: str) -> None:
    keys = {"StudyInstanceUID": "", "PatientName": "", "NumberOfStudyRelatedInstances": "", "ModalitiesInStudy": ""}
    answers: list[tuple[int, dict[str, str]]] = []

    def keep(status: int, identifier: bytes, uid: str) -> None:
        answers.append((status, dict(decode(identifier, uid, tags_of(keys)).values)))

    with stack.open(endpoint(archive.port, "ARCHIVE"), [Context(STUDY_ROOT_FIND, (syntax,))]) as association:
        end = association.find(STUDY_ROOT_FIND, encode(Level.STUDY, keys, syntax), keep)
    assert end.status == 0
    assert [status for status, _ in answers] == [0xFF00, 0xFF01, 0xFF01]
    assert answers[2][1] == {
        "StudyInstanceUID": "1.2.3.2",
        "PatientName": "Müller^Jürgen",
        "NumberOfStudyRelatedInstances": "2",
    }


def test_every_object_asked_for_comes_by_c_get(
    stack: type[Association], archive: Archive, objects: list[Stored]
) -> None:
    storage = [Context(one.abstract_syntax, one.transfer_syntaxes, scp_role=True) for one in contexts_for(objects)]
    sink = MemorySink()
    with stack.open(endpoint(archive.port, "ARCHIVE"), [Context(STUDY_ROOT_GET, BASIC), *storage]) as association:
        identifier = encode(Level.STUDY, {"StudyInstanceUID": "1"}, association.transfer_syntax(STUDY_ROOT_GET))
        end = association.get(STUDY_ROOT_GET, identifier, sink)
    assert (end.status, end.completed) == (0, len(objects))
    assert sorted(sink.by_uid()) == sorted(one.sop_instance_uid for one in objects)
    assert {incoming.calling_ae_title for incoming, _ in sink.objects} == {"ARCHIVE"}


REFERENCES = [SopReference(CT, f"1.2.3.{number}") for number in range(3)]


def test_commitment_is_reported_on_the_association_that_asked(stack: type[Association], archive: Archive) -> None:
    results: list[CommitmentResult] = []
    with stack.open(endpoint(archive.port, "ARCHIVE"), [Context(COMMITMENT, BASIC)]) as association:
        association.on_commitment = results.append
        assert association.commit("1.2.3.4.5", REFERENCES) == 0
        assert association.listen(10, lambda: bool(results))
    assert results == [
        CommitmentResult(
            transaction_uid="1.2.3.4.5", committed=tuple(REFERENCES[:2]), failed=((REFERENCES[2], 0x0112),)
        )
    ]


def test_commitment_is_reported_on_a_new_association_to_the_receiver(
    stack: type[Association], archive: Archive
) -> None:
    results: list[CommitmentResult] = []
    arrived = threading.Event()

    def keep(result: CommitmentResult) -> None:
        results.append(result)
        arrived.set()

    options = ReceiverOptions(
        ae_title="MIGRATE", host="127.0.0.1", port=0, limits=QUICK, acceptance=Acceptance(commitment=True)
    )
    with Receiver(options, None, keep) as receiver:
        archive.event_to = receiver.port
        with stack.open(endpoint(archive.port, "ARCHIVE"), [Context(COMMITMENT, BASIC)]) as association:
            assert association.commit("1.2.3.4.6", REFERENCES) == 0
            assert arrived.wait(10)
    assert (results[0].transaction_uid, len(results[0].committed), len(results[0].failed)) == ("1.2.3.4.6", 2, 1)


def test_a_listener_that_fails_is_answered_with_a_failure_and_the_receiver_lives_on(archive: Archive) -> None:
    calls: list[CommitmentResult] = []

    def fail(result: CommitmentResult) -> None:
        calls.append(result)
        raise RuntimeError

    with Association.open(endpoint(archive.port, "ARCHIVE"), [Context(COMMITMENT, BASIC)]) as association:
        association.on_commitment = fail
        assert association.commit("1.2.3.4.7", REFERENCES) == 0
        assert association.listen(10, lambda: bool(calls))
        assert association.is_open


# ---- pynetdicom calls us


@pytest.mark.parametrize("max_pdu", [0, 4096, 16382])
def test_a_pynetdicom_client_stores_byte_for_byte(
    receiver: Receiver, sink: MemorySink, objects: list[Stored], max_pdu: int
) -> None:
    entity = AE("CLIENT")
    for context in contexts_for(objects):
        entity.add_requested_context(context.abstract_syntax, list(context.transfer_syntaxes))
    assoc = entity.associate("127.0.0.1", receiver.port, ae_title="MIGRATE", max_pdu=max_pdu)
    assert assoc.is_established
    for one in objects:
        data_set = pydicom.dcmread(one.path)
        assert assoc.send_c_store(data_set, originator_aet="MOVER", originator_id=7).Status == 0
    assoc.release()
    assert sorted(sink.by_uid()) == sorted(one.sop_instance_uid for one in objects)
    assert {(one.move_originator_ae_title, one.move_originator_message_id) for one, _ in sink.objects} == {("MOVER", 7)}


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([IMPLICIT, EXPLICIT, JPEG_LOSSLESS], JPEG_LOSSLESS),
        ([IMPLICIT, EXPLICIT], EXPLICIT),
        ([JPEG_BASELINE, IMPLICIT], IMPLICIT),
        ([JPEG_BASELINE], JPEG_BASELINE),
        (["1.2.840.113619.5.2"], "1.2.840.113619.5.2"),
        (["1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2", IMPLICIT], IMPLICIT),
        (list(reversed(LOSSLESS)), LOSSLESS[0]),
    ],
)
def test_the_transfer_syntax_that_keeps_what_is_stored_is_chosen(
    receiver: Receiver, offered: list[str], chosen: str
) -> None:
    entity = AE("CLIENT")
    assoc = entity.associate("127.0.0.1", receiver.port, contexts=[build_context(CT, offered)], ae_title="MIGRATE")
    assert [str(one.transfer_syntax[0]) for one in assoc.accepted_contexts] == [chosen]
    assoc.release()


@pytest.mark.parametrize(
    ("abstract_syntax", "accepted"),
    [
        (VERIFICATION, True),
        (CT, True),
        ("1.2.840.10008.5.1.4.1.1.999.1", True),
        ("1.2.840.113619.4.26", True),
        ("1.2.840.10008.5.1.4.38.1", True),
        (STUDY_ROOT_FIND, False),
        ("1.2.840.10008.5.1.4.1.2.2.2", False),
        ("1.2.840.10008.5.1.4.31", False),
        ("1.2.840.10008.3.1.2.3.3", False),
        (COMMITMENT, False),
        ("1.2.840.10008.5.1.4.1.1.201.6", False),
    ],
)
def test_storage_and_verification_are_served_and_nothing_else(
    receiver: Receiver, abstract_syntax: str, accepted: bool
) -> None:
    entity = AE("CLIENT")
    contexts = [build_context(abstract_syntax), build_context("1.2.840.10008.5.1.4.1.1.4")]
    assoc = entity.associate("127.0.0.1", receiver.port, contexts=contexts, ae_title="MIGRATE")
    assert (abstract_syntax in {str(one.abstract_syntax) for one in assoc.accepted_contexts}) is accepted
    assoc.release()


def test_all_128_contexts_of_one_request_are_answered(receiver: Receiver) -> None:
    entity = AE("CLIENT")
    contexts = [build_context(f"1.2.840.10008.5.1.4.1.1.{number}") for number in range(1000, 1128)]
    assoc = entity.associate("127.0.0.1", receiver.port, contexts=contexts, ae_title="MIGRATE")
    assert len(assoc.accepted_contexts) == 128
    assoc.release()
