"""System calls seen and spoilt from outside with strace: no fail point stands in the product.

`when=N` counts the calls of each thread. `--seccomp-bpf` would leave threads out and is never used.
With `-D` the tracer is nobody's parent: it may be stopped and what it traced goes on.
"""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from migrate.journal import read, sql
from tests.engine.command import Command, Ended
from tests.peers import tools

Scope = Literal["engine", "worker"]
KILL = "signal=SIGKILL"
#: Calls that Python itself makes while it starts: spoilt only when the engine is at work.
IN_EVERY_PROGRAM = frozenset({"openat", "recvfrom", "mmap"})
ATTACH_TIMEOUT_S = 30.0
TRACER_TIMEOUT_S = 5.0
RUN_TIMEOUT_S = 240.0


@dataclass(frozen=True, slots=True)
class Point:
    """The n-th call of one kind in the engine's main thread, or in any thread of a worker."""

    scope: Scope
    syscall: str
    number: int

    def __str__(self) -> str:
        """Short, for tables and the names of tests."""
        return f"{self.scope} {self.syscall} {self.number}"


@dataclass(frozen=True, slots=True)
class Hit:
    """How a command ended under injection, and whether the call was reached."""

    ended: Ended
    fired: bool


def run_spoilt(run: Path, point: Point, injected: str = KILL) -> Hit:
    """`migrate run` with one call spoilt: `injected` is `signal=SIGKILL` or `error=ENOSPC`."""
    log = run.parent / f"{run.name}.strace"
    log.unlink(missing_ok=True)
    if point.scope == "engine" and point.syscall not in IN_EVERY_PROGRAM:
        command = Command(run, "run", under=_strace(log, point, injected, "-D"))
        ended = command.end(RUN_TIMEOUT_S)
    else:
        command = Command(run, "run")
        pid = _worker(command) if point.scope == "worker" else _at_work(command, run)
        more = ("-f",) if point.scope == "worker" else ()
        with _tracer(_strace(log, point, injected, *more), pid, log):
            ended = command.end(RUN_TIMEOUT_S)
    return Hit(ended, _fired(log))


def census(run: Path, scope: Scope, syscalls: tuple[str, ...]) -> dict[str, int]:
    """How many calls of each kind one thread makes at most in an undisturbed run."""
    log = run.parent / f"{run.name}.strace"
    counting = ("-f", "-qq", "-o", str(log), "-e", f"trace={','.join(syscalls)}")
    strace = tools.program("strace")
    if scope == "engine":
        ended = Command(run, "run", under=(strace, "-D", "-qq", *counting[2:])).end(RUN_TIMEOUT_S)
    else:
        command = Command(run, "run")
        with _tracer((strace, *counting), _worker(command), log):
            ended = command.end(RUN_TIMEOUT_S)
    if ended.code:
        raise RuntimeError(f"the counted run ended with {ended.code}: {ended.stderr[-2000:]}")
    return _most_in_a_thread(log)


def _strace(log: Path, point: Point, injected: str, *more: str) -> tuple[str, ...]:
    call = point.syscall
    inject = f"inject={call}:{injected}:when={point.number}"
    return (tools.program("strace"), *more, "-qq", "-o", str(log), "-e", f"trace={call}", "-e", inject)


@contextlib.contextmanager
def _tracer(strace: tuple[str, ...], pid: int | None, log: Path) -> Iterator[None]:
    """A tracer on a process that runs already; nothing when it has gone."""
    if pid is None:
        yield
        return
    tracer = subprocess.Popen(  # noqa: S603 - strace on our own processes
        (*strace, "-p", str(pid)), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    if not any(KILL in word for word in strace):
        threading.Thread(target=_once, args=(tracer, log), daemon=True).start()
    try:
        yield
    finally:
        tracer.send_signal(signal.SIGTERM)
        try:
            tracer.wait(TRACER_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            tracer.kill()
            tracer.wait()


def _once(tracer: subprocess.Popen[bytes], log: Path) -> None:
    """`when` counts for each thread anew; one fault is enough.

    Not for kills: a tracer that ends while its process dies would keep the parent from hearing of it.
    """
    while tracer.poll() is None:
        if _fired(log):
            tracer.send_signal(signal.SIGTERM)
            return
        time.sleep(0.01)


def _at_work(command: Command, run: Path) -> int | None:
    """The engine, when it has recorded something."""
    before = recorded(run)
    return command.process.pid if command.wait_until(lambda: recorded(run) > before) else None


def recorded(run: Path) -> int:
    """Events in the journal."""
    with read.connected(run) as db:
        return int(db.execute(sql.LAST_SEQ).fetchone()[0]) if db else 0


def _worker(command: Command) -> int | None:
    """The first worker, as soon as there is one."""
    deadline = time.monotonic() + ATTACH_TIMEOUT_S
    while command.process.poll() is None and time.monotonic() < deadline:
        if workers := command.workers():
            return int(workers[0].pid)
        time.sleep(0.01)
    return None


def _fired(log: Path) -> bool:
    told = log.read_text(errors="replace") if log.exists() else ""
    return "(INJECTED)" in told or "killed by SIGKILL" in told


def _most_in_a_thread(log: Path) -> dict[str, int]:
    calls: dict[str, Counter[str]] = defaultdict(Counter)
    for line in log.read_text(errors="replace").splitlines():
        if found := re.match(r"(?:(\d+)\s+)?(\w+)\(", line):
            calls[found[2]][found[1] or ""] += 1
    return {call: max(threads.values()) for call, threads in calls.items()}


def family(pid: int) -> list[psutil.Process]:
    """A process and everything that it started."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
