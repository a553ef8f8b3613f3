"""A delta crawl that is stopped anywhere says the same when it goes on."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from migrate.demo.simulated import ListArchive, SimulatedSource, StudyFacts, study_facts
from migrate.errors import Interrupted, UsageError
from migrate.manifest.read import read_table
from migrate.model import Level, now
from migrate.stages.crawl import CrawlRequest, CrawlResult, crawl
from migrate.stages.crawl.request import DeltaTerms
from tests.crawling import journal
from tests.delta import delta_request

TODAY = DeltaTerms(today=date(2020, 3, 31))


def study(number: int, instances: tuple[int, ...] = (2,), **values: str) -> StudyFacts:
    known = {"StudyDate": "20200105", "StudyTime": "101500", "PatientID": f"P{number}", "AccessionNumber": f"A{number}"}
    return study_facts(f"1.2.{number}", instances, **{**known, **values})


BEFORE = [study(number) for number in range(1, 7)]
AFTER = [study(1), study(2, (3,)), study(3, (1,)), study(4, StudyDescription="NEW"), study(5, PatientID="P9"), study(7)]
EXPECTED = {
    ("1.2.2", "GROWN"),
    ("1.2.3", "SHRUNK"),
    ("1.2.4", "HEADER_CHANGED"),
    ("1.2.5", "PATIENT_CHANGED"),
    ("1.2.6", "GONE"),
    ("1.2.7", "NEW"),
}


def asked(folder: Path, studies: list[StudyFacts]) -> Callable[..., CrawlResult]:
    """Crawls; keywords replace what is ordered."""
    source = SimulatedSource(ListArchive(studies))

    def call(**terms: object) -> CrawlResult:
        with journal(folder) as db:
            request: CrawlRequest = replace(delta_request(folder, db, lambda: source), **terms)  # type: ignore[arg-type]
            return crawl(request)

    return call


def assert_as_expected(folder: Path, result: CrawlResult) -> None:
    rows = [row for row in read_table(folder, "deltas").to_pylist() if row["crawl_id"] == result.crawl_id]
    assert {(row["study_instance_uid"], row["kind"]) for row in rows} == EXPECTED
    assert len(rows) == len(EXPECTED)
    listed = read_table(folder, "studies").to_pylist()
    assert {row["study_instance_uid"]: row["instance_count"] for row in listed} == {
        **{f"1.2.{n}": 2 for n in (1, 4, 5, 6, 7)},
        "1.2.2": 3,
        "1.2.3": 1,
    }
    assert {row["study_instance_uid"] for row in listed if row["gone_at"]} == {"1.2.6"}


def test_a_delta_without_interruption_sees_what_happened(tmp_path: Path) -> None:
    asked(tmp_path, BEFORE)()
    assert_as_expected(tmp_path, asked(tmp_path, AFTER)(delta=TODAY))


@pytest.mark.parametrize("after", [1, 20, 60])
def test_a_delta_that_is_stopped_between_two_questions_goes_on(after: int, tmp_path: Path) -> None:
    asked(tmp_path, BEFORE)()
    again, count = asked(tmp_path, AFTER), itertools.count()
    with pytest.raises(Interrupted):
        again(delta=TODAY, stopping=lambda: next(count) >= after)
    assert_as_expected(tmp_path, again(delta=TODAY))


def test_a_delta_that_is_killed_after_its_tables_were_published_says_the_same_again(tmp_path: Path) -> None:
    asked(tmp_path, BEFORE)()
    again = asked(tmp_path, AFTER)

    def dies_when_published() -> str:
        if list(tmp_path.glob("manifests/deltas/*/*.parquet")) and not list(tmp_path.glob("manifests/.work/*.tmp")):
            raise Interrupted("killed")
        return now()

    with pytest.raises(Interrupted):
        again(delta=TODAY, clock=dies_when_published)
    assert list(tmp_path.glob("manifests/deltas/*/*.parquet"))
    assert_as_expected(tmp_path, again(delta=TODAY))


def test_at_study_level_the_counts_of_the_source_speak(tmp_path: Path) -> None:
    asked(tmp_path, BEFORE)(level=Level.STUDY)
    result = asked(tmp_path, AFTER)(level=Level.STUDY, delta=TODAY)
    assert result.delta is not None
    assert result.delta.listed_again == 0
    found = {(r["study_instance_uid"], r["kind"]) for r in read_table(tmp_path, "deltas").to_pylist()}
    assert found == EXPECTED


def test_without_a_crawl_before_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no crawl to compare with"):
        asked(tmp_path, BEFORE)(delta=TODAY)
    asked(tmp_path, BEFORE)()
    with pytest.raises(UsageError, match="whole source"):
        asked(tmp_path, BEFORE)(delta=TODAY, whole=False)
