"""The freeze at cut-over follows from two rates and one duration, and says when it never ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrate.demo.simulated import ListArchive, SimulatedSource, study_facts
from migrate.journal.store import Journal
from migrate.report.blocks import Figures, Prose, Section
from migrate.report.cutover import delta, gather_cutover
from migrate.report.facts import Facts
from migrate.report.freeze import Cutover, Round, predict_freeze
from migrate.report.run import open_run
from migrate.report.texts import LANGUAGES, Language, Words
from migrate.stages.crawl import crawl
from migrate.stages.crawl.request import DeltaTerms
from tests.crawling import journal
from tests.delta import delta_request

START = datetime(2026, 3, 1, tzinfo=UTC)


def crawled(number: int, at_h: float, takes_h: float, **kinds: int) -> Round:
    begin = START + timedelta(hours=at_h)
    return Round(
        round=number,
        started_at=begin.isoformat(),
        finished_at=(begin + timedelta(hours=takes_h)).isoformat(),
        kinds=kinds,
    )


def test_the_freeze_is_two_crawls_and_moving_what_changes_in_between() -> None:
    found = predict_freeze([crawled(0, 0, 10), crawled(1, 20, 1, NEW=150, GROWN=50, GONE=40)], 100)
    assert found is not None
    assert found.changes_per_hour == pytest.approx(10)
    assert found.move_s == pytest.approx(3600 / 9)
    assert found.total_s == pytest.approx(2 * 3600 + 3600 / 9)


def test_a_source_that_changes_faster_than_it_is_moved_has_no_freeze() -> None:
    found = predict_freeze([crawled(0, 0, 1), crawled(1, 1, 1, NEW=500)], 100)
    assert found is not None
    assert found.total_s is None


def test_the_rate_is_taken_over_the_last_rounds_since_the_crawl_before_them() -> None:
    rounds = [
        crawled(0, 0, 1),
        crawled(1, 10, 1, NEW=100),
        crawled(2, 20, 1),
        crawled(3, 30, 1, NEW=20),
        crawled(4, 40, 2),
    ]
    found = predict_freeze(rounds, 50)
    assert found is not None
    assert found.changes_per_hour == pytest.approx(20 / 30)
    assert found.crawl_s == pytest.approx(7200)


@pytest.mark.parametrize(
    ("rounds", "moved"),
    [
        ([], 1.0),
        ([crawled(0, 0, 1)], 1.0),
        ([crawled(1, 0, 1)], 1.0),
        ([crawled(0, 0, 1), crawled(1, 5, 1)], None),
        ([crawled(1, 0, 1), crawled(0, 5, 1)], 9.0),
    ],
    ids=["nothing", "no delta", "nothing before", "nothing moved", "a whole crawl came last"],
)
def test_without_two_crawls_and_a_rate_nothing_is_predicted(rounds: list[Round], moved: float | None) -> None:
    assert predict_freeze(rounds, moved) is None


@given(
    st.lists(st.tuples(st.floats(0.1, 99), st.floats(0.01, 9), st.integers(0, 999)), min_size=1, max_size=5),
    st.floats(0.1, 1e4),
)
def test_a_freeze_is_never_shorter_than_two_crawls(rounds: list[tuple[float, float, int]], moved: float) -> None:
    at, found = 0.0, [crawled(0, 0, 1)]
    for number, (gap, takes, changes) in enumerate(rounds, start=1):
        at += gap
        found.append(crawled(number, at, takes, NEW=changes))
    predicted = predict_freeze(found, moved)
    assert predicted is not None
    assert predicted.total_s is None or predicted.total_s >= 2 * predicted.crawl_s >= 0


def facts(rounds: list[Round], moved: float | None = 100.0) -> Facts:
    found = Cutover(
        rounds=rounds, moved_per_hour=moved, rejections=[("113037", "exclude", 3), ("deleted", "exclude", 2)]
    )
    return Facts(name="n", source="S", destination="D", generated_at="2026-01-01", cutover=found)


def figures_of(section: Section) -> dict[str, object]:
    return {one.key: one.value for block in section.blocks if isinstance(block, Figures) for one in block.items}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_chapter_shows_the_rounds_and_the_freeze_in_minutes(language: Language) -> None:
    rounds = [crawled(0, 0, 10), crawled(1, 20, 1, NEW=150, GROWN=50)]
    section = delta(facts(rounds), Words(language))
    # Twice an hour, and 400 s for what changes meanwhile: rounded up.
    assert figures_of(section)["delta.freeze"] == 127
    assert figures_of(section)["delta.changes"] == 200
    by_key = {table.key: table.rows for table in section.tables()}
    assert by_key["rounds"][1][4:] == (150, 50, 0, 0, 0, 0)
    assert [(row[0], row[2], row[3]) for row in by_key["rejections"]] == [
        ("113037", "exclude", 3),
        ("deleted", "exclude", 2),
    ]


def test_a_source_that_outruns_the_migration_is_told_in_a_sentence() -> None:
    section = delta(facts([crawled(0, 0, 1), crawled(1, 1, 1, NEW=500)]), Words("en"))
    said = [line for block in section.blocks if isinstance(block, Prose) for line in block.lines]
    assert said == ["No freeze is long enough: per hour, 500 studies change and only 100 are moved."]
    assert figures_of(section)["delta.freeze"] is None


def test_the_crawls_of_a_run_folder_are_its_rounds(tmp_path: Path) -> None:
    studies = [study_facts(f"1.2.{n}", StudyDate="20200105", StudyTime="101500", PatientID=f"P{n}") for n in (1, 2)]
    archive = ListArchive(studies)
    Journal(tmp_path).close()
    with journal(tmp_path) as db:
        asked = delta_request(tmp_path, db, lambda: SimulatedSource(archive))
        crawl(asked)
        archive.remove("1.2.2")
        crawl(replace(asked, delta=DeltaTerms(today=date(2020, 3, 31))))
    found = gather_cutover(open_run(tmp_path))
    assert [(one.round, dict(one.kinds)) for one in found.rounds] == [(0, {}), (1, {"GONE": 1})]
    assert found.moved_per_hour is None
