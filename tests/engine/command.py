"""The `migrate` command as a process, as an operator starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil

MAIN = "from migrate.cli import main; main()"


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        found: dict[str, Any] = json.loads(self.stdout)
        return found


class Process(Protocol):
    """What is asked of a process that was started: a part of `subprocess.Popen`."""

    pid: int

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its exit code."""
        ...

    def send_signal(self, sig: int, /) -> None:
        """To it alone."""
        ...


class Command:
    """One running `migrate` with a process group of its own, as a terminal gives it.

    `under` is a program and its arguments that start it, such as a tracer.
    """

    def __init__(self, folder: Path, *arguments: str, cwd: Path | None = None, under: Sequence[str] = ()) -> None:
        self._out = folder.parent / f"{folder.name}-{time.monotonic_ns()}"
        self.process = self._started(["--run", str(folder), *arguments], cwd, under)

    def _started(self, arguments: Sequence[str], cwd: Path | None, under: Sequence[str]) -> Process:
        command = [*under, sys.executable, "-c", MAIN, *arguments]
        with self._path("out").open("wb") as out, self._path("err").open("wb") as err:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=cwd, start_new_session=True
            )

    def _path(self, which: str) -> Path:
        return self._out.with_suffix(f".{which}")

    def stderr(self) -> str:
        """What it has said so far."""
        return self._path("err").read_text(errors="replace")

    def stdout(self) -> str:
        """What it has said on stdout so far."""
        return self._path("out").read_text(errors="replace")

    def workers(self) -> list[psutil.Process]:
        """Its Dask workers."""
        try:
            children = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        return [child for child in children if "spawn_main" in _command_line(child)]

    def wait_until(self, holds: Callable[[], bool], timeout_s: float = 30) -> bool:
        """Wait until something holds or the command has ended; whether it held."""
        deadline = time.monotonic() + timeout_s
        while self.process.poll() is None and time.monotonic() < deadline:
            if holds():
                return True
            time.sleep(0.02)
        return holds()

    def kill(self) -> None:
        """SIGKILL to the engine alone: its workers must notice by themselves."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def interrupt(self) -> None:
        """Ctrl-C: SIGINT to the whole process group, as a terminal does."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self, timeout_s: float = 60) -> Ended:
        """Wait for the end.

        Raises:
            AssertionError: It did not come in time.
        """
        try:
            code = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise AssertionError(f"no end in {timeout_s} s:\n{self.stderr()[-3000:]}") from None
        return Ended(code=code, stdout=self._path("out").read_text(), stderr=self.stderr())


def migrate(folder: Path, *arguments: str, timeout_s: float = 60) -> Ended:
    """Run one command to its end."""
    return Command(folder, *arguments).end(timeout_s)


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""
