"""Our DIMSE against DCMTK, in both directions and for every service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

from migrate.model import Level
from migrate.wire.dimse.endpoint import Context
from migrate.wire.dimse.identifier import decode, encode, tags_of
from migrate.wire.dimse.pynetdicom_stack import PynetdicomAssociation
from migrate.wire.dimse.retrieval import SubOperations
from migrate.wire.dimse.scp import Receiver
from migrate.wire.dimse.scu import Association
from tests.conformance.wire_kit import (
    BASIC,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    VERIFICATION,
    MemorySink,
    Stored,
    contexts_for,
    endpoint,
    same,
    stored,
)
from tests.peers.dcmtk import Dcmqrscp, Storescp

pytestmark = pytest.mark.dcmtk


@pytest.fixture(params=[Association, PynetdicomAssociation], ids=["own", "pynetdicom"])
def stack(request: pytest.FixtureRequest) -> type[Association]:
    kind: type[Association] = request.param
    return kind


def test_echoscu_gets_its_answer(receiver: Receiver, dcmtk: Callable[..., str]) -> None:
    dcmtk("echoscu", "-aec", "MIGRATE", "127.0.0.1", receiver.port)


@pytest.mark.parametrize("pdu_bytes", [4096, 16384, 131072])
def test_what_storescu_sends_is_received_as_storescp_receives_it(
    receiver: Receiver,
    sink: MemorySink,
    storescp: Callable[..., Storescp],
    objects: list[Stored],
    dcmtk: Callable[..., str],
    pdu_bytes: int,
) -> None:
    # storescu writes group lengths anew, so the yardstick is what another receiver stores bit by bit.
    other = storescp()
    sent = objects[:25]
    for title, port in ((other.ae_title, other.port), ("MIGRATE", receiver.port)):
        paths = [str(one.path) for one in sent]
        dcmtk("storescu", "-R", "--max-send-pdu", pdu_bytes, "-aec", title, "127.0.0.1", port, *paths)
    assert same([stored(path) for path in other.files()], sink)
    assert len(sink.objects) == len(sent)
    assert all(incoming.calling_ae_title == "STORESCU" for incoming, _ in sink.objects)


@pytest.mark.parametrize("pdu_bytes", ["4096", "16384", "131072"])
def test_what_we_send_to_storescp_arrives_byte_for_byte(
    stack: type[Association], storescp: Callable[..., Storescp], objects: list[Stored], pdu_bytes: str
) -> None:
    peer = storescp(arguments=("+xa", "--fork", "+B", "-uf", "-pdu", pdu_bytes))
    tapped: list[bytes] = []
    with stack.open(endpoint(peer.port, peer.ae_title), contexts_for(objects)) as association:
        answers = [association.store(one.outgoing(lambda view: tapped.append(bytes(view)))) for one in objects]
    assert {answer.status for answer in answers} == {0}
    received = {one.sop_instance_uid: one.data_set for one in map(stored, peer.files())}
    assert received == {one.sop_instance_uid: one.data_set for one in objects}
    assert b"".join(tapped) == b"".join(one.data_set for one in objects)


@pytest.fixture
def archive(dcmqrscp: Callable[..., Dcmqrscp], receiver: Receiver, plain_objects: list[Path]) -> Dcmqrscp:
    peer = dcmqrscp(modalities={"MIGRATE": receiver.port})
    peer.index(plain_objects)
    return peer


def test_echo_find_and_cancel_on_one_association(
    stack: type[Association], archive: Dcmqrscp, objects: list[Stored]
) -> None:
    contexts = [Context(VERIFICATION, BASIC), Context(STUDY_ROOT_FIND, BASIC)]
    keys = {"StudyInstanceUID": "", "PatientName": "", "StudyDate": ""}
    with stack.open(endpoint(archive.port, archive.ae_title), contexts) as association:
        assert association.echo() == 0
        syntax = association.transfer_syntax(STUDY_ROOT_FIND)
        matches = []
        end = association.find(
            STUDY_ROOT_FIND,
            encode(Level.STUDY, keys, syntax),
            lambda _, identifier, uid: matches.append(decode(identifier, uid, tags_of(keys))),
        )
        assert end.status == 0
        assert len({match.values["StudyInstanceUID"] for match in matches}) == len(matches) == 7
        cancelled: list[int] = []

        def stop_at_once(status: int, identifier: bytes, uid: str) -> None:
            cancelled.append(status)
            association.cancel()

        end = association.find(STUDY_ROOT_FIND, encode(Level.STUDY, keys, syntax), stop_at_once)
        assert end.status in (0, 0xFE00)
        assert association.echo() == 0


def _study_of(one: Stored) -> str:
    return str(pydicom.dcmread(one.path, specific_tags=["StudyInstanceUID"]).StudyInstanceUID)


def test_a_moved_study_arrives_byte_for_byte_with_its_originator(
    stack: type[Association], archive: Dcmqrscp, sink: MemorySink, objects: list[Stored]
) -> None:
    study = _study_of(objects[0])
    expected = [one for one in objects if _study_of(one) == study]
    pending: list[SubOperations] = []
    with stack.open(endpoint(archive.port, archive.ae_title), [Context(STUDY_ROOT_MOVE, BASIC)]) as association:
        identifier = encode(Level.STUDY, {"StudyInstanceUID": study}, association.transfer_syntax(STUDY_ROOT_MOVE))
        end = association.move(STUDY_ROOT_MOVE, identifier, "MIGRATE", 4711, pending.append)
    assert (end.status, end.completed, end.failed) == (0, len(expected), 0)
    assert len(pending) >= 1
    assert same(expected, sink)
    assert {
        (incoming.move_originator_ae_title, incoming.move_originator_message_id) for incoming, _ in sink.objects
    } == {("MIGRATE", 4711)}


def test_a_study_fetched_by_c_get_arrives_byte_for_byte(
    stack: type[Association], archive: Dcmqrscp, sink: MemorySink, objects: list[Stored]
) -> None:
    study = _study_of(objects[0])
    expected = [one for one in objects if _study_of(one) == study]
    storage = [Context(one.abstract_syntax, one.transfer_syntaxes, scp_role=True) for one in contexts_for(expected)]
    contexts = [Context(STUDY_ROOT_GET, BASIC), *storage]
    with stack.open(endpoint(archive.port, archive.ae_title), contexts) as association:
        identifier = encode(Level.STUDY, {"StudyInstanceUID": study}, association.transfer_syntax(STUDY_ROOT_GET))
        end = association.get(STUDY_ROOT_GET, identifier, sink)
    assert (end.status, end.completed, end.failed) == (0, len(expected), 0)
    assert same(expected, sink)


def test_a_refused_object_is_named_by_the_final_response(
    stack: type[Association], archive: Dcmqrscp, sink: MemorySink, objects: list[Stored]
) -> None:
    study = _study_of(objects[0])
    sink.status = 0xA700
    with stack.open(endpoint(archive.port, archive.ae_title), [Context(STUDY_ROOT_MOVE, BASIC)]) as association:
        identifier = encode(Level.STUDY, {"StudyInstanceUID": study}, association.transfer_syntax(STUDY_ROOT_MOVE))
        end = association.move(STUDY_ROOT_MOVE, identifier, "MIGRATE")
    assert end.status == 0xB000 or end.status & 0xF000 in (0xA000, 0xC000)
    assert set(end.failed_sop_instance_uids) == {one.sop_instance_uid for one in objects if _study_of(one) == study}


def test_an_unknown_move_destination_is_reported(
    stack: type[Association], archive: Dcmqrscp, objects: list[Stored]
) -> None:
    with stack.open(endpoint(archive.port, archive.ae_title), [Context(STUDY_ROOT_MOVE, BASIC)]) as association:
        identifier = encode(
            Level.STUDY, {"StudyInstanceUID": _study_of(objects[0])}, association.transfer_syntax(STUDY_ROOT_MOVE)
        )
        assert association.move(STUDY_ROOT_MOVE, identifier, "NOBODY").status == 0xA801


def test_what_movescu_orders_arrives_with_us(
    archive: Dcmqrscp, receiver: Receiver, sink: MemorySink, objects: list[Stored], dcmtk: Callable[..., str]
) -> None:
    study = _study_of(objects[0])
    dcmtk(
        "movescu",
        "-S",
        "-aec",
        archive.ae_title,
        "-aem",
        "MIGRATE",
        "-k",
        "QueryRetrieveLevel=STUDY",
        "-k",
        f"StudyInstanceUID={study}",
        "127.0.0.1",
        archive.port,
    )
    assert same([one for one in objects if _study_of(one) == study], sink)
