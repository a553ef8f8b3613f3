"""Two engines never work on one run folder, and one that is gone holds up nobody."""

from __future__ import annotations

import getpass
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from migrate.errors import JournalError, JournalLocked
from migrate.journal import events as e
from migrate.journal import read
from migrate.journal.lease import FILE_NAME, Lease, Owner, holder, refuse_network
from migrate.journal.store import Journal
from tests.engine.command import migrate
from tests.engine.events import MAKERS

HOLD = """
import os, signal, sys, time
from pathlib import Path
from migrate.journal.events import Found
from migrate.journal.store import Journal
journal = Journal(Path(sys.argv[1]))
if sys.argv[2] == "fork" and not os.fork():
    time.sleep(60)
print("held", flush=True)
sys.stdin.readline()
try:
    journal.append([Found(study_instance_uid="1.9")])
except Exception as error:
    print(type(error).__name__, flush=True)
"""


@contextmanager
def held_elsewhere(folder: Path, how: str = "") -> Iterator[subprocess.Popen[str]]:
    """An engine in another process that writes one event when it reads a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def test_who_is_refused_is_told_who_holds_it_since_when_and_whether_it_lives(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path) as process, pytest.raises(JournalLocked) as caught:
        Journal(tmp_path)
    told = str(caught.value)
    for fact in (f"pid {process.pid}", f"on {socket.gethostname()}", f"user {getpass.getuser()}", "since 2", "sign"):
        assert fact in told
    assert "--take-over" in caught.value.hint


def test_a_lock_that_a_child_of_a_killed_owner_kept_is_taken_over_without_being_asked(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path, "fork") as process:
        process.kill()
        process.wait()
        with Journal(tmp_path) as journal:
            journal.append([MAKERS[e.Found]("1.1")])
    assert read.states(tmp_path) == {"FOUND": 1}


def test_an_owner_that_was_stopped_is_not_gone_and_is_fenced_when_it_was_taken_over(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path) as process:
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(JournalLocked):
            Journal(tmp_path)
        with Journal(tmp_path, take_over=True) as journal:
            journal.append([MAKERS[e.Found]("1.1")])
            process.send_signal(signal.SIGCONT)
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "JournalLocked\n"
            journal.append([MAKERS[e.Found]("1.2")])
    assert {row["study_instance_uid"] for row in read.study_states(tmp_path)} == {"1.1", "1.2"}


@pytest.mark.parametrize(
    ("alter", "gone"),
    [({}, False), ({"boot_id": "another"}, True), ({"started": "1"}, True), ({"pid": 2**22 + 1}, True)],
    ids=["alive", "other boot", "pid given to another process", "no such pid"],
)
def test_an_owner_is_gone_only_when_that_is_proven(alter: dict[str, object], gone: bool) -> None:
    assert replace(Owner.myself(), **alter).gone is gone  # type: ignore[arg-type]
    assert replace(Owner.myself(), **alter, host="elsewhere").gone is False  # type: ignore[arg-type]


def test_of_many_that_take_over_from_a_dead_owner_at_once_one_succeeds(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    with held_elsewhere(tmp_path, "fork") as process:
        process.kill()
        process.wait()
        won: list[Lease] = []
        start = threading.Barrier(8)

        def take() -> None:
            start.wait()
            with suppress(JournalLocked):
                won.append(Lease(tmp_path))

        threads = [threading.Thread(target=take) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        found = holder(path)
        assert found is not None
        assert found.pid == os.getpid()
        won[0].release()


def test_the_owner_shows_that_it_lives(tmp_path: Path) -> None:
    lease = Lease(tmp_path, heartbeat_s=0.05)
    os.utime(lease.path, (0, 0))
    deadline = time.monotonic() + 10
    while lease.path.stat().st_mtime < 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert lease.path.stat().st_mtime > 1
    lease.release()
    lease.release()


MOUNTS = """/dev/sda1 / ext4 rw 0 0
proc /proc proc rw 0 0
server:/export {mount} {kind} rw 0 0
"""


@pytest.mark.parametrize("kind", ["nfs4", "nfs", "cifs", "fuse.sshfs"])
def test_a_run_folder_on_a_network_filesystem_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(JournalError, match="network filesystem") as caught:
        refuse_network(tmp_path, MOUNTS.format(mount=tmp_path.parent, kind=kind))
    assert caught.value.exit_code == 30


@pytest.mark.parametrize(("mount", "kind"), [("/elsewhere", "nfs"), ("{parent}", "xfs"), ("{folder}x", "nfs")])
def test_a_run_folder_on_a_local_disk_is_not(tmp_path: Path, mount: str, kind: str) -> None:
    place = mount.format(parent=tmp_path.parent, folder=tmp_path)
    refuse_network(tmp_path, MOUNTS.format(mount=place, kind=kind))


def test_a_lock_file_that_says_nothing_is_no_reason_to_take_over(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path):
        (tmp_path / FILE_NAME).write_text(json.dumps(asdict(Owner.myself()) | {"more": 1}))
        with pytest.raises(JournalLocked, match="unknown"):
            Journal(tmp_path)


def test_a_second_run_ends_with_31_and_takes_over_when_told(tmp_path: Path) -> None:
    config = '[run]\nname = "a"\nsource = "A"\n[receiver]\nport = {port}\n[staging]\nreserve_gb = 0.01\n'
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    (tmp_path / "migration.toml").write_text(config.format(port=port))
    with held_elsewhere(tmp_path) as process:
        refused = migrate(tmp_path, "run")
        assert (refused.code, f"pid {process.pid}" in refused.stderr) == (31, True)
        assert migrate(tmp_path, "run", "--take-over").code == 0
