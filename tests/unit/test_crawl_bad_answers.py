"""Bad answers are recorded, none ends a crawl, none is dropped without a word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from migrate.demo.misbehaviour import CAP_SIGNALS, FindMisbehaviours
from migrate.demo.rows import Catalogue
from migrate.demo.simulated import (
    InstanceFacts,
    ListArchive,
    SeriesFacts,
    SimulatedSource,
    StudyFacts,
    study_facts,
)
from migrate.errors import PeerRefused
from migrate.manifest.read import read_table
from migrate.model import Level
from migrate.peers import FindEnd, Match
from migrate.stages.crawl import CrawlResult, Finder, crawl
from migrate.stages.crawl.answers import Asked, Collector, Limits
from migrate.stages.crawl.windows import PATIENT, Window
from tests.crawling import column, crawled, journal, request

IMAGE = {"level": Level.IMAGE, "alphabet": "AP0123456789"}


def archive(count: int = 6, instances: tuple[int, ...] = (2, 3)) -> ListArchive:
    return ListArchive(
        study_facts(
            f"1.2.{n}", instances, StudyDate=f"202001{n + 1:02d}", StudyTime="101500", PatientID=f"P{n % 3}",
            AccessionNumber=f"A{n}", PatientName=f"NAME^{n % 3}",
        )
        for n in range(count)
    )  # fmt: skip


def found(folder: Path, catalogue: Catalogue, **orders: Any) -> CrawlResult:
    result, _ = crawled(folder, catalogue, FindMisbehaviours(**orders), **IMAGE)
    return result


def defects(folder: Path) -> set[tuple[str, str]]:
    rows = read_table(folder, "crawl_defects", ["exception_class", "level"]).to_pylist()
    return {(row["exception_class"], row["level"]) for row in rows}


def test_a_well_behaved_archive_is_listed_whole(tmp_path: Path) -> None:
    result = found(tmp_path, archive())
    assert result.closed
    assert (result.studies, result.series, result.instances) == (6, 12, 30)
    assert result.defects == {}
    assert column(tmp_path, "studies", "instance_count") == [5] * 6
    assert column(tmp_path, "studies", "study_instance_uid") == sorted(
        column(tmp_path, "studies", "study_instance_uid")
    )


@pytest.mark.parametrize("signal", CAP_SIGNALS)
def test_capped_series_and_instances_are_completed_by_their_numbers(signal: str, tmp_path: Path) -> None:
    numbered = ListArchive(
        StudyFacts(
            values={"StudyInstanceUID": f"1.2.{n}", "StudyDate": "20200101", "PatientID": f"P{n}"},
            series=tuple(
                SeriesFacts(
                    values={"SeriesInstanceUID": f"1.2.{n}.{s}", "Modality": "CT", "SeriesNumber": str(s)},
                    instances=tuple(
                        InstanceFacts(values={"SOPInstanceUID": f"1.2.{n}.{s}.{i}", "InstanceNumber": str(i)})
                        for i in range(1, 6)
                    ),
                )
                for s in range(1, 6)
            ),
        )
        for n in range(3)
    )
    levels = ("SERIES", "IMAGE")
    result = found(tmp_path, numbered, result_cap=3, cap_signal=signal, cap_levels=levels)
    assert (result.series, result.instances) == (15, 75)
    assert result.closed


def test_a_listing_that_cannot_be_completed_keeps_the_crawl_open(tmp_path: Path) -> None:
    result = found(
        tmp_path, archive(3, (9,)), result_cap=4, cap_levels=("IMAGE",), no_optional_keys=True, relational=False
    )
    unnumbered = ListArchive(
        [StudyFacts(values={"StudyInstanceUID": "1.2.3", "StudyDate": "20200101", "PatientID": "P"}, series=(
            SeriesFacts(values={"SeriesInstanceUID": "1.2.3.1"}, instances=tuple(
                InstanceFacts(values={"SOPInstanceUID": f"1.2.3.1.{n}"}) for n in range(9))),))]
    )  # fmt: skip
    result = found(tmp_path, unnumbered, result_cap=4, cap_levels=("IMAGE",))
    assert not result.closed
    assert any("listed" in doubt for doubt in result.doubts)
    assert ("COUNT_MISMATCH", "SERIES") in defects(tmp_path)


def test_a_study_without_instances_is_an_empty_shell(tmp_path: Path) -> None:
    result = found(tmp_path, archive(2, ()))
    assert result.closed
    assert defects(tmp_path) == {("EMPTY_SHELL", "STUDY")}


def test_counts_that_the_peer_did_not_return_are_null(tmp_path: Path) -> None:
    result = found(tmp_path, archive(), no_optional_keys=True)
    assert result.closed
    assert set(column(tmp_path, "studies", "number_of_study_related_instances")) == {None}
    assert set(column(tmp_path, "series", "number_of_series_related_instances")) == {None}
    assert set(column(tmp_path, "studies", "institution_name")) == {None}
    assert column(tmp_path, "studies", "instance_count") == [5] * 6


def test_wrong_counts_are_a_mismatch(tmp_path: Path) -> None:
    result = found(tmp_path, archive(), wrong_counts=2)
    assert result.studies == 6
    assert {("COUNT_MISMATCH", "STUDY"), ("COUNT_MISMATCH", "SERIES")} <= defects(tmp_path)


def test_a_study_that_has_grown_since_it_was_found_is_told_apart(tmp_path: Path) -> None:
    growing = archive(1)
    source = SimulatedSource(growing)

    def grow(where: Any) -> None:
        if where.phase == "windows" and where.windows > 40 and not grown:
            grown.append(True)
            growing.remove("1.2.0")
            growing.add(study_facts("1.2.0", (2, 4), StudyDate="20200101", StudyTime="101500", PatientID="P0"))

    grown: list[bool] = []
    with journal(tmp_path) as db:
        crawl(request(tmp_path, db, lambda: source, progress=grow, **IMAGE))
    assert column(tmp_path, "studies", "instance_count") == [6]
    assert ("DELTA_CHANGED", "STUDY") in defects(tmp_path)


def test_a_series_that_answers_with_another_study_is_uid_drift(tmp_path: Path) -> None:
    result = found(tmp_path, archive(), wrong_parent_every=2)
    assert (result.studies, result.series, result.instances) == (6, 12, 30)
    assert {("UID_DRIFT", "SERIES"), ("UID_DRIFT", "IMAGE")} <= defects(tmp_path)


def test_series_of_other_studies_are_not_taken_for_ours(tmp_path: Path) -> None:
    result = found(tmp_path, archive(), foreign_rows=1)
    assert len(set(column(tmp_path, "series", "series_instance_uid"))) == 12
    assert result.series == 12
    assert len(set(column(tmp_path, "instances", "sop_instance_uid"))) == 30


def test_the_same_instance_in_two_series_is_a_collision(tmp_path: Path) -> None:
    twice = tuple(
        SeriesFacts(values={"SeriesInstanceUID": uid}, instances=(InstanceFacts(values={"SOPInstanceUID": "1.2.9"}),))
        for uid in ("1.2.1.1", "1.2.1.2")
    )
    values = {"StudyInstanceUID": "1.2.1", "StudyDate": "20200101", "PatientID": "P1"}
    found(tmp_path, ListArchive([StudyFacts(values=values, series=twice)]))
    assert ("UID_COLLISION", "IMAGE") in defects(tmp_path)
    assert column(tmp_path, "studies", "instance_count") == [1]


def test_the_same_study_with_other_values_is_named(tmp_path: Path) -> None:
    result = found(tmp_path, archive(), duplicate_every=2, duplicates_differ=True)
    assert result.studies == 6
    assert ("DUPLICATE", "STUDY") in defects(tmp_path)
    details = column(tmp_path, "crawl_defects", "detail")
    assert any("accession_number" in detail for detail in details)
    assert not any("DIFFERS" in detail for detail in details)


def test_the_same_study_of_two_patients_is_a_patient_conflict(tmp_path: Path) -> None:
    both = [study_facts("1.2.1", StudyDate="20200101", PatientID=patient) for patient in ("P1", "P2")]
    found(tmp_path, ListArchive(both))
    assert ("PATIENT_CONFLICT", "STUDY") in defects(tmp_path)


def test_text_that_cannot_be_decoded_is_kept_as_it_came(tmp_path: Path) -> None:
    result = found(tmp_path, archive(), undecodable_every=1)
    raw = [item for row in column(tmp_path, "identities", "raw") for item in row or ()]
    assert {item["keyword"] for item in raw} == {"PatientName"}
    assert all(isinstance(item["value"], bytes) and item["value"] for item in raw)
    assert result.sins["undecodable text"] > 0


@pytest.mark.parametrize(
    ("orders", "sin"),
    [
        ({"wrong_level_every": 2}, "wrong level"),
        ({"illegal_dates_every": 2}, "no legal date"),
        ({"extra_rows_without_uid": 1}, "no UID"),
        ({"foreign_rows": 1}, "outside the window"),
        ({"close_after_rows": 1, "close_first_n": 2}, "closed in mid-answer"),
    ],
)
def test_each_sin_is_counted(orders: dict[str, Any], sin: str, tmp_path: Path) -> None:
    result = found(tmp_path, archive(), **orders)
    assert result.sins[sin] > 0
    assert result.studies == 6


@pytest.mark.parametrize(
    ("level", "rows"), [(Level.STUDY, 0), (Level.SERIES, 12), (Level.IMAGE, 12 + 30)], ids=["study", "series", "image"]
)
def test_answers_of_another_level_are_counted_at_every_level_and_kept(level: Level, rows: int, tmp_path: Path) -> None:
    wrong, alphabet = FindMisbehaviours(wrong_level_every=1), "AP0123456789"
    (tmp_path / "studies").mkdir()
    study_rows = crawled(tmp_path / "studies", archive(), wrong, alphabet=alphabet)[0].sins["wrong level"]
    result, _ = crawled(tmp_path, archive(), wrong, alphabet=alphabet, level=level)
    assert result.sins["wrong level"] == study_rows + rows
    assert (result.closed, result.studies) == (True, 6)
    listed = {Level.STUDY: (0, 0), Level.SERIES: (12, 0), Level.IMAGE: (12, 30)}[level]
    assert (result.series, result.instances) == listed


def test_an_answer_without_end_is_given_up(tmp_path: Path) -> None:
    orders = FindMisbehaviours(endless=True)
    result, _ = crawled(tmp_path, archive(2), orders, answer_limit=300, stale_answers=50, **IMAGE)
    assert not result.closed
    assert result.studies == 2


def test_a_peer_that_always_breaks_off_leaves_windows_open(tmp_path: Path) -> None:
    result, _ = crawled(tmp_path, archive(), FindMisbehaviours(close_after_rows=1))
    assert not result.closed
    assert any("breaks off" in window for window in result.open_windows)


def test_a_peer_that_refuses_such_queries_stops_the_crawl(tmp_path: Path) -> None:
    orders = FindMisbehaviours(fails_every=1, fail_status=0xA900)
    with pytest.raises(PeerRefused, match="A900"):
        crawled(tmp_path, archive(), orders)


def test_optional_keys_that_make_the_peer_fail_are_left_out(tmp_path: Path) -> None:
    result = found(tmp_path, archive(), fails_first_n=1, fail_status=0xC001)
    assert result.closed
    assert set(column(tmp_path, "studies", "modalities_in_study")) == {None}


def test_a_busy_peer_is_asked_again(tmp_path: Path) -> None:
    assert found(tmp_path, archive(), fails_every=3).closed


def test_the_windows_never_show_a_whole_identifier(tmp_path: Path) -> None:
    studies = [
        study_facts(f"1.2.{n}", StudyDate="20200101", StudyTime="101500", PatientID="9123456780", AccessionNumber="")
        for n in range(4)
    ]
    result, _ = crawled(tmp_path, ListArchive(studies), FindMisbehaviours(result_cap=2), alphabet="0123456789")
    assert not result.closed
    windows = read_table(tmp_path, "windows")
    text = "".join(map(str, windows.to_pylist())) + "".join(result.open_windows)
    assert "91234" not in text
    ids = windows["window_id"].to_pylist()
    assert len(set(ids)) == len(ids)
    assert set(windows["parent_id"].to_pylist()) - {None} <= set(ids)


def test_a_range_alone_promises_nothing_for_the_rest(tmp_path: Path) -> None:
    undated = study_facts("1.2.99", StudyDate="", PatientID="P9")
    studies = ListArchive([undated, study_facts("1.2.1", StudyDate="20200202", PatientID="P1")])
    result, _ = crawled(tmp_path, studies, whole=False)
    assert result.closed
    assert result.studies == 1
    assert result.estimated_undiscovered is None


def test_a_window_that_lies_in_a_closed_one_is_not_named_open(tmp_path: Path) -> None:
    same_day = ListArchive(
        study_facts(
            f"1.2.{n}", StudyDate="20200101", StudyTime=f"{n:02d}1500", PatientID=f"P{n}", AccessionNumber=f"A{n}"
        )
        for n in range(9)
    )
    orders = FindMisbehaviours(result_cap=4, cap_signal="FE00", ignores_time=True)
    result, _ = crawled(tmp_path, same_day, orders, alphabet="AP0123456789", small_archive=0)
    windows = read_table(tmp_path, "windows").to_pylist()
    covered = [window for window in windows if window["state"] == "covered"]
    assert result.closed, (result.open_windows, result.doubts)
    assert result.open_windows == ()
    assert len(covered) == result.covered_windows > 0
    assert all(window["closed"] for window in windows)
    assert all("does not honour" in window["why"] and "closed" in window["why"] for window in covered)


def test_a_row_that_one_answer_repeats_is_kept_once_and_counted_each_time() -> None:
    kept: list[dict[str, list[Any]]] = []
    asked = Asked(window=Window(axis=PATIENT), ordinal=1, at="now")
    collector = Collector(asked, kept.append, Limits(answers=5_000, stale=5_000))
    for number in range(500):
        collector.take(Match({"StudyInstanceUID": f"1.2.{number % 3}", "PatientID": "P"}, {"PatientName": b"\xe9"}))
    collector.take(Match({"StudyInstanceUID": "1.2.1", "PatientID": "Q"}))
    collector.release()
    rows = [pair for columns in kept for pair in zip(columns["study_instance_uid"], columns["patient_id"], strict=True)]
    assert sorted(rows) == [("1.2.0", "P"), ("1.2.1", "P"), ("1.2.1", "Q"), ("1.2.2", "P")]
    assert (collector.seen.matches, len(collector.seen.found)) == (501, 3)
    assert collector.seen.sins["undecodable text"] == 500


class _Fickle:
    """A source that leaves out a study every second time that it is asked the same."""

    def __init__(self, inner: Finder) -> None:
        self._inner = inner
        self._asked: Counter[str] = Counter()
        self.close = inner.close

    def find(self, level: Level, keys: Mapping[str, str], on_match: Callable[[Match], None]) -> FindEnd:
        found: list[Match] = []
        end = self._inner.find(level, keys, found.append)
        self._asked[repr(keys)] += 1
        kept = found[self._asked[repr(keys)] % 2 == 0 :]
        for match in kept:
            on_match(match)
        return replace(end, matches=len(kept))


@pytest.mark.parametrize(("share", "doubts"), [(1.0, ["a window that is asked twice gives two answers"]), (0.0, [])])
def test_windows_that_are_asked_again_at_the_end_must_say_the_same(
    share: float, doubts: list[str], tmp_path: Path
) -> None:
    source = SimulatedSource(archive(1))
    with journal(tmp_path) as db:
        asked = request(tmp_path, db, lambda: _Fickle(source), recheck_share=share, alphabet="AP0123456789")
        result = crawl(asked)
    assert (result.rechecked_windows > 0) == bool(doubts)
    assert sorted(set(result.doubts)) == doubts
    assert result.closed == (not doubts)
    assert all("gives two answers" in window for window in result.open_windows)
    assert bool(result.open_windows) == bool(doubts)


@pytest.mark.parametrize("studies", [9, 250], ids=["each looked into", "too many to look into"])
def test_an_axis_that_hides_studies_is_named_as_an_open_window(studies: int, tmp_path: Path) -> None:
    dated = ListArchive(
        study_facts(f"1.2.{n}", StudyDate=f"202001{n % 28 + 1:02d}", StudyTime=f"{n % 24:02d}1500", PatientID=f"P{n}")
        for n in range(studies)
    )
    orders = FindMisbehaviours(no_wildcards=True, result_cap=7, cap_signal="silent")
    result, _ = crawled(tmp_path, dated, orders, alphabet="P0123456789", small_archive=0)
    assert not result.closed
    assert result.doubts
    assert any(window.startswith("patient:") and result.doubts[0] in window for window in result.open_windows)
    left = [row for row in read_table(tmp_path, "windows").to_pylist() if not row["closed"]]
    assert any(row["axis"] == "patient" and row["why"].endswith(result.doubts[0]) for row in left)
