"""What a trial costs: wall clock, CPU of ours and of the peers, peak of resident memory.

CPU comes from the kernel's own clock of a process (all of its threads, to the nanosecond), or from
`wait4` for programs that have ended, their own children included. Linux only.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

CLOCK_OF_ALL_THREADS = 2  # CPUCLOCK_SCHED, the low bits of a process's clock id
PEAK = "VmHWM:"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One trial of one side. `amount` is what was moved, in the unit of the row (GB, instances, answers)."""

    wall_s: float
    cpu_s: float
    amount: float
    peer_cpu_s: float = 0.0
    peak_bytes: int = 0

    @property
    def cpu_each_s(self) -> float:
        """CPU seconds for one unit."""
        return self.cpu_s / self.amount

    @property
    def per_s(self) -> float:
        """Units in a second of wall clock."""
        return self.amount / self.wall_s


@dataclass(frozen=True, slots=True)
class Usage:
    """What a command used."""

    wall_s: float
    cpu_s: float
    peak_bytes: int


def cpu_s(pid: int) -> float:
    """CPU seconds of a living process so far, its threads included, its children not."""
    return time.clock_gettime((~pid << 3) | CLOCK_OF_ALL_THREADS)


def reset_peak(pid: int) -> None:
    """Let the peak of resident memory be counted from now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def memory_bytes(pid: int, field: str = PEAK) -> int:
    """Resident memory of a living process: its peak, or what it has now (`VmRSS:`)."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """CPU of some processes at one moment."""

    pids: tuple[int, ...]
    at_s: float

    @classmethod
    def of(cls, *pids: int) -> Snapshot:
        """Now."""
        return cls(pids, sum(cpu_s(pid) for pid in pids))

    def since_s(self) -> float:
        """CPU seconds that these processes used since."""
        return sum(cpu_s(pid) for pid in self.pids) - self.at_s


def command(
    arguments: Sequence[str | Path], env: Mapping[str, str] | None = None, output: IO[bytes] | None = None
) -> Usage:
    """Run a program to its end; what it prints, on stderr too, goes to `output`.

    Raises:
        RuntimeError: It ended with another code than 0; the end of what it said on stderr is in the text.
    """
    with tempfile.TemporaryFile() as said:
        began = time.monotonic()
        process = subprocess.Popen(  # noqa: S603 - programs of this bench, no shell
            [str(one) for one in arguments],
            stdout=output or subprocess.DEVNULL,
            stderr=output or said,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(env or {})},
        )
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{arguments[0]} ended with {process.returncode}: {said.read()[-2000:].decode()}")
    return Usage(wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


Side = Callable[[], Trial]
Comparison = dict[str, list[Trial]]


def interleaved(rounds: int, sides: Mapping[str, Side]) -> Comparison:
    """A B A B …: every side once a round, so that load on the machine meets all of them."""
    trials: Comparison = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            trials[name].append(side())
    return trials


def middle(trials: Iterable[Trial], of: Callable[[Trial], float]) -> float:
    """The median of a figure over trials."""
    return statistics.median(of(one) for one in trials)
