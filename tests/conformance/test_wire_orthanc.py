"""Our associations and our receiver against Orthanc, on both stacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from migrate.model import Level
from migrate.wire.dimse.commitment import CommitmentResult, SopReference
from migrate.wire.dimse.endpoint import Context
from migrate.wire.dimse.identifier import decode, encode, tags_of
from migrate.wire.dimse.negotiation import Acceptance
from migrate.wire.dimse.pynetdicom_stack import PynetdicomAssociation
from migrate.wire.dimse.scp import Receiver, ReceiverOptions
from migrate.wire.dimse.scu import Association
from tests.conformance.wire_kit import (
    BASIC,
    QUICK,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    VERIFICATION,
    MemorySink,
    Stored,
    contexts_for,
    endpoint,
    same_content,
    stored,
)
from tests.peers.orthanc import Orthanc

pytestmark = [pytest.mark.orthanc, pytest.mark.xdist_group("wire_orthanc")]
COMMITMENT = "1.2.840.10008.1.20.1"


@pytest.fixture
def results() -> list[CommitmentResult]:
    return []


@pytest.fixture
def receiver(sink: MemorySink, results: list[CommitmentResult]) -> Iterator[Receiver]:
    options = ReceiverOptions(
        ae_title="MIGRATE", host="127.0.0.1", port=0, limits=QUICK, acceptance=Acceptance(commitment=True)
    )
    with Receiver(options, sink, results.append) as running:
        yield running


@pytest.fixture
def objects(plain_objects: list[Path]) -> list[Stored]:
    return [stored(path) for path in plain_objects[:20]]


@pytest.mark.parametrize("nodelay", [True, False], ids=["TCP_NODELAY", "as installed"])
@pytest.mark.parametrize("stack", [Association, PynetdicomAssociation], ids=["own", "pynetdicom"])
def test_a_round_trip_through_orthanc_keeps_every_object(
    orthanc: Callable[..., Orthanc],
    receiver: Receiver,
    sink: MemorySink,
    results: list[CommitmentResult],
    objects: list[Stored],
    stack: type[Association],
    nodelay: bool,
) -> None:
    peer = orthanc(modalities={"MIGRATE": receiver.port}, tcp_nodelay=nodelay)
    there = endpoint(peer.port, peer.ae_title)
    with stack.open(there, [Context(VERIFICATION, BASIC), *contexts_for(objects)]) as association:
        assert association.echo() == 0
        assert {association.store(one.outgoing()).status for one in objects} == {0}

    studies: list[str] = []
    keys = {"StudyInstanceUID": "", "PatientName": "", "NumberOfStudyRelatedInstances": ""}
    with stack.open(there, [Context(STUDY_ROOT_FIND, BASIC)]) as association:
        identifier = encode(Level.STUDY, keys, association.transfer_syntax(STUDY_ROOT_FIND))
        end = association.find(
            STUDY_ROOT_FIND,
            identifier,
            lambda _, answer, uid: studies.append(decode(answer, uid, tags_of(keys)).values["StudyInstanceUID"]),
        )
    assert end.status == 0
    assert len(studies) == len(set(studies)) > 0

    with stack.open(there, [Context(STUDY_ROOT_MOVE, BASIC)]) as association:
        for number, study in enumerate(studies):
            identifier = encode(Level.STUDY, {"StudyInstanceUID": study}, association.transfer_syntax(STUDY_ROOT_MOVE))
            assert association.move(STUDY_ROOT_MOVE, identifier, "MIGRATE", 100 + number).status == 0
    assert same_content(objects, sink)

    fetched = MemorySink()
    storage = [Context(one.abstract_syntax, one.transfer_syntaxes, scp_role=True) for one in contexts_for(objects)]
    with stack.open(there, [Context(STUDY_ROOT_GET, BASIC), *storage]) as association:
        for study in studies:
            identifier = encode(Level.STUDY, {"StudyInstanceUID": study}, association.transfer_syntax(STUDY_ROOT_GET))
            assert association.get(STUDY_ROOT_GET, identifier, fetched).status == 0
    assert same_content(objects, fetched)

    with stack.open(there, [Context(COMMITMENT, BASIC)]) as association:
        references = [SopReference(one.sop_class_uid, one.sop_instance_uid) for one in objects]
        association.on_commitment = results.append
        assert association.commit("1.2.3.4.5", references) == 0
        assert association.listen(15, lambda: bool(results))
    assert set(results[0].committed) == set(references)
    assert results[0].failed == ()
