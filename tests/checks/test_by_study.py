"""Reading several tables study by study, in ranges of any size."""

from __future__ import annotations

import uuid
from bisect import bisect_right
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrate.manifest.by_study import by_study
from migrate.manifest.leftovers import forget_leftovers
from migrate.manifest.place import Manifests
from migrate.manifest.ranges import by_ends, parted, places_compared, range_folder
from migrate.manifest.sides import WANTED, study_sides
from migrate.manifest.write import write_part
from migrate.report.counting import count
from tests.report.example import build_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    build_run(path, count=50)
    return path


@pytest.mark.parametrize("rows_per_slice", [1, 7, 100, 500, 10_000])
def test_the_size_of_the_ranges_changes_nothing(folder: Path, rows_per_slice: int) -> None:
    assert list(study_sides(folder, rows_per_slice)) == list(study_sides(folder))
    assert count(folder, rows_per_slice) == count(folder)


def test_ranges_follow_each_other_and_share_no_study(folder: Path) -> None:
    ranges = [set(rows["instances"]["study_instance_uid"].to_pylist()) for rows in by_study(folder, WANTED, 100)]
    assert len(ranges) > 3
    for before, after in pairwise(ranges):
        assert max(before) < min(after)


def test_studies_come_in_rising_order_and_once(folder: Path) -> None:
    uids = [side.study_instance_uid for side in study_sides(folder, 100)]
    assert uids == sorted(set(uids))
    assert len(uids) == 50


def test_no_slice_holds_much_more_than_was_asked_for(folder: Path) -> None:
    largest = max(sum(table.num_rows for table in rows.values()) for rows in by_study(folder, WANTED, 100))
    assert largest < 300


def test_studies_that_no_crawl_listed_come_in_their_place(tmp_path: Path) -> None:
    place = Manifests(tmp_path, "A")
    write_part(place, "studies", "1", {"study_instance_uid": [f"1.{number:02}" for number in range(0, 40, 2)]})
    arrived = [f"1.{number:02}" for number in range(1, 40, 2)]
    write_part(place, "evidence", "1", {"study_instance_uid": arrived, "sop_instance_uid": arrived})
    uids = [side.study_instance_uid for side in study_sides(tmp_path, 2)]
    assert uids == [f"1.{number:02}" for number in range(40)]


def test_nothing_is_left_on_the_disk(folder: Path) -> None:
    list(by_study(folder, WANTED, 5))
    assert not list((folder / "manifests" / ".work").iterdir())


def test_what_a_kill_leaves_behind_goes_with_the_next_run_and_what_is_in_use_stays(tmp_path: Path) -> None:
    work = Manifests(tmp_path, "A").work_folder
    left = work / f"ranges-{uuid.uuid4().hex}"
    left.mkdir(parents=True)
    (left / "evidence.0").write_bytes(b"rows")
    with range_folder(tmp_path) as used:
        forget_leftovers(Manifests(tmp_path, "A"))
        assert list(work.iterdir()) == [used]


@given(st.lists(st.text("0123456789.", max_size=6) | st.none()), st.integers(1, 50))
def test_equal_values_lie_in_one_range_and_every_row_comes_back(values: list[str | None], ranges: int) -> None:
    rows = pa.table({"uid": pa.array(values, pa.string()), "row": pa.array(range(len(values)), pa.int64())})
    found = list(parted(rows.combine_chunks(), "uid", by_ends(ranges)))
    assert sorted(row for _, part in found for row in part["row"].to_pylist()) == list(range(len(values)))
    held = [set(part["uid"].to_pylist()) for _, part in found]
    assert sum(map(len, held)) == len(set().union(*held))


def test_a_run_folder_without_tables_has_no_studies(tmp_path: Path) -> None:
    assert list(study_sides(tmp_path)) == []


@given(st.lists(st.text("0123456789.", max_size=6)), st.lists(st.text("0123456789.", max_size=6), unique=True))
def test_a_study_lies_after_every_bound_that_is_not_above_it(uids: list[str], bounds: list[str]) -> None:
    places = places_compared(pa.array(uids, type=pa.string()), sorted(bounds)).to_pylist()
    assert places == [bisect_right(sorted(bounds), uid) for uid in uids]
