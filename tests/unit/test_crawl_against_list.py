"""A list from the RIS finds what no query shows, and what is nowhere stands in a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from migrate.demo.listed import ListArchive, StudyFacts, study_facts
from migrate.demo.simulated import SimulatedSource
from migrate.manifest.read import read_table
from migrate.manifest.study_list import ACCESSION, STUDY, ListRow, StudyList
from migrate.model import Level
from migrate.peers import FindEnd
from migrate.stages.crawl import CrawlResult, crawl
from tests.crawling import journal
from tests.delta import delta_request

SHOWN = [
    study_facts(f"1.2.{n}", StudyDate="20200105", StudyTime="101500", PatientID=f"P{n}", AccessionNumber=f"A{n}")
    for n in (1, 2, 3)
]
SECRET = study_facts("1.2.9", StudyDate="", StudyTime="", PatientID="", AccessionNumber="A9")


@dataclass
class Shy:
    """A source that shows some studies only when they are asked for by their own UID or accession number."""

    source: SimulatedSource
    hidden: frozenset[str]

    def find(self, level: Level, keys: Mapping[str, str], on_match: Any) -> FindEnd:
        accession = keys.get("AccessionNumber", "")
        alone = bool(keys.get("StudyInstanceUID") or (accession and "*" not in accession))

        def take(match: Any) -> None:
            if alone or match.values.get("StudyInstanceUID") not in self.hidden:
                on_match(match)

        return self.source.find(level, keys, take)

    def close(self) -> None:
        """Nothing is open."""


def named(*rows: ListRow, invalid: tuple[tuple[int, str], ...] = ()) -> StudyList:
    return StudyList(name="ris.csv", rows=rows, invalid=invalid)


def crawled(folder: Path, studies: list[StudyFacts], against: StudyList, hidden: frozenset[str]) -> CrawlResult:
    source = Shy(SimulatedSource(ListArchive(studies)), hidden)
    with journal(folder) as db:
        return crawl(replace(delta_request(folder, db, lambda: source), against=against))


@pytest.mark.parametrize("row", [ListRow(2, STUDY, "1.2.9"), ListRow(2, ACCESSION, "A9")], ids=["uid", "accession"])
def test_a_study_hidden_on_every_axis_is_found_by_the_list_and_listed(row: ListRow, tmp_path: Path) -> None:
    result = crawled(tmp_path, [*SHOWN, SECRET], named(row), frozenset({"1.2.9"}))
    assert result.against is not None
    assert (result.against.added, result.against.missing, result.studies) == (1, 0, 4)
    found = {r["study_instance_uid"]: r["found_by"] for r in read_table(tmp_path, "studies").to_pylist()}
    assert found["1.2.9"] == "list"
    assert "1.2.9" in {r["study_instance_uid"] for r in read_table(tmp_path, "instances").to_pylist()}
    assert result.closed


def test_a_study_that_a_closed_axis_should_have_shown_opens_the_crawl(tmp_path: Path) -> None:
    result = crawled(tmp_path, SHOWN, named(ListRow(2, STUDY, "1.2.3")), frozenset({"1.2.3"}))
    assert result.against is not None
    assert result.against.added == 1
    assert not result.closed
    assert any("hides a study" in doubt for doubt in result.doubts)


def test_what_the_source_does_not_know_stands_in_a_table_with_its_line(tmp_path: Path) -> None:
    rows = (ListRow(2, STUDY, "1.2.1"), ListRow(3, STUDY, "7.7"), ListRow(4, ACCESSION, "ZZ"), ListRow(5, STUDY, "7.7"))
    result = crawled(tmp_path, SHOWN, named(*rows, invalid=((6, "not a UID"),)), frozenset())
    against = result.against
    assert against is not None
    assert (against.rows, against.repeated_rows, against.found_by_crawl, against.missing) == (4, 1, 1, 2)
    table = read_table(tmp_path, "list_missing").to_pylist()
    assert [(r["line"], r["study_instance_uid"], r["accession_number"], r["exception_class"]) for r in table] == [
        (3, "7.7", None, "MISSING_AT_SOURCE"),
        (4, None, "ZZ", "MISSING_AT_SOURCE"),
        (6, None, None, None),
    ]
    assert {r["list_name"] for r in table} == {"ris.csv"}
    assert result.closed


def test_crawl_and_list_estimate_together_what_neither_names(tmp_path: Path) -> None:
    result = crawled(
        tmp_path,
        [*SHOWN, SECRET],
        named(ListRow(2, ACCESSION, "A1"), ListRow(3, ACCESSION, "A9")),
        frozenset({"1.2.9"}),
    )
    assert result.against is not None
    # Chapman: (3 + 1) (2 + 1) / (1 + 1) - 1 = 5, of which 4 are known.
    assert result.against.estimate.estimate == pytest.approx(1.0)
