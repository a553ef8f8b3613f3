"""Power cuts on ext4 in a loop image: what was called durable is there, and a forgotten fsync is found."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.torture.disk import CutDisk, cut_disk
from benchmarks.torture.outcome import Budget
from benchmarks.torture.powercut import cut_landings, cut_migrations
from benchmarks.torture.stand import standing

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.xdist_group("torture"), pytest.mark.timeout(600)]
MOST_CUTS_OF_THE_CONTROL = 24


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[CutDisk]:
    """A disk that can lose its power; skipped where it cannot be mounted."""
    with cut_disk(tmp_path / "cut") as made:
        yield made


def test_a_power_cut_loses_no_file_that_was_called_durable(disk: CutDisk) -> None:
    outcome = cut_landings(disk, Budget(17), random.Random(1))
    assert outcome.clean, outcome
    assert outcome.tried == 17


def test_a_landing_area_without_the_fsync_of_its_folders_is_found_out(disk: CutDisk) -> None:
    outcome = cut_landings(disk, Budget(MOST_CUTS_OF_THE_CONTROL), random.Random(1), careless=True)
    assert outcome.lost > 0, "the power cuts would not notice a missing fsync"


def test_a_migration_that_loses_its_power_ends_as_if_undisturbed(disk: CutDisk, tmp_path: Path) -> None:
    with standing(tmp_path / "stand") as stand:
        outcome = cut_migrations(stand, disk, Budget(3), random.Random(2))
    assert outcome.clean, outcome
    assert outcome.tried == 3
