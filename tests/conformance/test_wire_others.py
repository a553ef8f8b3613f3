"""Our DIMSE against GDCM, CTN, dcmjs-dimse and DCMTK's getscu: four more implementations, three generations."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest

from migrate.model import Level
from migrate.wire.dimse.endpoint import Context
from migrate.wire.dimse.identifier import decode, encode, tags_of
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
from tests.peers import dcmjs, tools
from tests.peers.ctn import SimpleStorage
from tests.peers.dcmtk import Dcmqrscp


@pytest.fixture
def ctn(tmp_path: Path) -> Iterator[SimpleStorage]:
    server = SimpleStorage(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def archive(tmp_path: Path, receiver: Receiver) -> Iterator[dcmjs.DcmjsArchive]:
    folder = tmp_path / "dcmjs"
    folder.mkdir()
    server = dcmjs.DcmjsArchive(folder, receiver.port)
    yield server
    server.stop()


# ---- GDCM


def gdcmscu(port: int, *arguments: str | Path) -> str:
    """Debian's 3.0.21 dies of an exception while it releases, whoever its peer is: the exit code says nothing."""
    command = [tools.program("gdcmscu"), "--aetitle", "GDCM", "--call", "MIGRATE", "-H", "127.0.0.1", "-p", str(port)]
    done = subprocess.run([*command, *arguments], capture_output=True, timeout=60, check=False, text=True)
    assert done.returncode == 0 or "ProtocolStream as nullptr" in done.stderr, done.stderr
    return done.stdout


def test_what_gdcmscu_sends_arrives_byte_for_byte(receiver: Receiver, sink: MemorySink, objects: list[Stored]) -> None:
    gdcmscu(receiver.port, "--store", *(part for one in objects for part in ("-i", one.path)))
    assert same(objects, sink)
    assert {incoming.calling_ae_title for incoming, _ in sink.objects} == {"GDCM"}


def test_gdcmscu_gets_its_echo(receiver: Receiver) -> None:
    gdcmscu(receiver.port, "--echo")


# ---- CTN


def test_dicom_echo_is_answered(receiver: Receiver) -> None:
    assert "Successful" in tools.run(["dicom_echo", "-a", "CTN", "-c", "MIGRATE", "127.0.0.1", str(receiver.port)])


@pytest.mark.parametrize("pdu_bytes", ["4096", "16384", "65536"])
def test_what_send_image_sends_arrives_byte_for_byte(
    receiver: Receiver, sink: MemorySink, objects: list[Stored], pdu_bytes: str
) -> None:
    options = ("-a", "CTN", "-c", "MIGRATE", "-q", "-r", "-m", pdu_bytes, "-X", "1.2.840.10008.1.2.1")
    sent = objects[:25]
    tools.run(["send_image", *options, "127.0.0.1", str(receiver.port), *(one.path for one in sent)])
    assert same(sent, sink)


def test_what_we_send_to_ctn_arrives_byte_for_byte(ctn: SimpleStorage, objects: list[Stored]) -> None:
    with Association.open(
        endpoint(ctn.port, ctn.ae_title), [Context(VERIFICATION, BASIC), *contexts_for(objects)]
    ) as one:
        assert one.echo() == 0
        assert {one.store(each.outgoing()).status for each in objects} == {0}
    received = {each.sop_instance_uid: each.data_set for each in map(stored, ctn.files())}
    assert received == {each.sop_instance_uid: each.data_set for each in objects}


# ---- dcmjs-dimse


def test_what_we_send_to_dcmjs_arrives_byte_for_byte(archive: dcmjs.DcmjsArchive, objects: list[Stored]) -> None:
    contexts = [Context(VERIFICATION, BASIC), *contexts_for(objects)]
    with Association.open(endpoint(archive.port, archive.ae_title), contexts) as association:
        assert association.echo() == 0
        assert {association.store(one.outgoing()).status for one in objects} == {0}
    assert archive.held() == {one.sop_instance_uid: one.data_set for one in objects}


def test_dcmjs_answers_a_find_in_full(archive: dcmjs.DcmjsArchive) -> None:
    keys = {"StudyInstanceUID": "", "StudyDate": ""}
    matches = []
    with Association.open(endpoint(archive.port, archive.ae_title), [Context(STUDY_ROOT_FIND, BASIC)]) as association:
        identifier = encode(Level.STUDY, keys, association.transfer_syntax(STUDY_ROOT_FIND))
        end = association.find(
            STUDY_ROOT_FIND,
            identifier,
            lambda _, answer, uid: matches.append(decode(answer, uid, tags_of(keys)).values),
        )
    assert end.status == 0
    assert [match["StudyInstanceUID"] for match in matches] == [f"1.2.3.{number}" for number in range(1, 101)]


def test_what_dcmjs_sends_is_received_as_dcmjs_receives_it(
    archive: dcmjs.DcmjsArchive, receiver: Receiver, sink: MemorySink, objects: list[Stored]
) -> None:
    # it writes every data set anew, so the yardstick is what another receiver keeps
    paths = [one.path for one in objects[:40:4]]
    for port, title in ((archive.port, archive.ae_title), (receiver.port, "MIGRATE")):
        assert dcmjs.send(port, title, paths) == [0] * len(paths)
    assert sink.by_uid() == archive.held()
    assert len(sink.objects) == len(paths)


def test_what_dcmjs_moves_arrives_as_it_sends_it(
    archive: dcmjs.DcmjsArchive, sink: MemorySink, objects: list[Stored]
) -> None:
    moved = objects[:40:10]
    for one in moved:
        (archive.folder / f"{one.sop_instance_uid}.dcm").write_bytes(one.path.read_bytes())
    with Association.open(endpoint(archive.port, archive.ae_title), [Context(STUDY_ROOT_MOVE, BASIC)]) as association:
        identifier = encode(Level.STUDY, {"StudyInstanceUID": "1.2"}, association.transfer_syntax(STUDY_ROOT_MOVE))
        end = association.move(STUDY_ROOT_MOVE, identifier, "MIGRATE")
    assert (end.status, end.completed, end.failed) == (0, len(moved), 0)
    assert dcmjs.send(archive.port, archive.ae_title, [one.path for one in moved]) == [0] * len(moved)
    assert sink.by_uid() == archive.held()


# ---- DCMTK's getscu


def study_of(path: Path) -> str:
    return str(pydicom.dcmread(path, specific_tags=["StudyInstanceUID"]).StudyInstanceUID)


@pytest.mark.dcmtk
def test_getscu_is_told_that_a_receiver_serves_no_c_get(receiver: Receiver) -> None:
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID=1.2")
    command = [tools.program("getscu"), "-S", "-aec", "MIGRATE", *keys, "127.0.0.1", str(receiver.port)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False, text=True)
    assert "No adequate Presentation Contexts" in done.stdout + done.stderr
    with Association.open(endpoint(receiver.port, "MIGRATE"), [Context(VERIFICATION, BASIC)]) as association:
        assert association.echo() == 0


@pytest.mark.dcmtk
def test_our_c_get_brings_what_getscu_brings(
    dcmqrscp: Callable[..., Dcmqrscp], sink: MemorySink, plain_objects: list[Path], tmp_path: Path
) -> None:
    peer = dcmqrscp()
    first = sorted({study_of(path) for path in plain_objects})[:3]
    held = [path for path in plain_objects if study_of(path) in first]
    peer.index(held)
    theirs = tmp_path / "getscu"
    theirs.mkdir()
    storage = [
        Context(one.abstract_syntax, one.transfer_syntaxes, scp_role=True) for one in contexts_for(map(stored, held))
    ]
    for study in first:
        keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study}")
        tools.run(["getscu", "-S", "+B", "-od", theirs, "-aec", peer.ae_title, *keys, "127.0.0.1", str(peer.port)])
        with Association.open(endpoint(peer.port, peer.ae_title), [Context(STUDY_ROOT_GET, BASIC), *storage]) as one:
            identifier = encode(Level.STUDY, {"StudyInstanceUID": study}, one.transfer_syntax(STUDY_ROOT_GET))
            end = one.get(STUDY_ROOT_GET, identifier, sink)
        assert (end.status, end.failed) == (0, 0)
    fetched = {one.sop_instance_uid: one.data_set for one in map(stored, sorted(theirs.iterdir()))}
    assert len(fetched) == len(held)
    assert sink.by_uid() == fetched
