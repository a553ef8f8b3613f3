"""Kill at system calls, at random moments, in the middle of repairs: the fixed set of what `make torture` tries."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.torture.moments import kill_sometimes
from benchmarks.torture.outcome import Budget
from benchmarks.torture.points import kill_in_a_row
from benchmarks.torture.stand import EVERY_DCMTK_SENDS, PAIRS, Order, recipes, standing
from benchmarks.torture.tracing import Point

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("torture"), pytest.mark.timeout(600)]

#: Each run repairs what the one before left, and is killed at the next point. In the order in which a run reaches them:
#: opening and repairing, landing, the tables.
ROWS = {
    "opening, landing, sending": [
        Point("engine", "pwrite64", 7),
        Point("worker", "rename", 3),
        Point("engine", "fdatasync", 9),
        Point("worker", "sendmsg", 5),
        Point("engine", "pwrite64", 150),
    ],
    "the tables and what they replace": [
        Point("engine", "pwrite64", 260),
        Point("engine", "fsync", 4),
        Point("engine", "rename", 1),
        Point("engine", "unlink", 5),
        Point("engine", "fdatasync", 2),
    ],
}


@pytest.mark.root
@pytest.mark.parametrize("points", ROWS.values(), ids=ROWS)
def test_a_migration_killed_at_system_calls_and_again_in_each_repair_ends_as_if_undisturbed(
    tmp_path: Path, points: list[Point]
) -> None:
    with standing(tmp_path) as stand:
        outcome = kill_in_a_row(stand, points)
    assert outcome.clean, outcome
    assert outcome.tried >= len(points) - 1, "the points were not reached"


@pytest.mark.parametrize(("pair", "kills"), [(PAIRS[0], 6), (PAIRS[1], 5), (PAIRS[2], 5)])
def test_engine_worker_and_receiver_killed_at_random_moments_lose_nothing_and_store_nothing_twice(
    tmp_path: Path, pair: str, kills: int
) -> None:
    studies = recipes(kinds=EVERY_DCMTK_SENDS) if pair.startswith("dcmqrscp") else recipes()
    with standing(tmp_path, Order(pair=pair, studies=studies)) as stand:
        outcome = kill_sometimes(stand, Budget(kills), random.Random(pair))
    assert outcome.clean, outcome
    assert outcome.tried == kills
