"""When the windows of a crawl prove that nothing was missed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from migrate.journal.crawl_result import crawl_result
from migrate.journal.store import Journal
from migrate.journal.windows import finish_crawl, prepare, start_crawl
from migrate.report.certificate import Window, closed_by_windows, crawl_certificate
from migrate.report.run import open_run
from tests.report.example import build_run


def window(axis: str, *, closed: bool = True, state: str = "split", parent: str | None = None) -> Window:
    return {"axis": axis, "closed": closed, "state": state, "parent_id": parent}


@pytest.mark.parametrize(
    ("windows", "closed"),
    [
        pytest.param([], False, id="nothing was asked"),
        pytest.param([window("date")], False, id="the date axis alone cannot see undated studies"),
        pytest.param([window("date"), window("patient")], True, id="two axes"),
        pytest.param([window("date"), window("accession")], True, id="two axes, the second by accession number"),
        pytest.param([window("date"), window("patient", closed=False)], False, id="the second axis is open"),
        pytest.param([window("date", closed=False), window("patient")], False, id="the date axis is open"),
        pytest.param([window("patient", state="leaf")], True, id="one question answered whole"),
        pytest.param(
            [window("date"), window("date", closed=False, parent="d"), window("patient")],
            True,
            id="what counts is the root",
        ),
    ],
)
def test_a_crawl_is_closed_when_its_roots_prove_it(windows: list[Window], closed: bool) -> None:
    assert closed_by_windows(windows) is closed


def test_what_the_crawl_recorded_speaks_before_the_windows(tmp_path: Path) -> None:
    build_run(tmp_path, count=8)
    estimate = {"estimate": 2.0, "low": 0, "high": 5}
    recorded = json.dumps({"closed": False, "doubts": ["a window shrank"], "estimated_undiscovered": estimate})
    with Journal(tmp_path) as journal:
        prepare(journal.db)
        start_crawl(journal.db, "c9", "[]", "2026-03-01T00:00:00+00:00")
        finish_crawl(journal.db, "c9", recorded, "2026-03-01T01:00:00+00:00")
    found = crawl_certificate(open_run(tmp_path), {"studies": 8, "series": 1, "instances": 1, "undated": 0})
    assert not found.closed
    assert found.doubts == ("a window shrank",)
    assert found.estimate == (2.0, 0, 5)


@pytest.mark.parametrize("count", [0, 4])
def test_a_journal_without_a_crawl_has_no_result(count: int, tmp_path: Path) -> None:
    if count:
        build_run(tmp_path, count=count)
    assert crawl_result(tmp_path) is None
