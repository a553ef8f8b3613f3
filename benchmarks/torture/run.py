"""`make torture`: every harness, or some, into torture.md.

    python -m benchmarks.torture.run [--only NAMES] [--minutes 60] [--seed 1] [--every 1]
                                     [--scratch DIR] [--results DIR]

`--minutes` bounds each harness; without a bound the whole takes most of a day. What was counted is kept after each
migration: stop it at any time, and go on with another seed, which is added.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.machine import facts
from benchmarks.torture.disk import cut_disk
from benchmarks.torture.moments import kill_sometimes
from benchmarks.torture.network import Weather, spoil, standing_behind_proxies
from benchmarks.torture.outcome import Budget, Outcome
from benchmarks.torture.points import all_points, kill_at
from benchmarks.torture.powercut import cut_landings, cut_migrations
from benchmarks.torture.refusals import REFUSALS, refuse
from benchmarks.torture.soak import INSTANCES_PER_STUDY, soak
from benchmarks.torture.stand import EVERY_DCMTK_SENDS, PAIRS, Order, recipes, standing
from benchmarks.torture.table import keep
from benchmarks.torture.warm import forking
from tests.engine.objects import SR
from tests.peers.proxy import KINDS

EMBEDDED = PAIRS[0]
CONTROL = "no peer, expected to lose"
FIFTY, MANY = (10, 5), (30, 2)  # studies, instances in each: 50 objects, or many that end one after the other
Results = Iterator[tuple[str, Outcome]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What one harness gets."""

    folder: Path
    seed: int
    minutes: float
    scale: float
    every: int
    results: Path
    known: Mapping[str, str]

    @property
    def chance(self) -> random.Random:
        """The same choices for the same seed."""
        return random.Random(self.seed)  # noqa: S311 - not for secrets

    def budget(self, full: int, pair: str = EMBEDDED) -> Budget:
        """So many faults at this scale, within the minutes."""
        return Budget(max(1, round(full * self.scale)), self.minutes, lambda outcome: self.keep(pair, outcome))

    def keep(self, pair: str, outcome: Outcome) -> None:
        """What was counted so far, as of this run."""
        keep(self.results, self.known, [(pair, outcome)])


def points(task: Task) -> Results:
    """SIGKILL at every n-th system call of a small migration, in random order."""
    with forking() as forks, standing(task.folder, Order(studies=recipes(*FIFTY), forks=forks)) as stand:
        found = all_points(stand)
        outcome = kill_at(stand, found[task.seed % task.every :: task.every], task.budget(10_000), task.chance)
        outcome.facts["points of an undisturbed run"] = str(len(found))
        yield EMBEDDED, outcome


def moments(task: Task) -> Results:
    """SIGKILL at random moments over three pairs of peers."""
    for pair in PAIRS:
        folder = task.folder / pair.replace(" ", "-")
        studies = recipes(*MANY, EVERY_DCMTK_SENDS) if pair.startswith("dcmqrscp") else recipes(*MANY)
        with forking() as forks, standing(folder, Order(pair=pair, studies=studies, forks=forks)) as stand:
            yield pair, kill_sometimes(stand, task.budget(350, pair), task.chance)


def landings(task: Task) -> Results:
    """Power cuts under a landing area, and the control without the fsync of the folder."""
    with cut_disk(task.folder) as disk:
        yield "no peer", cut_landings(disk, task.budget(500, "no peer"), task.chance)
        control = cut_landings(disk, Budget(24), task.chance, careless=True)
        control.facts["cuts until the loss was seen"] = control.tried
        yield CONTROL, control


def powercuts(task: Task) -> Results:
    """Power cuts of whole migrations."""
    with (
        cut_disk(task.folder / "cut") as disk,
        standing(task.folder / "stand", Order(studies=recipes(*FIFTY))) as stand,
    ):
        yield EMBEDDED, cut_migrations(stand, disk, task.budget(500), task.chance)


def refusals(task: Task) -> Results:
    """ENOSPC, EIO, EMFILE, ECONNRESET at random calls."""
    with standing(task.folder) as stand:
        rounds = [one for _ in range(32) for one in REFUSALS]
        yield EMBEDDED, refuse(stand, rounds, task.budget(600), task.chance)


def network(task: Task) -> Results:
    """Connections spoilt at random bytes."""
    with standing_behind_proxies(task.folder) as (stand, proxies):
        yield EMBEDDED, spoil(stand, Weather(proxies), task.budget(1_000), task.chance)


def silence(task: Task) -> Results:
    """Connections that fall silent: the time limits of both ends are waited for."""
    with standing_behind_proxies(task.folder) as (stand, proxies):
        outcome = spoil(stand, Weather(proxies, KINDS), task.budget(40), task.chance)
        outcome.harness = "network, silence too"
        yield EMBEDDED, outcome


def long(task: Task) -> Results:
    """20,000 small instances with faults every few seconds."""
    studies = max(5, round(20_000 / INSTANCES_PER_STUDY * task.scale))
    order = Order(studies=recipes(studies, INSTANCES_PER_STUDY, (SR,)), undisturbed=False)
    with standing_behind_proxies(task.folder, order) as (stand, proxies):
        for outcome in soak(stand, proxies, task.chance):
            yield EMBEDDED, outcome


HARNESSES: dict[str, Callable[[Task], Results]] = {
    "points": points,
    "moments": moments,
    "landings": landings,
    "powercuts": powercuts,
    "refusals": refusals,
    "network": network,
    "silence": silence,
    "soak": long,
}


def main() -> int:
    """Run what was asked for; 1 when anything was lost, doubled, different, left over or not finished."""
    asked = _arguments()
    logging.disable(logging.WARNING)
    wanted = asked.only.split(",") if asked.only else list(HARNESSES)
    if unknown := set(wanted) - set(HARNESSES):
        sys.exit(f"no such harness: {', '.join(sorted(unknown))}; there are: {', '.join(HARNESSES)}")
    bad = 0
    for name in wanted:
        with tempfile.TemporaryDirectory(prefix="migrate-torture-", dir=asked.scratch) as scratch:
            task = _task(name, Path(scratch), asked)
            try:
                for pair, outcome in HARNESSES[name](task):
                    task.keep(pair, outcome)
                    bad += (pair == CONTROL) == outcome.clean
                    _tell(f"{name}, {pair}: {outcome}")
            except pytest.skip.Exception as skipped:  # the fixtures of the tests say what this machine lacks
                _tell(f"{name}: skipped, {skipped}")
    return int(bad > 0)


def _task(name: str, scratch: Path, asked: argparse.Namespace) -> Task:
    return Task(
        folder=scratch / name,
        seed=asked.seed,
        minutes=asked.minutes,
        scale=asked.scale,
        every=asked.every,
        results=Path(asked.results),
        known={**facts(scratch), "seed": str(asked.seed), "command": _command(name, asked)},
    )


def _tell(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - what the person at the terminal waits for


def _command(name: str, asked: argparse.Namespace) -> str:
    every = f" --every {asked.every}" if name == "points" and asked.every > 1 else ""
    scale = f" --scale {asked.scale:g}" if asked.scale != 1 else ""
    return f"`make torture TORTURE_ARGS='--only {name} --minutes {asked.minutes:g} --seed {asked.seed}{scale}{every}'`"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="names of harnesses, joined by commas")
    parser.add_argument("--minutes", type=float, default=60.0, help="at most so long for each harness and pair")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the number of faults")
    parser.add_argument("--every", type=int, default=1, help="every n-th system call point")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scratch", default=None, help="folder on the disk to torture")
    parser.add_argument(
        "--results", default=Path(__file__).parent.parent, help="folder for torture.md and torture.json"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
