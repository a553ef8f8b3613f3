"""A server process that a test started: waited for by asking it, its log kept, gone when the test is gone."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

RUNNING: list[ServerProcess] = []  # what a failing test shows the logs of


class ServerProcess:
    """One running server and the file that takes its output.

    Args:
        name: Shown above its log when a test fails.
        command: Program and arguments.
        folder: Where the log goes; also the working folder.
        env: Added to our own environment.
    """

    def __init__(self, name: str, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
        self.name = name
        self.log_path = folder / f"{name}.log"
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*_tied_to_us(), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**os.environ, **env},
                start_new_session=True,
            )
        RUNNING.append(self)

    @property
    def pid(self) -> int:
        """Process id, also the id of its process group."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """The process has not ended."""
        return self._process.poll() is None

    def log(self) -> str:
        """Everything it has printed so far."""
        return self.log_path.read_text(errors="replace")

    def wait_until(self, answers: Callable[[], bool], timeout_s: float = 30) -> None:
        """Ask until the server answers.

        Raises:
            AssertionError: It ended, or did not answer in time; the message holds its log.
        """
        deadline = time.monotonic() + timeout_s
        while not answers():
            assert self.alive, f"{self.name} ended at once with {self._process.returncode}:\n{self.log()}"
            assert time.monotonic() < deadline, f"{self.name} gave no answer in {timeout_s} s:\n{self.log()}"
            time.sleep(0.02)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server and all its children: SIGSTOP, SIGCONT, SIGKILL."""
        if self.alive:
            os.killpg(self.pid, number)

    def stop(self, patience_s: float = 5) -> None:
        """End the server and its children; by force when it does not go."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
        self.kill()

    def kill(self) -> None:
        """End the server and its children at once, as a power cut would."""
        with contextlib.suppress(ProcessLookupError):  # a forking server may leave children in its group behind
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        if self in RUNNING:
            RUNNING.remove(self)


def accepts_connections(port: int) -> bool:
    """Something listens on a loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def listening_addresses(pid: int) -> set[str]:
    """Addresses, without ports, on which a process and its children listen for TCP connections."""
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    sockets = (one for member in family for one in member.net_connections(kind="tcp"))
    return {one.laddr.ip for one in sockets if one.status == psutil.CONN_LISTEN}


def _tied_to_us() -> tuple[str, ...]:
    """A prefix that makes the kernel kill the child when the test process dies, however it dies."""
    found = shutil.which("setpriv")
    return (found, "--pdeathsig", "KILL", "--") if found else ()
