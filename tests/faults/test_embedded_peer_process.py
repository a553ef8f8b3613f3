from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from migrate.demo.misbehaviour import FindMisbehaviours, Misbehaviours
from migrate.demo.pacs import PeerOptions
from migrate.demo.process import read_store_log, started_peer
from migrate.errors import LocalError

STARTER = """
import sys, time
from pathlib import Path
from migrate.demo.pacs import PeerOptions
from migrate.demo.process import started_peer
with started_peer(PeerOptions(ae_title="CHILD", folder=Path(sys.argv[1]))) as peer:
    print(peer.pid, flush=True)
    time.sleep(60)
"""


def gone(pid: int, within_s: float = 10) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_a_peer_runs_in_its_own_process_for_as_long_as_it_is_wanted(tmp_path: Path) -> None:
    with started_peer(PeerOptions(ae_title="CHILD", folder=tmp_path)) as peer:
        assert peer.port > 0
        assert psutil.Process(peer.pid).is_running()
    assert gone(peer.pid)


def test_the_store_log_is_read_by_another_process(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert read_store_log(log) == []
    log.write_text("1.2.3 0000 1.2.840.10008.1.2\n1.2.4  1.2.840.10008.1.2\n")
    assert read_store_log(log) == [("1.2.3", 0), ("1.2.4", None)]


def test_a_peer_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    assert gone(child)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_peer_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with started_peer(PeerOptions(ae_title="CHILD", folder=tmp_path)) as peer:
        os.kill(peer.pid, number)
        assert gone(peer.pid)


def test_a_peer_that_cannot_start_is_a_local_error(tmp_path: Path) -> None:
    with (
        started_peer(PeerOptions(ae_title="CHILD", folder=tmp_path)) as peer,
        pytest.raises(LocalError),
        started_peer(PeerOptions(ae_title="SECOND", folder=tmp_path, port=peer.port)),
    ):
        pass


@pytest.mark.parametrize("content", ["", "{}", '{"ae_title": "X", "folder": "f", "misbehaviours": {"finds": {}}}'])
def test_a_wrong_configuration_is_said_and_has_its_exit_code(tmp_path: Path, content: str) -> None:
    (tmp_path / "peer.json").write_text(content)
    command = [sys.executable, "-m", "migrate.demo.serve", str(tmp_path / "peer.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 20
    assert done.stderr.startswith("error: ")


def test_options_survive_json(tmp_path: Path) -> None:
    options = PeerOptions(
        ae_title="X",
        folder=tmp_path,
        destinations={"DIR": ("127.0.0.1", 104)},
        misbehaviours=Misbehaviours(find=FindMisbehaviours(result_cap=5)),
        allow=("A", "B"),
        store_log=tmp_path / "log",
        formula=1000,
    )
    assert PeerOptions.from_mapping(json.loads(json.dumps(options.to_mapping()))) == options
