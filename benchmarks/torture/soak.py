"""A long migration with a fault every few seconds: memory and descriptors stay flat, and it ends balanced."""

from __future__ import annotations

import contextlib
import random
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
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

SAMPLE_S = 2.0
FAULT_EVERY_S = (1.0, 4.0)
TIMEOUT_S = 3 * 3_600.0
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """Engine and workers at one moment, after so many instances were verified."""

    instances: int
    engine_bytes: int
    workers_bytes: int
    descriptors: int


@dataclass
class Watched:
    """How a run went."""

    ended: Ended
    samples: list[Sample] = field(default_factory=list)

    def slope_mib(self, of: Callable[[Sample], int]) -> float:
        """MiB of resident memory per 10,000 instances, by least squares over the run but for its first third."""
        later = [one for one in self._later if one.instances]
        if len({one.instances for one in later}) < 3:
            return 0.0
        line = statistics.linear_regression([one.instances for one in later], [of(one) / MIB for one in later])
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


def soak(stand: Stand, proxies: Proxies, chance: random.Random) -> Iterator[Outcome]:
    """Once without faults, once with: `stand` must not have made an undisturbed run yet."""
    outcome = Outcome("soak without faults", "small instances, nothing in the way", adds_up=False)
    run = stand.begin()
    watched = _watched(run, lambda: None)
    expected = end_state(run, stand.far)
    instances = len(expected.held)
    outcome.facts["instances"] = instances
    outcome.facts["C-STORE per instance"] = f"{expected.stores.total() / instances:.3f}"
    outcome.add("without faults", judge(expected, expected, watched.ended))
    _tell(outcome, watched)
    yield outcome
    shutil.rmtree(run)
    outcome = Outcome("soak", "small instances, connections spoilt every few seconds", adds_up=False)
    run = stand.begin()
    watched = _watched(run, _storm(proxies, chance))
    for proxy in proxies.values():
        proxy.orders.clear()
    outcome.tried = sum(len(proxy.fired) for proxy in proxies.values())
    ended = watched.ended if watched.ended.code == 0 else stand.finish(run)
    end = end_state(run, stand.far)
    outcome.facts["instances"] = len(end.held)
    outcome.add("with faults", judge(end, expected, ended))
    _tell(outcome, watched)
    yield outcome


def _tell(outcome: Outcome, watched: Watched) -> None:
    before, after = watched.descriptors
    outcome.facts |= {
        "memory slope, MiB per 10,000": f"{watched.slope_mib(lambda one: one.engine_bytes + one.workers_bytes):.2f}",
        "memory slope of the engine": f"{watched.slope_mib(lambda one: one.engine_bytes):.2f}",
        "memory slope of the workers": f"{watched.slope_mib(lambda one: one.workers_bytes):.2f}",
        "most descriptors, second and last third": f"{before}, {after}",
    }


def _storm(proxies: Proxies, chance: random.Random) -> Callable[[], None]:
    """A function that spoils a connection when its time has come."""
    due = time.monotonic()

    def strike() -> None:
        nonlocal due
        if time.monotonic() < due:
            return
        due = time.monotonic() + chance.uniform(*FAULT_EVERY_S)
        proxy = chance.choice(list(proxies.values()))
        fault = Fault(kind=chance.choice(QUICK_KINDS), after_bytes=int(40_000 ** chance.random()))
        proxy.orders.append(fault)

    return strike


def _watched(run: Path, strike: Callable[[], None]) -> Watched:
    command = Command(run, "run")
    samples: list[Sample] = []
    began = sampled = time.monotonic()
    while command.process.poll() is None and time.monotonic() - began < TIMEOUT_S:
        strike()
        if time.monotonic() - sampled > SAMPLE_S and (sample := _sample(run, command)) is not None:
            samples.append(sample)
            sampled = time.monotonic()
        time.sleep(0.2)
    return Watched(command.end(), samples)


def _sample(run: Path, command: Command) -> Sample | None:
    with contextlib.suppress(psutil.NoSuchProcess):
        engine, workers = psutil.Process(command.process.pid), command.workers()
        return (
            Sample(
                _ended(run),
                engine.memory_info().rss,
                sum(one.memory_info().rss for one in workers),
                sum(one.num_fds() for one in (engine, *workers)),
            )
            if workers
            else None
        )
    return None


def _ended(run: Path) -> int:
    """Instances of studies that have been verified: every study has as many."""
    return read.states(run).get("VERIFIED", 0) * INSTANCES_PER_STUDY


INSTANCES_PER_STUDY = 20
