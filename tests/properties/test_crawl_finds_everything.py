"""A crawl finds every study or says that it is not closed: random archives, random misbehaviours."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrate.demo.misbehaviour import CAP_SIGNALS, FindMisbehaviours
from migrate.demo.simulated import ListArchive, StudyFacts, study_facts
from migrate.stages.crawl.answers import full_time, plain_day, selectable
from tests.crawling import crawled, swept

EXAMPLES = int(os.environ.get("MIGRATE_CRAWL_EXAMPLES", "2000"))
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
LETTERS = "01AB"
DATES = ["20200101", "20200101", "20200102", "20200215", "", "", "20201345", "18500101", "20991231", "2020.01.03"]
TIMES = ["101112", "101112", "101113", "235959.999", "000000", "", "1011"]
IDS = ["", "0", "01", "0", "A", "AB1", "B1", "01A", "1"]
ACCESSIONS = ["", "A1", "A1", "B", "0", "01"]


@st.composite
def archives(draw: st.DrawFn) -> tuple[StudyFacts, ...]:
    uids = st.integers(1, 60).map(lambda n: f"1.2.{n}")
    dates, times = st.sampled_from(DATES), st.sampled_from(TIMES)
    keys = st.tuples(uids, dates, times, st.sampled_from(IDS), st.sampled_from(ACCESSIONS), st.integers(0, 3))
    rows = draw(st.lists(keys, max_size=14, unique_by=lambda row: row[0]))
    return tuple(
        study_facts(uid, (1,) * series, StudyDate=day, StudyTime=time, PatientID=patient, AccessionNumber=accession)
        for uid, day, time, patient, accession, series in rows
    )


MISBEHAVIOURS: dict[str, list[Any]] = {
    "no_optional_keys": [True],
    "flags_unsupported_keys": [True],
    "drop_keys": [("PatientID",), ("StudyDate",), ("StudyTime", "AccessionNumber")],
    "empty_keys": [("PatientID",), ("StudyDate",)],
    "hide_undated_from_ranges": [False],
    "no_wildcards": [True],
    "ignores_time": [True],
    "one_interval": [True],
    "wrong_counts": [2],
    "duplicate_every": [1, 3],
    "duplicates_differ": [True],
    "per_instance_rows": [True],
    "foreign_rows": [1, 3],
    "extra_rows_without_uid": [1],
    "uid_dropped_every": [2, 5],
    "wrong_level_every": [2],
    "illegal_dates_every": [2],
    "undecodable_every": [2],
    "endless": [True],
    "close_first_n": [3],
    "fails_first_n": [2],
    "fails_every": [3],
}


@st.composite
def one_order(draw: st.DrawFn, most: int) -> FindMisbehaviours:
    names = draw(st.lists(st.sampled_from(sorted(MISBEHAVIOURS)), max_size=most, unique=True))
    chosen: dict[str, Any] = {name: draw(st.sampled_from(MISBEHAVIOURS[name])) for name in names}
    if "close_first_n" in chosen:
        chosen["close_after_rows"] = draw(st.integers(0, 3))
    return FindMisbehaviours(**chosen)


@dataclass(frozen=True)
class Capped:
    cap: int | None
    signal: str


caps = st.builds(Capped, st.none() | st.integers(2, 6), st.sampled_from(CAP_SIGNALS))


def selectors(study: StudyFacts) -> frozenset[tuple[str, object]]:
    """What of a study the crawl must be able to select."""
    values = study.values
    found: set[tuple[str, object]] = {
        (key, values[key]) for key in ("PatientID", "AccessionNumber") if selectable(values[key])
    }
    if plain_day(values["StudyDate"]) is not None:
        found.add(("StudyDate", values["StudyDate"]))
    if full_time(values["StudyTime"]) is not None:
        found.add(("minute", full_time(values["StudyTime"])))
    return frozenset(found)


def answering(study: StudyFacts) -> frozenset[tuple[str, object]]:
    """What of a study the archive answers to: also what is written in another way."""
    values = study.values
    found = {(key, values[key]) for key in ("PatientID", "AccessionNumber") if values[key]}
    return frozenset(
        found
        | {("StudyDate", values["StudyDate"].replace(".", ""))}
        | {("minute", full_time(f"{values['StudyTime']:0<6}") if values["StudyTime"] else None)}
    )


def hidden(studies: tuple[StudyFacts, ...], cap: int | None) -> set[str]:
    """Studies that no query can reveal: the narrowest one that selects them is over the cap."""
    answers = [answering(study) for study in studies]
    return {
        study.values["StudyInstanceUID"]
        for study in studies
        if cap is not None and sum(selectors(study) <= other for other in answers) >= cap
    }


def assert_everything_is_found_or_the_crawl_is_open(
    studies: tuple[StudyFacts, ...], capped: Capped, orders: FindMisbehaviours
) -> None:
    fields = {name: getattr(orders, name) for name in FindMisbehaviours.__dataclass_fields__}
    ordered = FindMisbehaviours(**(fields | {"result_cap": capped.cap, "cap_signal": capped.signal}))
    terms: dict[str, Any] = {"alphabet": LETTERS, "answer_limit": 150, "stale_answers": 60, "flush_s": 1e9}
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        result, found, _ = swept(Path(name), ListArchive(studies), ordered, most_windows=500, **terms)
    truth = {study.values["StudyInstanceUID"] for study in studies}
    assert found <= truth
    assert result.stats.studies == len(found)
    if result.closed(whole=True):
        assert truth - found <= hidden(studies, capped.cap)
    else:
        assert result.certificate.open_windows or result.confirmed.doubts


def archives_to_try(share: float) -> settings:
    """Of 2,000 archives in all."""
    return settings(max_examples=int(EXAMPLES * share), deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.slow
@pytest.mark.timeout(900)
@archives_to_try(0.35)
@given(archives(), caps)
def test_every_study_is_found_whatever_the_cap(studies: tuple[StudyFacts, ...], capped: Capped) -> None:
    assert_everything_is_found_or_the_crawl_is_open(studies, capped, FindMisbehaviours())


@pytest.mark.slow
@pytest.mark.timeout(900)
@archives_to_try(0.3)
@given(archives(), caps, one_order(1))
def test_every_study_is_found_in_spite_of_one_misbehaviour(
    studies: tuple[StudyFacts, ...], capped: Capped, orders: FindMisbehaviours
) -> None:
    assert_everything_is_found_or_the_crawl_is_open(studies, capped, orders)


@pytest.mark.slow
@pytest.mark.timeout(900)
@archives_to_try(0.25)
@given(archives(), caps, one_order(2))
def test_every_study_is_found_in_spite_of_two_misbehaviours(
    studies: tuple[StudyFacts, ...], capped: Capped, orders: FindMisbehaviours
) -> None:
    assert_everything_is_found_or_the_crawl_is_open(studies, capped, orders)


@pytest.mark.slow
@pytest.mark.timeout(900)
@archives_to_try(0.1)
@given(archives(), caps, one_order(len(MISBEHAVIOURS)))
def test_every_study_is_found_in_spite_of_all_misbehaviours(
    studies: tuple[StudyFacts, ...], capped: Capped, orders: FindMisbehaviours
) -> None:
    assert_everything_is_found_or_the_crawl_is_open(studies, capped, orders)


@pytest.mark.parametrize("signal", CAP_SIGNALS)
def test_a_well_behaved_archive_with_a_cap_is_closed(signal: str, tmp_path: Path) -> None:
    studies = [
        study_facts(
            f"1.2.{n}",
            StudyDate=DATES[n % 3],
            StudyTime=f"{n % 24:02d}1500",
            PatientID=f"A{n:02d}",
            AccessionNumber=f"N{n:03d}",
        )
        for n in range(40)
    ]
    orders = FindMisbehaviours(result_cap=5, cap_signal=signal)
    result, _ = crawled(tmp_path, ListArchive(studies), orders)
    assert result.closed, (result.open_windows, result.doubts)
    assert result.studies == 40
