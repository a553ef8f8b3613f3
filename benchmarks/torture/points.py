"""SIGKILL at the n-th call of each kind, in the engine or in a worker, and again while that is repaired."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable
from itertools import repeat
from pathlib import Path

from benchmarks.torture.outcome import Budget, Outcome
from benchmarks.torture.stand import Stand
from benchmarks.torture.tracing import Point, Scope, census, run_spoilt

SYSCALLS: dict[Scope, tuple[str, ...]] = {
    "engine": ("fsync", "fdatasync", "rename", "pwrite64", "unlink", "sendto"),
    "worker": ("fsync", "syncfs", "rename", "unlink", "sendmsg", "sendto"),
}
#: Every run reaches calls with these numbers, also one that has little left to do.
EARLY = 12
REPAIRS_KILLED = 4


def all_points(stand: Stand) -> list[Point]:
    """Every point that an undisturbed run reaches in one thread."""
    found = []
    for scope, syscalls in SYSCALLS.items():
        counted = census(stand.begin(), scope, syscalls)
        found += [Point(scope, call, n) for call in syscalls for n in range(1, counted.get(call, 0) + 1)]
    return found


def kill_at(stand: Stand, points: Iterable[Point], budget: Budget, chance: random.Random) -> Outcome:
    """Killed at each point; what repairs is killed too, early and a few times, before the end is looked at.

    A new migration begins at a point that only it reaches, late in the run, when there is one left.
    """
    outcome = Outcome("kill at a system call", "SIGKILL at the n-th call, then the same command to the end")
    shuffled = sorted(points, key=lambda _: chance.random())
    late = deque(one for one in shuffled if one.number > EARLY)
    early = deque(one for one in shuffled if one.number <= EARLY)
    again = outcome.facts["kills during recovery"] = 0
    while (late or early) and not budget.spent(outcome):
        chain = deque(queue.popleft() for queue in (late or early, *repeat(early, REPAIRS_KILLED)) if queue)
        run, ended = stand.begin(), None
        where: list[str] = []
        while chain and ended is None:
            point = chain.popleft()
            hit = run_spoilt(run, point)
            outcome.tried += hit.fired
            again += hit.fired and bool(where)
            where.append(str(point) if hit.fired else f"{point} not reached")
            ended = None if hit.ended.code else hit.ended
        early.extendleft(chain)
        outcome.facts["kills during recovery"] = again
        outcome.add(", ".join(where), stand.verdict(run, ended))
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
