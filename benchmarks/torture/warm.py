"""Commands that start without their imports: forked from a process that has made them, then on their own.

Two thirds of a killed command's life are the imports of its interpreter. What is killed is a whole process all the
same: a session, descriptors, locks, threads and workers of its own. Only `migrate run` under a tracer starts cold.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from tests.engine.command import Command

POLL_S = 0.01
FORK_TIMEOUT_S = 30.0


class WarmProcess:
    """A forked command, as `subprocess.Popen` shows one; a process between us leaves its exit code in a file."""

    def __init__(self, pid: int, ended: Path) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = ended

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        if self.returncode is None and self._ended.exists():
            self.returncode = int(self._ended.read_text(encoding="ascii"))
            self._ended.unlink()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its exit code.

        Raises:
            subprocess.TimeoutExpired: It did not end in `timeout` seconds.
        """
        began = time.monotonic()
        while (code := self.poll()) is None:
            if timeout is not None and time.monotonic() - began > timeout:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(POLL_S)
        return code

    def send_signal(self, number: int) -> None:
        """To it alone."""
        if self.poll() is None:
            os.kill(self.pid, number)


class Forks:
    """The process that has made the imports."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self, arguments: Sequence[str], out: Path, err: Path) -> WarmProcess:
        """Fork one command.

        Raises:
            RuntimeError: The forking process is gone.
        """
        assert self._process.stdin
        assert self._process.stdout
        for path in (out, err):  # it may be killed before it opens them
            path.touch()
        self._process.stdin.write(json.dumps([list(arguments), str(out), str(err)]) + "\n")
        self._process.stdin.flush()
        told = self._process.stdout.readline()
        if not told:
            raise RuntimeError("the process that forks commands is gone")
        return WarmProcess(int(told), out.with_suffix(".ended"))


class WarmCommand(Command):
    """A `Command` that starts without imports."""

    def __init__(self, forks: Forks, folder: Path, *arguments: str) -> None:
        self._forks = forks
        super().__init__(folder, *arguments)

    def _started(self, arguments: Sequence[str], cwd: Path | None, under: Sequence[str]) -> WarmProcess:
        return self._forks.start(arguments, self._path("out"), self._path("err"))


@contextlib.contextmanager
def forking() -> Iterator[Forks]:
    """Forks for as long as a `with` block lasts."""
    command = (sys.executable, "-m", "benchmarks.torture.warm")
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - us
    try:
        yield Forks(process)
    finally:
        assert process.stdin
        process.stdin.close()
        process.wait(FORK_TIMEOUT_S)


def _serve(orders: IO[str]) -> None:
    """One line of JSON for each command; without threads, which would not survive a fork."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in orders:
        arguments, out, err = json.loads(line)
        if os.fork() == 0:
            _between(arguments, Path(out), Path(err))


def _between(arguments: list[str], out: Path, err: Path) -> None:
    """Fork the command, wait for it, leave its exit code, and be gone."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    command = os.fork()
    if command == 0:
        _become(arguments, out, err)
    os.write(1, f"{command}\n".encode("ascii"))
    os.close(1)
    code = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
    half = out.with_suffix(".half")
    half.write_text(str(code), encoding="ascii")
    half.rename(out.with_suffix(".ended"))
    os._exit(0)


def _become(arguments: list[str], out: Path, err: Path) -> None:
    """What `Command` starts, from where its imports are done."""
    from migrate.cli import main  # noqa: PLC0415 - imported long ago

    os.setsid()
    for number, path, flags in ((0, Path(os.devnull), os.O_RDONLY), (1, out, os.O_WRONLY), (2, err, os.O_WRONLY)):
        os.dup2(os.open(path, flags | os.O_CREAT, 0o600), number)
    sys.argv = ["-c", *arguments]
    here = sys.modules["__main__"]
    here.__spec__ = None  # the command's own workers need not import this module
    del here.__file__
    code: int | str | None = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    sys.exit(code)


if __name__ == "__main__":
    import migrate.cli
    import migrate.engine.run  # noqa: F401 - what `migrate run` imports when it begins

    _serve(sys.stdin)
