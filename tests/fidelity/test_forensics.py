"""Objects that share a UID or their pixels: every kind is told from the others, over studies and sources."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from migrate.checks.forensics import KINDS, lookalikes, write_forensics
from migrate.manifest.lookalikes import BULK, SOP, sharing
from migrate.manifest.place import Manifests
from migrate.manifest.read import read_table
from migrate.manifest.write import write_part
from migrate.model import ExceptionClass
from migrate.report.write import ReportOptions, write_reports
from tests.engine.seeded import write_config

NOW = datetime(2026, 3, 4, tzinfo=UTC)
FIRST = {"study": "1.1", "sop": "1.1.1", "bulk": "b" * 32, "dataset": "d" * 32}
Case = tuple[dict[str, Any], list[str]]
#: What the second object is, where it is not the first -> the kinds found.
CASES: dict[str, Case] = {
    "another object": ({"sop": "1.1.2", "bulk": "c" * 32}, []),
    "the same one at another attempt": ({"attempt": 2}, []),
    "the same one in another study": ({"study": "1.2"}, ["identical"]),
    "the same one from another source": ({"source": "B"}, ["identical"]),
    "another header": ({"study": "1.2", "dataset": "e" * 32}, ["header_drift"]),
    "other pixels": ({"study": "1.2", "bulk": "c" * 32}, ["other_pixels"]),
    "other pixels and header": ({"source": "B", "bulk": "c" * 32, "dataset": "e" * 32}, ["other_pixels"]),
    "another one at the next retrieve": ({"attempt": 2, "dataset": "e" * 32}, ["drift_at_retrieve"]),
    "the same pixels in the same study": ({"sop": "1.1.2", "dataset": "e" * 32}, ["same_pixels"]),
    "new UIDs at the next retrieve": ({"study": "1.2", "sop": "1.2.1", "source": "B"}, ["same_pixels"]),
    "no pixels at all": ({"sop": "1.1.2", "bulk": None}, []),
}


def received(folder: Path, *objects: dict[str, Any]) -> None:
    for number, one in enumerate(objects):
        columns = {
            "study_instance_uid": [one["study"]],
            "series_instance_uid": ["1.9"],
            "sop_instance_uid": [one["sop"]],
            "sop_class_uid": ["1.2.840.10008.5.1.4.1.1.2"],
            "bulk_xxh3": [one["bulk"]],
            "dataset_xxh3": [one["dataset"]],
            "received_at": [f"2026-01-01T00:00:{number:02}+00:00"],
            "attempt": [one.get("attempt", 1)],
        }
        write_part(Manifests(folder, one.get("source", "A")), "evidence", str(number), columns)


@pytest.mark.parametrize(("other", "kinds"), CASES.values(), ids=CASES)
def test_every_kind_of_look_alike_is_told_apart(tmp_path: Path, other: dict[str, Any], kinds: list[str]) -> None:
    received(tmp_path, FIRST, {**FIRST, **other})
    assert [kind for kind, _, _ in lookalikes(tmp_path)] == kinds


@pytest.mark.parametrize("rows_at_once", [1, 2, 7, 1_000])
def test_the_size_of_the_ranges_hides_no_look_alike(tmp_path: Path, rows_at_once: int) -> None:
    for number, (other, _) in enumerate(CASES.values()):
        pair = [{**FIRST, **other} if second else FIRST for second in (False, True)]
        received(tmp_path / str(number), *pair)
    found = [
        list(sharing(folder, column, rows_at_once)) for folder in sorted(tmp_path.iterdir()) for column in (SOP, BULK)
    ]
    assert found == [list(sharing(folder, column)) for folder in sorted(tmp_path.iterdir()) for column in (SOP, BULK)]
    assert sum(map(len, found)) > len(KINDS)


def test_every_kind_has_a_case_and_a_policy() -> None:
    assert {kind for _, kinds in CASES.values() for kind in kinds} == set(KINDS)
    assert all(kind.policy for kind in KINDS.values())


def test_two_objects_without_bulk_data_do_not_share_it(tmp_path: Path) -> None:
    received(tmp_path, {**FIRST, "bulk": None}, {**FIRST, "sop": "1.1.2", "bulk": None})
    assert list(lookalikes(tmp_path)) == []


def test_the_table_names_both_sides_class_and_policy_and_the_report_counts_them(tmp_path: Path) -> None:
    write_config(tmp_path)
    received(tmp_path, FIRST, {**FIRST, "study": "1.2", "source": "B", "bulk": "c" * 32})
    assert write_forensics(Manifests(tmp_path, "A"))["other_pixels"] == 1
    (row,) = read_table(tmp_path, "forensics").to_pylist()
    assert (row["study_instance_uid"], row["other_study_instance_uid"]) == ("1.1", "1.2")
    assert (row["source"], row["other_source"]) == ("A", "B")
    assert row["exception_class"] == ExceptionClass.UID_COLLISION
    assert KINDS["other_pixels"].policy == row["policy"]
    page, *_ = write_reports(tmp_path, ReportOptions(now=NOW))
    assert "other_pixels" in page.read_text(encoding="utf-8")


def test_a_second_look_replaces_the_first(tmp_path: Path) -> None:
    received(tmp_path, FIRST, {**FIRST, "study": "1.2"})
    counts = [write_forensics(Manifests(tmp_path, "A")) for _ in range(2)]
    assert counts[0] == counts[1]
    assert read_table(tmp_path, "forensics").num_rows == 1


def test_a_run_without_evidence_has_no_look_alikes(tmp_path: Path) -> None:
    assert sum(write_forensics(Manifests(tmp_path, "A")).values()) == 0
