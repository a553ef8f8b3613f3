"""The peers themselves: they start on free ports, answer, keep bytes, and are gone afterwards."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.peers import tools
from tests.peers.dcmtk import Dcmqrscp, Storescp
from tests.peers.orthanc import Orthanc
from tests.peers.ports import free_port
from tests.peers.process import RUNNING, ServerProcess, accepts_connections, listening_addresses


@pytest.fixture(scope="session")
def some_objects(plain_objects: list[Path]) -> list[Path]:
    """Six of them, of several studies."""
    return plain_objects[::14]


def test_orthanc_gives_back_the_bytes_it_was_given(orthanc: Callable[..., Orthanc], some_objects: list[Path]) -> None:
    peer = orthanc()
    answers = peer.upload(some_objects)
    assert set(answers.values()) == {"Success"}
    held = sorted(peer.file_of_id(one) for one in peer.ids())
    assert held == sorted(path.read_bytes() for path in some_objects)
    assert peer.counts()["instances"] == len(some_objects)


def test_orthanc_says_what_it_already_holds_and_what_it_refuses(
    orthanc: Callable[..., Orthanc], some_objects: list[Path]
) -> None:
    peer = orthanc()
    content = some_objects[0].read_bytes()
    assert [peer.upload_bytes(content), peer.upload_bytes(content), peer.upload_bytes(b"<html>")] == [
        "Success",
        "AlreadyStored",
        "refused 400",
    ]


def test_orthanc_loses_what_a_test_deletes(orthanc: Callable[..., Orthanc], some_objects: list[Path]) -> None:
    peer = orthanc()
    peer.upload(some_objects[:2])
    uid, kept = sorted(peer.instances())
    peer.delete(uid)
    assert list(peer.instances()) == [kept]
    peer.delete_all()
    assert peer.ids() == []


def test_orthanc_keeps_its_database_over_a_restart(orthanc: Callable[..., Orthanc], some_objects: list[Path]) -> None:
    peer = orthanc()
    peer.upload(some_objects[:1])
    before = peer.ids()
    peer.stop()
    assert not accepts_connections(peer.port)
    peer.start()
    assert peer.ids() == before


def test_orthanc_answers_an_echo_and_moves_to_a_peer_it_learns_about(
    orthanc: Callable[..., Orthanc],
    storescp: Callable[..., Storescp],
    dcmtk: Callable[..., str],
    some_objects: list[Path],
) -> None:
    source, receiver = orthanc(ae_title="LEGACY", options={"DicomAlwaysAllowMove": True}), storescp(ae_title="RECEIVER")
    dcmtk("echoscu", "-aec", "LEGACY", "127.0.0.1", source.port)
    source.upload(some_objects[:1])
    source.knows("RECEIVER", receiver.port)
    (uid,) = (item["MainDicomTags"]["StudyInstanceUID"] for item in source.get("/studies?expand"))
    key = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={uid}")
    dcmtk("movescu", "-S", "-aec", "LEGACY", "-aem", "RECEIVER", *key, "127.0.0.1", source.port)
    assert len(receiver.files()) == 1


def test_orthanc_with_the_plugin_speaks_dicomweb(orthanc: Callable[..., Orthanc], some_objects: list[Path]) -> None:
    peer = orthanc(dicomweb=True)
    peer.upload(some_objects[:1])
    assert len(peer.get("/dicom-web/instances")) == 1


def test_dcmqrscp_finds_and_moves_what_was_indexed(
    dcmqrscp: Callable[..., Dcmqrscp],
    storescp: Callable[..., Storescp],
    dcmtk: Callable[..., str],
    some_objects: list[Path],
) -> None:
    receiver = storescp(ae_title="RECEIVER")
    source = dcmqrscp(ae_title="LEGACY", modalities={"RECEIVER": receiver.port})
    source.index(some_objects)
    assert [path.read_bytes() for path in source.files()] == [path.read_bytes() for path in some_objects]
    address = ("-aec", "LEGACY", "127.0.0.1", source.port)
    found = dcmtk("findscu", "-S", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID", *address)
    uids = {
        line.split("[")[1].split("]")[0].rstrip("\0")
        for line in found.splitlines()
        if "(0020,000d)" in line and "[" in line
    }
    for uid in uids:
        key = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={uid}")
        dcmtk("movescu", "-S", "-aem", "RECEIVER", *key, *address)
    assert len(receiver.files()) == len(some_objects)


def test_dcmqrscp_stores_what_it_is_sent(dcmqrscp: Callable[..., Dcmqrscp], some_objects: list[Path]) -> None:
    peer = dcmqrscp()
    peer.store(some_objects[:2])
    assert len(peer.files()) == 2


def test_a_server_dies_with_the_test_process_however_that_ends(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys, time\n"
        "from tests.peers.process import ServerProcess\n"
        "server = ServerProcess('sleeper', ['sleep', '60'], pathlib.Path(sys.argv[1]), {})\n"
        "print(server.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    with owner.stdout:
        server_pid = int(owner.stdout.readline())
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    assert _gone_within(server_pid, seconds=5)


def test_a_server_that_ignores_the_polite_signal_is_stopped_all_the_same(tmp_path: Path) -> None:
    server = ServerProcess("stubborn", ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"], tmp_path, {})
    server.wait_until(lambda: "up" in server.log())
    assert server in RUNNING
    server.stop(patience_s=0.2)
    assert not server.alive
    assert server not in RUNNING
    assert _gone_within(server.pid, seconds=1)


def test_a_server_that_ends_at_once_is_reported_with_its_log(tmp_path: Path) -> None:
    server = ServerProcess("broken", ["sh", "-c", "echo no such table; exit 3"], tmp_path, {})
    with pytest.raises(AssertionError, match=r"ended at once with 3:\nno such table"):
        server.wait_until(lambda: False)
    server.stop()


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_the_addresses_a_server_listens_on_can_be_asked_for(address: str, tmp_path: Path) -> None:
    port = free_port()
    command = ["sh", "-c", f"{sys.executable} -m http.server --bind {address} {port} & wait"]
    server = ServerProcess("web", command, tmp_path, {})
    try:
        server.wait_until(lambda: accepts_connections(port))
        assert listening_addresses(server.pid) == {address}
    finally:
        server.kill()


def test_free_ports_are_never_given_twice() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    for port in ports[:3]:
        with socket.create_server(("127.0.0.1", port)):
            assert accepts_connections(port)


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_program_fails_the_build_server_and_skips_elsewhere(
    ci: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(outcome, match="apt-get install dcmtk"):
        tools.program("findscu")


def test_files_of_the_tests_are_private(tmp_path: Path) -> None:
    with tempfile.NamedTemporaryFile(delete=False) as scratch:
        left_behind = Path(scratch.name)
    kept = tmp_path / "file"
    kept.write_bytes(b"")
    assert left_behind.is_relative_to(tmp_path.parents[1])
    assert {path.stat().st_mode & 0o077 for path in (kept, left_behind, tmp_path, left_behind.parent)} == {0}


def _gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False
