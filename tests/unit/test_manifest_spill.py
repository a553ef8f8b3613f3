"""Rows spilled to disk come back bucket by bucket, each once, in the order of the buckets."""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrate.errors import JournalError, ManifestDamaged
from migrate.journal.windows import STATES, Batch, WindowRow, commit_batch, durable_parts, prepare, undecided_windows
from migrate.manifest.fold import study_day
from migrate.manifest.patients import identity_of
from migrate.manifest.spill import Spill, buckets_for, by_checksum, by_range, part_batches
from tests.crawling import journal

SCHEMA = pa.schema([pa.field("uid", pa.string()), pa.field("row", pa.int64())])


def batch(uids: list[str], first: int = 0) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"uid": uids, "row": list(range(first, first + len(uids)))}, schema=SCHEMA)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.text("01.", max_size=5), max_size=20), max_size=4), st.lists(st.text("01."), max_size=4))
def test_ranges_come_back_in_order_with_every_row_once(batches: list[list[str]], bounds: list[str]) -> None:
    bounds = sorted(bounds)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "spill"
        with Spill(folder, SCHEMA, len(bounds) + 1, by_range("uid", bounds)) as spill:
            for number, uids in enumerate(batches):
                spill.add(batch(uids, number * 100))
            tables = [table.to_pydict() for table in spill.tables()]
        assert not folder.exists()
    rows = [row for table in tables for row in table["row"]]
    assert sorted(rows) == [number * 100 + n for number, uids in enumerate(batches) for n in range(len(uids))]
    ends = [(min(table["uid"]), max(table["uid"])) for table in tables if table["uid"]]
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(ends))
    assert all(table["row"] == sorted(table["row"]) for table in tables)


@given(st.lists(st.text(max_size=4)), st.integers(1, 9))
def test_equal_values_meet_in_one_bucket(values: list[str], buckets: int) -> None:
    found = by_checksum("uid", buckets)(batch(values))
    assert all(0 <= bucket < buckets for bucket in found)
    assert len({(value, bucket) for value, bucket in zip(values, found, strict=True)}) == len(set(values))


@pytest.mark.parametrize(("rows", "buckets"), [(0, 1), (20_000, 1), (20_001, 2), (10**9, 400)])
def test_buckets_are_as_many_as_keep_one_small(rows: int, buckets: int) -> None:
    assert buckets_for(rows) == buckets


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    part = tmp_path / "part-1.parquet"
    part.write_bytes(b"PAR1 nonsense PAR1")
    with pytest.raises(ManifestDamaged, match=r"part-1"):
        list(part_batches([part]))


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("20040312", date(2004, 3, 12)),
        ("2004.03.12", date(2004, 3, 12)),
        ("20040231", None),
        ("2004031", None),
        ("", None),
        (None, None),
    ],
)
def test_a_study_date_is_a_day_or_nothing(text: str | None, day: date | None) -> None:
    assert study_day(text) == day


def test_nobody_is_nobody_and_issuers_tell_people_apart() -> None:
    assert identity_of("A", "", None) == ""
    assert identity_of("A", "1", None) != identity_of("B", "1", None)
    assert identity_of("A", "\ufffd", b"\xe9") != identity_of("A", "\ufffd", b"\xff")


def test_a_batch_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    row = WindowRow(ordinal=1, window_id="date:x", parent=None, query="[]", state="open")
    with journal(tmp_path) as db:
        prepare(db)
        commit_batch(db, Batch(put=(row,), part="part-1.parquet", rows=3))
        refused = WindowRow(ordinal=2, window_id="y", parent=None, query="[]", state=None)  # type: ignore[arg-type]
        with pytest.raises(JournalError):
            commit_batch(db, Batch(put=(replace(row, ordinal=3), refused), part="part-2.parquet"))
        assert durable_parts(db) == ["part-1.parquet"]
        assert [found.ordinal for found in undecided_windows(db)] == [1]
    assert row.state in STATES
