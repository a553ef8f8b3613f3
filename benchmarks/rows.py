"""The rows of the result: a figure of ours beside one of a peer, their ratio, and what it has to be."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.measure import Comparison, Trial, middle


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on the ratio. `at_most` says which side of it is good; without `must` the row explains others."""

    must: float | None = None
    aim: float | None = None
    at_most: bool = True

    def met(self, ratio: float, bound: float | None) -> bool:
        """Whether `ratio` keeps `bound`; a bound that is not there is kept."""
        return bound is None or (ratio <= bound if self.at_most else ratio >= bound)


@dataclass(frozen=True, slots=True)
class Figure:
    """What is compared: a number of one trial and its unit. `inverted`: small is quick, so theirs over ours."""

    unit: str
    of: Callable[[Trial], float]
    inverted: bool = False


CPU_PER_GB = Figure("CPU s/GB", lambda one: one.cpu_each_s)
CPU_US = Figure("CPU us each", lambda one: 1e6 * one.cpu_each_s)
CPU_MS = Figure("CPU ms each", lambda one: 1e3 * one.cpu_each_s)
WALL = Figure("wall s", lambda one: one.wall_s)
SPEED_UP = Figure("wall s", lambda one: one.wall_s, inverted=True)
FASTER = Figure("instances/s", lambda one: one.per_s)
GB_PER_S = Figure("GB/s", lambda one: one.per_s)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    against: str
    unit: str
    ours: float
    theirs: float
    ratio: float
    goal: Goal
    rounds: int
    each_round: tuple[float, ...] = ()
    peak_mib: float = 0.0
    our_cpu_s: float = 0.0
    their_cpu_s: float = 0.0
    peer_cpu_s: float = 0.0
    notes: tuple[str, ...] = ()
    profile: tuple[str, ...] = field(default=())

    @property
    def met(self) -> bool:
        """What must be reached is reached."""
        return self.goal.met(self.ratio, self.goal.must)

    @property
    def verdict(self) -> str:
        """`aim`, `must` or `MISSED`; nothing where there is no bound."""
        if self.goal.must is None:
            return ""
        if not self.met:
            return "MISSED"
        return "aim" if self.goal.met(self.ratio, self.goal.aim) else "must"

    def to_mapping(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, values: dict[str, Any]) -> Row:
        """The inverse of `to_mapping`."""
        lists = {name: tuple(values[name]) for name in ("each_round", "notes", "profile")}
        return cls(**{**values, **lists, "goal": Goal(**values["goal"])})


@dataclass(frozen=True, kw_only=True, slots=True)
class Contest:
    """What a row says in words, and which two sides of a comparison it is about."""

    what: str
    against: str
    goal: Goal
    ours: str = "ours"
    theirs: str = "theirs"
    notes: tuple[str, ...] = ()


def row_of(contest: Contest, figure: Figure, trials: Comparison) -> Row:
    """The ratio of the medians; the ratio of each round stands beside it."""
    mine, other = trials[contest.ours], trials[contest.theirs]
    ours, theirs = middle(mine, figure.of), middle(other, figure.of)
    pairs = [(figure.of(a), figure.of(b)) for a, b in zip(mine, other, strict=True)]

    def ratio(a: float, b: float) -> float:
        return b / a if figure.inverted else a / b

    return Row(
        what=contest.what,
        against=contest.against,
        unit=figure.unit,
        ours=ours,
        theirs=theirs,
        ratio=ratio(ours, theirs),
        goal=contest.goal,
        rounds=len(mine),
        each_round=tuple(round(ratio(a, b), 2) for a, b in pairs),
        peak_mib=max(one.peak_bytes for one in mine) / 2**20,
        our_cpu_s=statistics.median(one.cpu_s for one in mine),
        their_cpu_s=statistics.median(one.cpu_s for one in other),
        peer_cpu_s=statistics.median(one.peer_cpu_s for one in mine),
        notes=contest.notes,
    )
