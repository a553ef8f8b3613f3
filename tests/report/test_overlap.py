"""Repeated exams and studies in several sources, found whatever the size of the ranges, and never by name."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from migrate.manifest.place import Manifests
from migrate.manifest.write import write_part
from migrate.report.facts import Facts, Overlap, Predicted
from migrate.report.html import Dress, render
from migrate.report.overlap import overlap
from migrate.report.sections import SECTIONS
from migrate.report.texts import Language, Words
from migrate.report.write import ReportOptions, redacted, write_reports
from tests.report.example import build_run
from tests.report.page import Page

Row = tuple[str, str | None, str | None, str, str | None]
EXAMS: list[Row] = [
    # uid, patient, day, modalities, description
    ("1.1", "aa", "2024-01-01", "CT", "Chest"),
    ("1.2", "aa", "2024-01-31", "SR\\CT", " CHEST "),
    ("1.3", "aa", "2024-03-02", "CT", "chest"),
    ("1.4", "aa", "2024-03-03", "MR", "chest"),
    ("1.5", "aa", "2024-03-03", "CT", "Abdomen"),
    ("1.6", "0b", "2024-03-03", "CT", "chest"),
    ("1.7", "0b", "2024-03-03", "CT", "chest"),
    ("1.8", None, "2024-03-03", "CT", "chest"),
    ("1.9", None, "2024-03-03", "CT", "chest"),
    ("2.1", "ff", None, "CT", "chest"),
    ("2.2", "ff", "2024-03-03", "", "chest"),
    ("2.3", "ff", "2024-03-03", "", "chest"),
    ("2.4", "zz", "2024-03-03", "US", None),
    ("2.5", "zz", "2024-03-04", "US", ""),
]
EXPECTED = [("1.2", "1.1", "CT", 30), ("1.7", "1.6", "CT", 0), ("2.5", "2.4", "US", 1)]


def written(folder: Path, exams: list[Row], source: str = "A") -> None:
    uids, patients, days, modalities, what = (list(column) for column in zip(*exams, strict=True))
    columns: dict[str, list[Any]] = {
        "study_instance_uid": uids,
        "patient_key": patients,
        "study_day": [date.fromisoformat(day) if day else None for day in days],
        "modalities_in_study": modalities,
        "study_description": what,
    }
    write_part(Manifests(folder, source), "studies", "0001", columns)


@pytest.mark.parametrize("at_once", [1_000, 10, 3, 1])
def test_an_exam_is_repeated_for_the_same_person_modality_and_description(tmp_path: Path, at_once: int) -> None:
    written(tmp_path, EXAMS)
    found = overlap(tmp_path, at_once=at_once)
    assert list(found.lines) == EXPECTED
    assert found.repeated == {"CT": 2, "US": 1}
    assert found.shared == {}


def test_the_days_between_are_those_asked_for(tmp_path: Path) -> None:
    written(tmp_path, EXAMS)
    assert [line[0] for line in overlap(tmp_path, days=31).lines] == ["1.2", "1.3", "1.7", "2.5"]
    assert [line[0] for line in overlap(tmp_path, days=0).lines] == ["1.7"]


def test_a_study_of_two_sources_is_shared_and_no_repeated_exam(tmp_path: Path) -> None:
    written(tmp_path, EXAMS[:1])
    written(tmp_path, EXAMS[:2], "B")
    found = overlap(tmp_path)
    assert found.shared == {"A + B": 1}
    assert [line[0] for line in found.lines] == ["1.2"]


def test_no_studies_overlap_in_an_empty_folder(tmp_path: Path) -> None:
    assert overlap(tmp_path).lines == []


def test_a_redacted_report_does_not_say_which_studies() -> None:
    facts = Facts(name="", source="", destination="", generated_at="", overlap=Overlap(lines=EXPECTED))
    assert [line[:2] for line in redacted(facts).overlap.lines] == [("#1", ""), ("#2", ""), ("#3", "")]


PREDICTED = Predicted(
    ends={"p10": "2026-05-01T01:00:00-07:00", "p50": "2026-05-03T01:00:00-07:00", "p90": "2026-05-09T01:00:00-07:00"},
    work_hours=41.2,
    studies=1200,
    learnt_from=300,
    open_hours_a_week=103,
    source_associations=2,
    destination_associations=4,
    bottleneck="retrieve",
    busy={"retrieve": 0.97, "upload": 0.3},
)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_forecast_is_a_range_with_its_assumptions_and_what_holds_it_up(language: Language) -> None:
    facts = Facts(name="", source="", destination="", generated_at="", forecast=PREDICTED)
    words = Words(language)
    page = Page(render([SECTIONS["flow"](facts, words)], facts, words, Dress()))
    assert page.figures["forecast.end"] == "2026-05-03"
    assert page.figures["forecast.bottleneck"] == "retrieve"
    for told in ("2026-05-01", "2026-05-09", "103", "41.2"):
        assert told in page.text
    assert ["retrieve", "0.97"] in page.tables["busy"] or ["retrieve", 0.97] in page.tables["busy"]


def test_a_report_without_a_forecast_has_no_such_figure(tmp_path: Path) -> None:
    build_run(tmp_path, count=12)
    page, certificate = write_reports(tmp_path, ReportOptions(now=datetime(2026, 4, 1, tzinfo=UTC)))[:2]
    assert "forecast.end" not in Page(page.read_text(encoding="utf-8")).figures
    told = Page(certificate.read_text(encoding="utf-8"))
    assert told.figures == {}
    assert len(told.verdicts) == 1
