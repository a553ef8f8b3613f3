"""The embedded peer against an independent user of the services: pynetdicom's own SCU."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from migrate.demo.archive import FolderArchive, StoredObject
from migrate.demo.misbehaviour import CommitmentMisbehaviours, Misbehaviours
from migrate.demo.pacs import EmbeddedPeer, PeerOptions
from migrate.demo.samples import ArchiveFacts, make_legacy_archive
from migrate.errors import ConfigError, LocalError
from tests.peers import scu


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> ArchiveFacts:
    return make_legacy_archive(tmp_path_factory.mktemp("legacy"))


@pytest.fixture(scope="module")
def legacy(facts: ArchiveFacts) -> Iterator[EmbeddedPeer]:
    with EmbeddedPeer(PeerOptions(ae_title="LEGACY", folder=facts.folder)) as peer:
        yield peer


@pytest.fixture
def destination(tmp_path: Path) -> Iterator[EmbeddedPeer]:
    with EmbeddedPeer(PeerOptions(ae_title="DIR", folder=tmp_path / "dir")) as peer:
        yield peer


def by_sop_instance(objects: list[StoredObject]) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for each in objects:
        found.setdefault(each.sop_instance_uid, []).append(each.dataset_bytes())
    return {uid: sorted(contents) for uid, contents in found.items()}


def test_echo_is_answered(legacy: EmbeddedPeer) -> None:
    with scu.associated(legacy, [(scu.VERIFICATION, ())]) as association:
        assert association.send_c_echo().Status == 0x0000


def test_every_study_is_found_with_true_counts(legacy: EmbeddedPeer, facts: ArchiveFacts) -> None:
    answer = scu.find(
        legacy,
        "STUDY",
        StudyInstanceUID="",
        NumberOfStudyRelatedInstances="",
        NumberOfStudyRelatedSeries="",
        ModalitiesInStudy="",
    )
    assert answer.status == 0x0000
    assert {row.StudyInstanceUID for row in answer.rows} == set(legacy.archive.study_instance_uids())
    assert sum(row.NumberOfStudyRelatedInstances for row in answer.rows) == facts.instances
    assert sum(row.NumberOfStudyRelatedSeries for row in answer.rows) == facts.series


def test_series_and_images_are_found_below_their_parents(legacy: EmbeddedPeer) -> None:
    study_uid = legacy.archive.study_instance_uids()[-1]
    series = scu.find(legacy, "SERIES", StudyInstanceUID=study_uid, SeriesInstanceUID="", Modality="")
    images = [
        image
        for row in series.rows
        for image in scu.find(
            legacy,
            "IMAGE",
            StudyInstanceUID=study_uid,
            SeriesInstanceUID=row.SeriesInstanceUID,
            SOPInstanceUID="",
            SOPClassUID="",
            AvailableTransferSyntaxUID="",
            Rows=None,
        ).rows
    ]
    held = legacy.archive.select({"StudyInstanceUID": study_uid})
    assert {image.SOPInstanceUID for image in images} == {each.sop_instance_uid for each in held}
    assert {image.AvailableTransferSyntaxUID for image in images} == {each.transfer_syntax_uid for each in held}


def test_patient_root_goes_from_patient_to_study(legacy: EmbeddedPeer) -> None:
    patients = scu.find(legacy, "PATIENT", scu.PATIENT_ROOT_FIND, PatientID="", PatientName="")
    studies = [
        study.StudyInstanceUID
        for patient in patients.rows
        for study in scu.find(
            legacy, "STUDY", scu.PATIENT_ROOT_FIND, PatientID=patient.PatientID, StudyInstanceUID=""
        ).rows
    ]
    assert sorted(studies) == sorted(legacy.archive.study_instance_uids())
    assert scu.find(legacy, "STUDY", scu.PATIENT_ROOT_FIND, StudyInstanceUID="").status == 0xA900
    assert scu.find(legacy, "PATIENT", PatientID="").status == 0xA900


@pytest.mark.parametrize(
    ("name", "charset"),
    [
        ("MIHON^HANAKO=見本^花子=みほん^はなこ", ["", "ISO 2022 IR 87"]),
        ("MÜSTER^ÉVA", "ISO_IR 100"),
        ("PRØVE^ŁUCJA", "ISO_IR 192"),
    ],
)
def test_a_name_comes_back_in_the_character_set_of_its_object(
    legacy: EmbeddedPeer, name: str, charset: str | list[str]
) -> None:
    rows = scu.find(legacy, "STUDY", StudyInstanceUID="", PatientName="").rows
    row = next(row for row in rows if str(row.PatientName) == name)
    assert row.SpecificCharacterSet == charset


def test_a_name_is_matched_in_any_character_set(legacy: EmbeddedPeer) -> None:
    rows = scu.find(legacy, "STUDY", SpecificCharacterSet="ISO_IR 192", StudyInstanceUID="", PatientName="*花子*").rows
    assert {str(row.PatientName).partition("=")[0] for row in rows} == {"MIHON^HANAKO"}


def test_a_move_brings_every_object_byte_for_byte(
    legacy: EmbeddedPeer, destination: EmbeddedPeer, facts: ArchiveFacts
) -> None:
    legacy.add_destination("DIR", "127.0.0.1", destination.port)
    uids, sent = legacy.archive.study_instance_uids(), 0
    for start in range(0, len(uids), 16):
        answer = scu.move(legacy, "DIR", StudyInstanceUID=uids[start : start + 16])
        assert (answer.status, answer.final.NumberOfFailedSuboperations) == (0x0000, 0)
        sent += answer.final.NumberOfCompletedSuboperations
    assert sent == facts.instances
    assert by_sop_instance(destination.archive.objects()) == by_sop_instance(legacy.archive.objects())
    assert len(destination.stores) == facts.instances
    assert {record.status for record in destination.stores} == {0x0000}
    assert destination.stores[0].move_originator == ("TESTER", 1)
    assert {record.transfer_syntax_uid for record in destination.stores} == facts.transfer_syntax_uids


@pytest.mark.parametrize("level", ["SERIES", "IMAGE"])
def test_a_move_below_the_study_brings_what_it_names(
    legacy: EmbeddedPeer, destination: EmbeddedPeer, level: str
) -> None:
    legacy.add_destination("DIR", "127.0.0.1", destination.port)
    wanted = legacy.archive.objects()[-1]
    keys: dict[str, Any] = {
        "StudyInstanceUID": wanted.study_instance_uid,
        "SeriesInstanceUID": wanted.series_instance_uid,
    }
    keys |= {"SOPInstanceUID": [wanted.sop_instance_uid, "1.2.3"]} if level == "IMAGE" else {}
    assert scu.move(legacy, "DIR", level, **keys).status == 0x0000
    arrived = {each.sop_instance_uid for each in destination.archive.objects()}
    series = {each.sop_instance_uid for each in legacy.archive.select({"SeriesInstanceUID": keys["SeriesInstanceUID"]})}
    assert arrived == ({wanted.sop_instance_uid} if level == "IMAGE" else series)


# pynetdicom leaves the socket of a refused connection to the garbage collector
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
def test_what_cannot_be_moved_is_refused_or_empty(legacy: EmbeddedPeer) -> None:
    assert scu.move(legacy, "NOBODY", StudyInstanceUID="1.2.3").status == 0xA801
    legacy.add_destination("DEAD", "127.0.0.1", 9)
    assert scu.move(legacy, "DEAD", StudyInstanceUID="1.2.3").status == 0x0000
    assert scu.move(legacy, "DEAD", StudyInstanceUID="").status == 0xA900
    uid = legacy.archive.study_instance_uids()[0]
    answer = scu.move(legacy, "DEAD", StudyInstanceUID=uid)
    assert answer.status == 0xA702


def test_a_get_brings_every_object_of_a_study_byte_for_byte(legacy: EmbeddedPeer) -> None:
    for uid in legacy.archive.study_instance_uids()[-8:]:
        held = legacy.archive.select({"StudyInstanceUID": uid})
        pairs = sorted({(each.sop_class_uid, each.transfer_syntax_uid) for each in held})
        answer = scu.get(legacy, pairs, StudyInstanceUID=uid)
        assert answer.status == 0x0000
        assert answer.received == {each.sop_instance_uid: each.dataset_bytes() for each in held}


def test_a_get_without_a_context_names_what_failed(legacy: EmbeddedPeer) -> None:
    uid = legacy.archive.study_instance_uids()[-1]
    answer = scu.get(legacy, [("1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.1.2.1")], StudyInstanceUID=uid)
    held = [each.sop_instance_uid for each in legacy.archive.select({"StudyInstanceUID": uid})]
    assert answer.status == 0xA702
    assert answer.identifier is not None
    failed = answer.identifier.FailedSOPInstanceUIDList
    assert [failed] == held if isinstance(failed, str) else list(failed) == held


def test_a_repeat_of_the_same_bytes_is_kept_once_and_logged_twice(
    destination: EmbeddedPeer, plain_objects: list[Path]
) -> None:
    assert scu.store(destination, plain_objects[0], plain_objects[0]) == [0x0000, 0x0000]
    assert (len(destination.archive.objects()), len(destination.stores)) == (1, 2)


def test_other_content_under_the_same_uid_is_kept_beside_it(
    destination: EmbeddedPeer, plain_objects: list[Path], tmp_path: Path
) -> None:
    other = dcmread(plain_objects[0])
    other.StudyDescription = "OTHER"
    other.save_as(tmp_path / "other.dcm")
    scu.store(destination, plain_objects[0], tmp_path / "other.dcm")
    assert len(destination.archive.with_sop_instance_uid(other.SOPInstanceUID)) == 2


def test_what_was_stored_is_found_again_after_a_restart(tmp_path: Path, plain_objects: list[Path]) -> None:
    options = PeerOptions(ae_title="DIR", folder=tmp_path, store_log=tmp_path.parent / "stores.log")
    with EmbeddedPeer(options) as peer:
        scu.store(peer, *plain_objects[:5])
    assert len(FolderArchive(tmp_path).objects()) == 5
    assert [line.split()[1] for line in (tmp_path.parent / "stores.log").read_text().splitlines()] == ["0000"] * 5


@pytest.mark.parametrize("same_association", [False, True])
def test_commitment_tells_held_from_missing(tmp_path: Path, plain_objects: list[Path], same_association: bool) -> None:
    orders = Misbehaviours(commitment=CommitmentMisbehaviours(same_association=same_association))
    with EmbeddedPeer(PeerOptions(ae_title="DIR", folder=tmp_path, misbehaviours=orders)) as peer:
        scu.store(peer, plain_objects[0])
        held = peer.archive.objects()[0]
        asked = [(held.sop_class_uid, held.sop_instance_uid), (held.sop_class_uid, "1.2.3"), ("1.2.9", "1.2.3")]
        [(event_type, report)] = scu.commit(peer, asked, wait_s=0.5)
    assert (event_type, report.TransactionUID) == (2, "1.2.3.4.5")
    assert [item.ReferencedSOPInstanceUID for item in report.ReferencedSOPSequence] == [held.sop_instance_uid]
    assert [item.FailureReason for item in report.FailedSOPSequence] == [0x0112, 0x0112]


def test_a_cancelled_find_ends_early(tmp_path: Path) -> None:
    with (
        EmbeddedPeer(PeerOptions(ae_title="BIG", folder=tmp_path, formula=20_000)) as peer,
        scu.associated(peer, [(scu.STUDY_ROOT_FIND, ())]) as association,
    ):
        asked = scu.identifier("STUDY", StudyInstanceUID="")
        answers = []
        for answer in association.send_c_find(asked, scu.STUDY_ROOT_FIND, msg_id=7):
            answers.append(answer)
            if len(answers) == 20:
                association.send_c_cancel(7, query_model=scu.STUDY_ROOT_FIND)
        assert answers[-1][0].Status == 0xFE00
        assert len(answers) < 20_000


def test_eight_clients_at_once_get_whole_answers(legacy: EmbeddedPeer, facts: ArchiveFacts) -> None:
    found: list[int] = []

    def ask() -> None:
        found.extend(len(scu.find(legacy, "STUDY", StudyInstanceUID="").rows) for _ in range(3))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [facts.studies] * 24


@pytest.mark.parametrize(("calling", "established"), [("TESTER", True), ("FRIEND", False)])
def test_only_allowed_callers_are_let_in(tmp_path: Path, calling: str, established: bool) -> None:
    allow = (calling,) if established else ("FRIEND",)
    with (
        EmbeddedPeer(PeerOptions(ae_title="SHY", folder=tmp_path, allow=allow)) as peer,
        scu.associated(peer, [(scu.VERIFICATION, ())]) as association,
    ):
        assert association.is_established is established


def test_a_peer_listens_on_loopback_alone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        EmbeddedPeer(PeerOptions(ae_title="OPEN", folder=tmp_path, host="0.0.0.0"))


def test_a_taken_port_is_a_local_error(legacy: EmbeddedPeer, tmp_path: Path) -> None:
    with pytest.raises(LocalError):
        EmbeddedPeer(PeerOptions(ae_title="LATE", folder=tmp_path, port=legacy.port)).start()


def test_a_peer_stops_quickly_with_an_association_open(tmp_path: Path) -> None:
    peer = EmbeddedPeer(PeerOptions(ae_title="BRIEF", folder=tmp_path)).start()
    with scu.associated(peer, [(scu.VERIFICATION, ())]) as association:
        assert association.is_established
        before = time.monotonic()
        peer.stop()
        peer.stop()
        assert time.monotonic() - before < 3
