"""SIGKILL at the n-th call of each kind, in the engine or in a worker, and again while that is repaired."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.torture.outcome import Budget, Outcome
from benchmarks.torture.stand import Stand
from benchmarks.torture.tracing import Point, Scope, census, run_spoilt

SYSCALLS: dict[Scope, tuple[str, ...]] = {
    "engine": ("fsync", "fdatasync", "rename", "pwrite64", "unlink", "sendto"),
    "worker": ("fsync", "syncfs", "rename", "unlink", "sendmsg", "sendto"),
}
KILLED_AGAIN = 0.3


def all_points(stand: Stand) -> list[Point]:
    """Every point that an undisturbed run reaches in one thread."""
    found = []
    for scope, syscalls in SYSCALLS.items():
        counted = census(stand.begin(), scope, syscalls)
        found += [Point(scope, call, n) for call in syscalls for n in range(1, counted.get(call, 0) + 1)]
    return found


def kill_at(stand: Stand, points: Iterable[Point], budget: Budget, chance: random.Random) -> Outcome:
    """One migration a point; in some, the run that repairs is killed at a point of its own."""
    outcome = Outcome("kill at a system call", "SIGKILL at the n-th call, then the same command to the end")
    again = 0
    for point in points:
        if budget.spent(outcome.tried):
            break
        run = stand.begin()
        where: list[str] = []
        for one in _one_or_two(point, chance):
            hit = run_spoilt(run, one)
            outcome.tried += hit.fired
            again += hit.fired and bool(where)
            where.append(str(one) if hit.fired else f"{one} not reached")
        outcome.add(", ".join(where), stand.verdict(run))
    outcome.facts["kills during recovery"] = str(again)
    return outcome


def kill_in_a_row(stand: Stand, points: Iterable[Point]) -> Outcome:
    """Killed at one point after another: each run repairs and is killed while it does.

    A run that ends all the same (its worker was killed and started again) is judged, and the next point
    meets a new migration.
    """
    outcome = Outcome("kills in a row", "each repairing run is killed at a point of its own")
    run: Path | None = None
    where: list[str] = []
    for point in points:
        run = run or stand.begin()
        hit = run_spoilt(run, point)
        outcome.tried += hit.fired
        where.append(str(point) if hit.fired else f"{point} not reached")
        if hit.ended.code == 0:
            outcome.add(", ".join(where), stand.verdict(run, hit.ended))
            run, where = None, []
    if run:
        outcome.add(", ".join(where), stand.verdict(run))
    return outcome


def _one_or_two(point: Point, chance: random.Random) -> Iterator[Point]:
    yield point
    if chance.random() < KILLED_AGAIN:
        scope = chance.choice(tuple(SYSCALLS))
        yield Point(scope, chance.choice(SYSCALLS[scope]), chance.randint(1, 12))
