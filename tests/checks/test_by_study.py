"""Reading several tables study by study, in ranges of any size."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrate.manifest.by_study import by_study, places_compared
from migrate.manifest.sides import WANTED, study_sides
from migrate.report.counting import count
from tests.report.example import build_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    build_run(path, count=50)
    return path


@pytest.mark.parametrize("rows_per_range", [1, 7, 100, 500, 10_000])
def test_the_size_of_the_ranges_changes_nothing(folder: Path, rows_per_range: int) -> None:
    assert list(study_sides(folder, rows_per_range)) == list(study_sides(folder))
    assert count(folder, rows_per_range) == count(folder)


def test_ranges_follow_each_other_and_share_no_study(folder: Path) -> None:
    ranges = [set(rows["instances"]["study_instance_uid"].to_pylist()) for rows in by_study(folder, WANTED, 100)]
    assert len(ranges) > 3
    for before, after in pairwise(ranges):
        assert max(before) < min(after)


def test_studies_come_in_rising_order_and_once(folder: Path) -> None:
    uids = [side.study_instance_uid for side in study_sides(folder, 100)]
    assert uids == sorted(set(uids))
    assert len(uids) == 50


def test_nothing_is_left_on_the_disk(folder: Path) -> None:
    list(by_study(folder, WANTED, 50))
    assert not list((folder / "manifests").glob(".ranges-*"))


def test_a_run_folder_without_tables_has_no_studies(tmp_path: Path) -> None:
    assert list(study_sides(tmp_path)) == []


@given(st.lists(st.text("0123456789.", max_size=6)), st.lists(st.text("0123456789.", max_size=6), unique=True))
def test_a_study_lies_after_every_bound_that_is_not_above_it(uids: list[str], bounds: list[str]) -> None:
    places = places_compared(pa.array(uids, type=pa.string()), sorted(bounds)).to_pylist()
    assert places == [bisect_right(sorted(bounds), uid) for uid in uids]
