"""Every order to the network peer is carried out: a misbehaviour that behaves would prove nothing."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from migrate.demo.misbehaviour import (
    AssociationMisbehaviours,
    CommitmentMisbehaviours,
    FindMisbehaviours,
    Misbehaviours,
    MoveMisbehaviours,
    StoreMisbehaviours,
)
from migrate.demo.pacs import EmbeddedPeer, PeerOptions
from tests.peers import scu

Started = Callable[[Misbehaviours], EmbeddedPeer]
STUDIES = {"CR": 3, "CT": 4, "MR": 11}  # the instances of three shipped studies, by modality


@pytest.fixture(scope="module")
def objects(plain_objects: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("objects")
    for number, path in enumerate(plain_objects[:31]):
        shutil.copyfile(path, folder / f"{number:03d}.dcm")
    return folder


@pytest.fixture
def running() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def legacy(objects: Path, running: ExitStack) -> Started:
    def start(orders: Misbehaviours) -> EmbeddedPeer:
        return running.enter_context(EmbeddedPeer(PeerOptions(ae_title="LEGACY", folder=objects, misbehaviours=orders)))

    return start


@pytest.fixture
def destination(tmp_path: Path, running: ExitStack) -> Started:
    def start(orders: Misbehaviours) -> EmbeddedPeer:
        options = PeerOptions(ae_title="DIR", folder=tmp_path / "dir", misbehaviours=orders)
        return running.enter_context(EmbeddedPeer(options))

    return start


def finding(**orders: Any) -> Misbehaviours:
    return Misbehaviours(find=FindMisbehaviours(**orders))


def moving(**orders: Any) -> Misbehaviours:
    return Misbehaviours(move=MoveMisbehaviours(**orders))


def storing(**orders: Any) -> Misbehaviours:
    return Misbehaviours(store=StoreMisbehaviours(**orders))


def largest_study(peer: EmbeddedPeer) -> str:
    uids = [each.study_instance_uid for each in peer.archive.objects()]
    return max(set(uids), key=uids.count)


def moved(legacy: EmbeddedPeer, destination: EmbeddedPeer, **more: Any) -> scu.Outcome:
    legacy.add_destination("DIR", "127.0.0.1", destination.port)
    return scu.move(legacy, "DIR", StudyInstanceUID=largest_study(legacy), **more)


# --- C-FIND on the wire (the in-process double covers every order) --------------------------------


@pytest.mark.parametrize(
    ("signal", "status", "rows"), [("FE00", 0xFE00, 2), ("silent", 0x0000, 2), ("C000", 0xC000, 0), ("A700", 0xA700, 0)]
)
def test_a_cap_shows_on_the_wire(legacy: Started, signal: str, status: int, rows: int) -> None:
    answer = scu.find(legacy(finding(result_cap=2, cap_signal=signal)), "STUDY", StudyInstanceUID="")
    assert (answer.status, len(answer.rows)) == (status, rows)


def test_unsupported_keys_are_flagged_in_each_answer(legacy: Started) -> None:
    peer = legacy(finding(no_optional_keys=True, flags_unsupported_keys=True))
    answer = scu.find(peer, "STUDY", StudyInstanceUID="", ModalitiesInStudy="")
    assert set(answer.pending) == {0xFF01}
    assert "ModalitiesInStudy" not in answer.rows[0]


def test_undecodable_text_goes_out_as_illegal_bytes(legacy: Started) -> None:
    rows = scu.find(legacy(finding(undecodable_every=1)), "STUDY", StudyInstanceUID="", PatientName="").rows
    assert rows[0].SpecificCharacterSet == "ISO_IR 192"
    assert "\ufffd" in str(rows[0].PatientName)


def test_a_peer_closes_in_mid_answer(legacy: Started) -> None:
    answer = scu.find(legacy(finding(close_after_rows=2)), "STUDY", StudyInstanceUID="")
    assert (answer.status, len(answer.rows)) == (None, 2)


def test_an_endless_find_goes_on_until_it_is_cancelled(legacy: Started) -> None:
    peer = legacy(finding(endless=True))
    with scu.associated(peer, [(scu.STUDY_ROOT_FIND, ())]) as association:
        asked, answers = scu.identifier("STUDY", StudyInstanceUID=""), 0
        for status, _ in association.send_c_find(asked, scu.STUDY_ROOT_FIND, msg_id=3):
            answers += 1
            last = status.Status
            if answers == 50:
                association.send_c_cancel(3, query_model=scu.STUDY_ROOT_FIND)
    assert (last, answers > 50) == (0xFE00, True)


@pytest.mark.parametrize("orders", [finding(silence=True), moving(silence=True)])
def test_a_silent_service_never_answers(legacy: Started, destination: Started, orders: Misbehaviours) -> None:
    peer = legacy(orders)
    before = time.monotonic()
    if orders.find.silence:
        assert scu.find(peer, "STUDY", StudyInstanceUID="", timeout_s=0.5).status is None
    else:
        assert moved(peer, destination(Misbehaviours()), timeout_s=0.5).status is None
    assert time.monotonic() - before >= 0.5


# --- C-MOVE and C-GET -----------------------------------------------------------------------------


def test_success_with_nothing_sent(legacy: Started, destination: Started) -> None:
    target = destination(Misbehaviours())
    answer = moved(legacy(moving(success_nothing_sent=True)), target)
    assert (answer.status, answer.final.NumberOfCompletedSuboperations) == (0x0000, 11)
    assert target.stores == []


def test_success_with_nothing_sent_for_one_study_only(legacy: Started, destination: Started) -> None:
    honest = legacy(Misbehaviours())
    uid = largest_study(honest)
    peer, target = legacy(moving(success_nothing_sent_for=(uid,))), destination(Misbehaviours())
    moved(peer, target)
    assert target.stores == []
    other = next(each for each in peer.archive.study_instance_uids() if each != uid)
    assert scu.move(peer, "DIR", StudyInstanceUID=other).status == 0x0000
    assert target.stores


def test_instances_are_lost_in_every_move_and_counted_as_sent(legacy: Started, destination: Started) -> None:
    peer, target = legacy(moving(lose_every=4)), destination(Misbehaviours())
    answer = moved(peer, target)
    assert (answer.status, answer.final.NumberOfCompletedSuboperations) == (0x0000, 11)
    assert len(target.archive.objects()) == 9


def test_instances_are_lost_the_first_time_only(legacy: Started, destination: Started) -> None:
    peer, target = legacy(moving(lose_every=1, lose_only_first_time=True)), destination(Misbehaviours())
    moved(peer, target)
    assert len(target.archive.objects()) == 0
    moved(peer, target)
    assert len(target.archive.objects()) == 11


def test_instances_are_lost_and_named(legacy: Started, destination: Started) -> None:
    answer = moved(legacy(moving(lose_every=5, fail_silently=False)), destination(Misbehaviours()))
    assert (answer.status, answer.final.NumberOfFailedSuboperations) == (0xB000, 2)
    assert answer.identifier is not None
    assert len(answer.identifier.FailedSOPInstanceUIDList) == 2


def test_the_final_status_comes_before_the_data(legacy: Started, destination: Started) -> None:
    target = destination(Misbehaviours())
    answer = moved(legacy(moving(late_sending_s=0.4)), target)
    assert (answer.status, answer.final.NumberOfCompletedSuboperations, target.stores) == (0x0000, 11, [])
    deadline = time.monotonic() + 10
    while len(target.stores) < 11 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(target.stores) == 11


def test_objects_that_nobody_asked_for_arrive_too(legacy: Started, destination: Started) -> None:
    target = destination(Misbehaviours())
    moved(legacy(moving(unasked_objects=3)), target)
    assert len(target.stores) == 14
    assert len(target.archive.study_instance_uids()) > 1


@pytest.mark.parametrize(("orders", "same_length"), [({"truncate_every": 1}, False), ({"flip_bit_every": 1}, True)])
def test_objects_are_spoilt_on_the_way(
    legacy: Started, destination: Started, orders: dict[str, int], same_length: bool
) -> None:
    peer, target = legacy(moving(**orders)), destination(Misbehaviours())
    assert moved(peer, target).status == 0x0000
    kept = {each.sop_instance_uid: each.dataset_bytes() for each in peer.archive.objects()}
    assert len(target.archive.objects()) == 11
    for each in target.archive.objects():
        arrived, sent = each.dataset_bytes(), kept[each.sop_instance_uid]
        assert (arrived != sent, len(arrived) == len(sent)) == (True, same_length)


def test_objects_come_under_new_uids_at_every_move(legacy: Started, destination: Started) -> None:
    peer, target = legacy(moving(new_uids_every=1)), destination(Misbehaviours())
    moved(peer, target)
    moved(peer, target)
    arrived = {each.sop_instance_uid for each in target.archive.objects()}
    assert len(arrived) == 22
    assert not arrived & {each.sop_instance_uid for each in peer.archive.objects()}
    assert target.archive.study_instance_uids() == [largest_study(peer)]


def test_an_offline_study_fails_instance_by_instance(legacy: Started, destination: Started) -> None:
    uid = largest_study(legacy(Misbehaviours()))
    answer = moved(legacy(moving(offline=(uid,))), destination(Misbehaviours()))
    assert (answer.status, answer.final.NumberOfFailedSuboperations) == (0xA702, 11)


def test_a_move_stops_at_the_first_failure_like_orthanc(legacy: Started, destination: Started) -> None:
    target = destination(storing(out_of_resources_first_n=1))
    answer = moved(legacy(moving(stop_at_first_failure=True)), target)
    assert (answer.status, answer.final.NumberOfCompletedSuboperations) == (0xC000, 0)
    assert len(target.stores) == 1


def test_a_move_goes_on_after_a_failure_and_names_it(legacy: Started, destination: Started) -> None:
    target = destination(storing(out_of_resources_first_n=1))
    answer = moved(legacy(Misbehaviours()), target)
    assert (answer.status, answer.final.NumberOfCompletedSuboperations) == (0xB000, 10)
    assert answer.identifier is not None
    assert answer.identifier.FailedSOPInstanceUIDList == target.stores[0].sop_instance_uid


def test_a_move_is_aborted_after_some_objects(legacy: Started, destination: Started) -> None:
    target = destination(Misbehaviours())
    assert moved(legacy(moving(abort_after_objects=3)), target).status is None
    assert len(target.stores) == 3


def test_no_pending_response_is_ever_sent(legacy: Started, destination: Started) -> None:
    target = destination(Misbehaviours())
    assert moved(legacy(moving(no_pending=True)), target).pending == []


def test_moves_are_refused(legacy: Started, destination: Started) -> None:
    peer = legacy(moving(refuse_move=True))
    with scu.associated(peer, [(scu.STUDY_ROOT_MOVE, ()), (scu.VERIFICATION, ())]) as association:
        assert [context.abstract_syntax for context in association.accepted_contexts] == [scu.VERIFICATION]


def test_gets_are_not_offered(legacy: Started) -> None:
    peer = legacy(moving(refuse_get=True))
    answer = scu.get(peer, [("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1")], StudyInstanceUID="1.2.3")
    assert answer.status is None


# --- C-STORE: lying destinations and others -------------------------------------------------------


@pytest.fixture
def two_versions(objects: Path, tmp_path: Path) -> tuple[Path, Path]:
    first = objects / "000.dcm"
    other = dcmread(first)
    other.StudyDescription = "SECOND VERSION"
    other.save_as(tmp_path / "second.dcm")
    return first, tmp_path / "second.dcm"


@pytest.mark.parametrize(
    ("policy", "status", "kept"),
    [("keep_old", 0x0000, [False]), ("overwrite", 0x0000, [True]), ("refuse", 0x0111, [False])],
)
def test_other_content_under_the_same_uid(
    destination: Started, two_versions: tuple[Path, Path], policy: str, status: int, kept: list[bool]
) -> None:
    peer = destination(storing(same_uid=policy))
    assert scu.store(peer, *two_versions) == [0x0000, status]
    descriptions = [str(dcmread(each.path).StudyDescription) for each in peer.archive.objects()]
    assert [text == "SECOND VERSION" for text in descriptions] == kept


@pytest.mark.parametrize(
    ("orders", "status", "stored"),
    [
        pytest.param({"evict_above": 4}, 0x0000, 4, id="evicts"),
        pytest.param({"drop_every": 2}, 0x0000, 3, id="drops"),
        pytest.param({"flip_bit_every": 1}, 0x0000, 6, id="flips a bit"),
        pytest.param({"coerce": {"PatientID": "COERCED"}}, 0x0000, 6, id="coerces in silence"),
        pytest.param(
            {"coerce": {"00100020": "COERCED"}, "warns_of_coercion": True}, 0xB000, 6, id="coerces and says so"
        ),
        pytest.param({"out_of_resources_always": True}, 0xA700, 0, id="always full"),
        pytest.param({"out_of_resources_for_s": 60}, 0xA700, 0, id="full for a minute"),
        pytest.param({"processing_failure_first_n": 100}, 0x0110, 0, id="fails to process"),
    ],
)
def test_a_destination_keeps_what_was_ordered(
    destination: Started, objects: Path, orders: dict[str, Any], status: int, stored: int
) -> None:
    peer = destination(storing(**orders))
    sent = sorted(objects.iterdir())[:6]
    assert set(scu.store(peer, *sent)) == {status}
    originals = {str(dcmread(path).SOPInstanceUID): dcmread(path) for path in sent}
    held = peer.archive.objects()
    assert len(held) == stored
    for each in held:
        now, before = dcmread(each.path), originals[each.sop_instance_uid]
        assert (now.PatientID == "COERCED") is ("coerce" in orders)
        assert (now.PixelData != before.PixelData) is ("flip_bit_every" in orders)


def test_a_full_destination_takes_objects_later(destination: Started, objects: Path) -> None:
    peer = destination(storing(out_of_resources_first_n=2))
    assert scu.store(peer, *sorted(objects.iterdir())[:4]) == [0xA700, 0xA700, 0x0000, 0x0000]


def test_a_repeat_deletes_the_only_copy(destination: Started, objects: Path) -> None:
    peer = destination(storing(delete_on_repeat=True))
    assert scu.store(peer, objects / "000.dcm", objects / "000.dcm") == [0x0000, 0x0000]
    assert peer.archive.objects() == []
    assert not list((peer.options.folder).glob("*.dcm"))


def test_classes_and_syntaxes_are_refused(destination: Started, objects: Path) -> None:
    first, *_, last = sorted(objects.iterdir())
    stored = dcmread(first)
    no_class = destination(storing(refuse_sop_classes=(str(stored.SOPClassUID),)))
    assert scu.store(no_class, first, last) == [-1, 0x0000]
    no_syntax = destination(storing(refuse_transfer_syntaxes=(str(stored.file_meta.TransferSyntaxUID),)))
    assert scu.store(no_syntax, first) == [None]
    unauthorised = destination(storing(unauthorised_sop_classes=(str(stored.SOPClassUID),)))
    assert scu.store(unauthorised, first) == [0x0122]


def test_an_answer_is_lost_though_the_object_is_stored(destination: Started, objects: Path) -> None:
    peer = destination(storing(answer_lost_every=2))
    assert scu.store(peer, *sorted(objects.iterdir())[:2]) == [0x0000, None]
    assert [record.status for record in peer.stores] == [0x0000, None]
    assert len(peer.archive.objects()) == 2


# --- storage commitment ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("orders", "reports"),
    [
        ({"lost": True}, 0),
        ({"twice": True}, 2),
        ({"late_s": 30.0}, 0),
        ({"wrong_transaction": True}, 1),
        ({"lies": True}, 1),
    ],
)
def test_commitment_misbehaves(destination: Started, orders: dict[str, Any], reports: int) -> None:
    peer = destination(Misbehaviours(commitment=CommitmentMisbehaviours(**orders)))
    got = scu.commit(peer, [("1.2.840.10008.5.1.4.1.1.2", "1.2.3")], wait_s=0.4)
    assert len(got) == reports
    for event_type, report in got:
        assert event_type == (1 if "lies" in orders else 2)
        assert (report.TransactionUID != "1.2.3.4.5") is ("wrong_transaction" in orders)


def test_commitment_is_not_offered(destination: Started) -> None:
    peer = destination(Misbehaviours(commitment=CommitmentMisbehaviours(refuse=True)))
    with scu.associated(peer, [(scu.COMMITMENT, ()), (scu.VERIFICATION, ())]) as association:
        assert len(association.accepted_contexts) == 1


# --- the association itself -----------------------------------------------------------------------


def test_the_association_is_aborted_after_so_many_pdus(legacy: Started) -> None:
    peer = legacy(Misbehaviours(association=AssociationMisbehaviours(abort_after_pdus=5)))
    answer = scu.find(peer, "STUDY", StudyInstanceUID="")
    assert answer.status is None
    assert 1 <= len(answer.rows) <= 4


def test_a_store_is_aborted_after_so_many_pdus(destination: Started, objects: Path) -> None:
    peer = destination(Misbehaviours(association=AssociationMisbehaviours(abort_after_pdus=7)))
    statuses = scu.store(peer, *sorted(objects.iterdir())[:6], timeout_s=2)
    assert statuses[0] == 0x0000
    assert statuses[-1] is None


def test_the_first_associations_are_rejected_for_now(legacy: Started) -> None:
    peer = legacy(Misbehaviours(association=AssociationMisbehaviours(reject_first_n=1)))
    with scu.associated(peer, [(scu.VERIFICATION, ())]) as association:
        primitive: Any = association.acceptor.primitive
        assert (primitive.result, primitive.result_source, primitive.diagnostic) == (2, 3, 2)
    with scu.associated(peer, [(scu.VERIFICATION, ())]) as association:
        assert association.send_c_echo().Status == 0x0000


def test_a_peer_that_accepts_connections_and_says_nothing(legacy: Started) -> None:
    peer = legacy(Misbehaviours(association=AssociationMisbehaviours(silence=True)))
    with scu.associated(peer, [(scu.VERIFICATION, ())], timeout_s=0.5) as association:
        assert not association.is_established


def test_half_open_connections_and_huge_lengths_do_not_stop_a_peer(legacy: Started) -> None:
    peer = legacy(Misbehaviours())
    halves = [socket.create_connection(("127.0.0.1", peer.port)) for _ in range(12)]
    for number, half in enumerate(halves):
        half.sendall(b"\x01\x00\x00" if number % 2 else b"\x01\x00\xff\xff\xff\xff" + b"x" * 64)
    with scu.associated(peer, [(scu.VERIFICATION, ())]) as association:
        assert association.send_c_echo().Status == 0x0000
    for half in halves:
        half.close()


def test_slow_answers_are_slow(legacy: Started) -> None:
    before = time.monotonic()
    assert scu.find(legacy(finding(slow_answers_s=0.4)), "STUDY", StudyInstanceUID="").status == 0x0000
    assert time.monotonic() - before >= 0.4


def test_stopping_a_peer_ends_its_waiting_services(objects: Path) -> None:
    options = PeerOptions(ae_title="LEGACY", folder=objects)
    peer = EmbeddedPeer(replace(options, misbehaviours=finding(slow_answers_s=60))).start()
    asking = threading.Thread(target=scu.find, args=(peer, "STUDY"), kwargs={"StudyInstanceUID": ""})
    asking.start()
    time.sleep(0.3)
    peer.stop()
    asking.join(10)
    assert not asking.is_alive()
