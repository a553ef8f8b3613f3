"""A long migration with a fault every few seconds: memory and descriptors stay flat, and it ends balanced."""

from __future__ import annotations

import contextlib
import random
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.torture.endstate import end_state, judge
from benchmarks.torture.network import QUICK_KINDS, Proxies
from benchmarks.torture.outcome import Outcome
from benchmarks.torture.stand import Stand
from migrate.journal import read
from tests.engine.command import Command, Ended
from tests.peers.proxy import Fault

SAMPLE_S = 0.5
FAULT_EVERY_S = (1.0, 4.0)
TIMEOUT_S = 3 * 3_600.0
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """Engine and worker together at one moment, after so many instances were received."""

    instances: int
    rss_bytes: int
    descriptors: int


@dataclass
class Watched:
    """How a run went."""

    ended: Ended
    samples: list[Sample] = field(default_factory=list)
    faults: int = 0

    @property
    def slope_mib(self) -> float:
        """MiB of resident memory per 10,000 instances, by least squares over the run but for its first third."""
        later = [one for one in self._later if one.instances]
        if len({one.instances for one in later}) < 3:
            return 0.0
        line = statistics.linear_regression([one.instances for one in later], [one.rss_bytes / MIB for one in later])
        return line.slope * 10_000

    @property
    def descriptors(self) -> tuple[int, int]:
        """Most open files in the second third, and in the last."""
        later = self._later
        middle = len(later) // 2
        counts = [one.descriptors for one in later]
        return max(counts[:middle], default=0), max(counts[middle:], default=0)

    @property
    def _later(self) -> Sequence[Sample]:
        return self.samples[len(self.samples) // 3 :]


def soak(stand: Stand, proxies: Proxies, chance: random.Random) -> Outcome:
    """Once without faults, once with: `stand` must not have made an undisturbed run yet."""
    outcome = Outcome("soak", "small instances, connections spoilt every few seconds")
    calm_run = stand.begin()
    calm = _watched(calm_run, lambda: 0)
    expected = end_state(calm_run, stand.far)
    instances = len(expected.held)
    outcome.facts["instances"] = str(instances)
    outcome.facts["C-STORE per instance without faults"] = f"{expected.stores.total() / instances:.3f}"
    outcome.add("without faults", judge(expected, expected, calm.ended))
    _told(outcome, "calm", calm)
    shutil.rmtree(calm_run)
    stormy_run = stand.begin()
    stormy = _watched(stormy_run, _storm(proxies, chance))
    for proxy in proxies.values():
        proxy.orders.clear()
    outcome.tried = sum(len(proxy.fired) for proxy in proxies.values())
    ended = stormy.ended if stormy.ended.code == 0 else stand.finish(stormy_run)
    outcome.add("with faults", judge(end_state(stormy_run, stand.far), expected, ended))
    _told(outcome, "with faults", stormy)
    return outcome


def _told(outcome: Outcome, how: str, watched: Watched) -> None:
    before, after = watched.descriptors
    outcome.facts[f"memory slope {how}, MiB per 10,000"] = f"{watched.slope_mib:.2f}"
    outcome.facts[f"most descriptors {how}, second and last third"] = f"{before}, {after}"


def _storm(proxies: Proxies, chance: random.Random) -> Callable[[], int]:
    """A function that spoils a connection when its time has come."""
    due = time.monotonic()

    def strike() -> int:
        nonlocal due
        if time.monotonic() < due:
            return 0
        due = time.monotonic() + chance.uniform(*FAULT_EVERY_S)
        proxy = chance.choice(list(proxies.values()))
        fault = Fault(kind=chance.choice(QUICK_KINDS), after_bytes=int(40_000 ** chance.random()))
        proxy.orders.append(fault)
        return 1

    return strike


def _watched(run: Path, strike: Callable[[], int]) -> Watched:
    command = Command(run, "run")
    samples: list[Sample] = []
    faults = 0
    began = time.monotonic()
    while command.process.poll() is None and time.monotonic() - began < TIMEOUT_S:
        faults += strike()
        if (sample := _sample(run, command)) is not None:
            samples.append(sample)
        time.sleep(SAMPLE_S)
    return Watched(command.end(), samples, faults)


def _sample(run: Path, command: Command) -> Sample | None:
    workers = command.workers()
    if not workers:
        return None
    rss_bytes = descriptors = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in (psutil.Process(command.process.pid), *workers):
            rss_bytes += process.memory_info().rss
            descriptors += process.num_fds()
        return Sample(_ended(run), rss_bytes, descriptors)
    return None


def _ended(run: Path) -> int:
    """Instances of studies that have been verified: every study has as many."""
    return read.states(run).get("VERIFIED", 0) * INSTANCES_PER_STUDY


INSTANCES_PER_STUDY = 20
