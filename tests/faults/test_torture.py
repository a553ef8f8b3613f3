"""The fixed set of what `make torture` tries at length: kills, power cuts, refusals, a spoilt network, a small soak.

One stand of embedded peers behind proxies serves most of it, so its undisturbed run is made once.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.torture.disk import CutDisk, cut_disk
from benchmarks.torture.moments import kill_sometimes
from benchmarks.torture.network import Proxies, Weather, spoil, standing_behind_proxies
from benchmarks.torture.outcome import Budget
from benchmarks.torture.points import kill_in_a_row
from benchmarks.torture.powercut import cut_landings, cut_migrations
from benchmarks.torture.refusals import REFUSALS, refuse_in_a_row
from benchmarks.torture.soak import INSTANCES_PER_STUDY, soak
from benchmarks.torture.stand import EVERY_DCMTK_SENDS, PAIRS, Order, Stand, recipes, standing
from benchmarks.torture.tracing import Point
from tests.engine.objects import SR

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("torture"),
    pytest.mark.timeout(900),
    # pynetdicom, of which the embedded peers are made, leaves sockets that were reset under it to the collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
ORTHANC, DCMQRSCP = PAIRS[1], PAIRS[2]
MOST_CUTS_OF_THE_CONTROL = 24

#: Each run repairs what the one before left, and is killed at the next point, while it opens, records, writes tables,
#: sends, lands. A run of which only the worker was killed ends by itself; the next point meets a new migration.
KILLS = (
    Point("engine", "pwrite64", 7),
    Point("engine", "fdatasync", 9),
    Point("engine", "pwrite64", 150),
    Point("worker", "sendmsg", 5),
    Point("engine", "fsync", 9),
    Point("engine", "unlink", 4),
    Point("worker", "rename", 3),
)
#: What fails, and at which call.
REFUSED = (
    ("engine pwrite64 ENOSPC", 12),
    ("worker rename ENOSPC", 1),
    ("engine fdatasync EIO", 6),
    ("worker sendmsg ECONNRESET", 4),
)


@pytest.fixture(scope="module")
def behind_proxies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stand, Proxies]]:
    with standing_behind_proxies(tmp_path_factory.mktemp("stand")) as made:
        yield made


@pytest.fixture(scope="module")
def stand(behind_proxies: tuple[Stand, Proxies]) -> Stand:
    return behind_proxies[0]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[CutDisk]:
    """A disk that can lose its power; skipped where it cannot be mounted."""
    with cut_disk(tmp_path / "cut") as made:
        yield made


@pytest.mark.root
def test_a_migration_killed_at_system_calls_and_again_in_each_repair_ends_as_if_undisturbed(stand: Stand) -> None:
    outcome = kill_in_a_row(stand, KILLS)
    assert outcome.clean, outcome
    assert outcome.tried >= len(KILLS) - 1, "the points were not reached"


def test_engine_worker_and_receiver_killed_at_random_moments_lose_nothing_and_store_nothing_twice(
    stand: Stand,
) -> None:
    outcome = kill_sometimes(stand, Budget(5), random.Random(1))
    assert outcome.clean, outcome
    assert outcome.tried == 5


@pytest.mark.parametrize("pair", [ORTHANC, DCMQRSCP])
def test_kills_at_random_moments_between_real_peers_lose_nothing_and_store_nothing_twice(
    tmp_path: Path, pair: str
) -> None:
    studies = recipes(kinds=EVERY_DCMTK_SENDS) if pair == DCMQRSCP else recipes()
    with standing(tmp_path, Order(pair=pair, studies=studies)) as stand:
        outcome = kill_sometimes(stand, Budget(5), random.Random(pair))
    assert outcome.clean, outcome
    assert outcome.tried == 5


@pytest.mark.root
def test_a_power_cut_loses_no_file_that_was_called_durable(disk: CutDisk) -> None:
    outcome = cut_landings(disk, Budget(17), random.Random(1))
    assert outcome.clean, outcome
    assert outcome.tried == 17


@pytest.mark.root
def test_a_landing_area_without_the_fsync_of_its_folders_is_found_out(disk: CutDisk) -> None:
    outcome = cut_landings(disk, Budget(MOST_CUTS_OF_THE_CONTROL), random.Random(1), careless=True)
    assert outcome.lost > 0, "the power cuts would not notice a missing fsync"


@pytest.mark.root
def test_a_migration_that_loses_its_power_ends_as_if_undisturbed(disk: CutDisk, stand: Stand) -> None:
    outcome = cut_migrations(stand, disk, Budget(3), random.Random(2))
    assert outcome.clean, outcome
    assert outcome.tried >= 3


@pytest.mark.root
def test_a_migration_refused_by_the_system_again_and_again_says_what_and_ends_as_if_undisturbed(stand: Stand) -> None:
    known = {str(one): one for one in REFUSALS}
    outcome = refuse_in_a_row(stand, [(known[name], number) for name, number in REFUSED])
    assert outcome.clean, outcome
    assert outcome.tried >= len(REFUSED) - 1, "the calls were not reached"


def test_connections_cut_reset_or_slowed_anywhere_cost_time_and_nothing_else(
    behind_proxies: tuple[Stand, Proxies],
) -> None:
    stand, proxies = behind_proxies
    outcome = spoil(stand, Weather(proxies), Budget(15), random.Random(3))
    assert outcome.clean, outcome
    assert outcome.tried >= 15


def test_six_hundred_instances_with_faults_every_few_seconds_end_balanced_with_flat_descriptors(
    tmp_path: Path,
) -> None:
    order = Order(studies=recipes(600 // INSTANCES_PER_STUDY, INSTANCES_PER_STUDY, (SR,)), undisturbed=False)
    with standing_behind_proxies(tmp_path, order) as (stand, proxies):
        calm, stormy = soak(stand, proxies, random.Random(4))
    assert calm.clean, calm
    assert stormy.clean, stormy
    assert calm.facts["C-STORE per instance"] == "1.000"
    before, after = str(stormy.facts["most descriptors, second and last third"]).split(", ")
    assert int(after) <= int(before) + 16, "descriptors grow"
