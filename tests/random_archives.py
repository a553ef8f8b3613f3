"""Random archives that misbehave, and what the sweeps of a crawl say about them against the truth."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from migrate.demo.alterations import shell_values
from migrate.demo.misbehaviour import CAP_SIGNALS, FindMisbehaviours
from migrate.demo.simulated import ListArchive, StudyFacts, study_facts
from migrate.errors import PeerUnavailable
from migrate.stages.crawl.selecting import full_time, plain_day, selectable
from migrate.stages.crawl.sweeping import Swept
from tests.crawling import swept

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
LETTERS = "01ABS"
DATES = ["20200101", "20200101", "20200102", "20200215", "", "", "20201345", "18500101", "20991231", "2020.01.03"]
TIMES = ["101112", "101112", "101113", "235959.999", "000000", "", "1011"]
IDS = ["", "0", "01", "0", "A", "AB1", "B1", "01A", "1"]
ACCESSIONS = ["", "A1", "A1", "B", "0", "01"]
TERMS: dict[str, Any] = {"alphabet": LETTERS, "flush_s": 1e9}

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
    "empty_shells": [2],
    "uid_dropped_every": [2, 5],
    "wrong_level_every": [2],
    "illegal_dates_every": [2],
    "undecodable_every": [2],
    "endless": [True],
    "close_first_n": [3],
    "close_after_rows": [0, 2],
    "fails_first_n": [2],
    "fails_every": [3],
}


@dataclass(frozen=True)
class Capped:
    """The result cap and how it shows."""

    cap: int | None
    signal: str


class Said(StrEnum):
    """What a crawl says of itself.

    `WRONG`: closed with a study missing, with one that is not there, or with a window named open.
    `STOPPED`: it ends with an error that says that the peer does not answer.
    """

    CLOSED = "closed"
    OPEN = "not closed"
    STOPPED = "stopped"
    WRONG = "wrong"


@st.composite
def archives(draw: st.DrawFn, most: int = 14) -> tuple[StudyFacts, ...]:
    """Up to `most` studies that share days, times, patients and accession numbers, legal or not."""
    uids = st.integers(1, 4 * most + 4).map(lambda n: f"1.2.{n}")
    dates, times = st.sampled_from(DATES), st.sampled_from(TIMES)
    keys = st.tuples(uids, dates, times, st.sampled_from(IDS), st.sampled_from(ACCESSIONS), st.integers(0, 3))
    rows = draw(st.lists(keys, max_size=most, unique_by=lambda row: row[0]))
    return tuple(
        study_facts(uid, (1,) * series, StudyDate=day, StudyTime=time, PatientID=patient, AccessionNumber=accession)
        for uid, day, time, patient, accession, series in rows
    )


def orders_of(*names: str) -> st.SearchStrategy[FindMisbehaviours]:
    """Exactly these misbehaviours, together."""
    chosen = {name: st.sampled_from(MISBEHAVIOURS[name]) for name in names}
    if "close_first_n" in names and "close_after_rows" not in names:
        chosen["close_after_rows"] = st.integers(0, 3)
    return st.builds(FindMisbehaviours, **chosen)


def some_orders(least: int, most: int) -> st.SearchStrategy[FindMisbehaviours]:
    """So many misbehaviours at once."""
    names = st.lists(st.sampled_from(sorted(MISBEHAVIOURS)), min_size=least, max_size=most, unique=True)
    return names.flatmap(lambda chosen: orders_of(*chosen))


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


def truth_of(studies: tuple[StudyFacts, ...], orders: FindMisbehaviours) -> set[str]:
    """Every study that the peer has, the empty shells that it invents included."""
    shells = {shell_values(number)["StudyInstanceUID"] for number in range(1, orders.empty_shells + 1)}
    return shells | {study.values["StudyInstanceUID"] for study in studies}


def swept_with(
    studies: tuple[StudyFacts, ...], capped: Capped, orders: FindMisbehaviours
) -> tuple[Swept, set[str], FindMisbehaviours]:
    """The sweeps of one archive in memory: what they prove, the studies found, the orders with the cap."""
    given = {field.name: getattr(orders, field.name) for field in fields(orders)}
    ordered = FindMisbehaviours(**(given | {"result_cap": capped.cap, "cap_signal": capped.signal}))
    most = 20 * len(studies)
    terms = TERMS | {"answer_limit": max(150, most), "stale_answers": max(60, most), "most_windows": 500}
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        result, found, _ = swept(Path(name), ListArchive(studies), ordered, **terms)
    return result, found, ordered


def judged(studies: tuple[StudyFacts, ...], capped: Capped, orders: FindMisbehaviours) -> tuple[Said, str]:
    """What the crawl says of an archive, and why that is wrong if it is."""
    try:
        result, found, ordered = swept_with(studies, capped, orders)
    except PeerUnavailable:
        return Said.STOPPED, ""
    truth = truth_of(studies, ordered)
    if not found <= truth or result.stats.studies != len(found):
        return Said.WRONG, f"{len(found - truth)} studies too many, {result.stats.studies} counted"
    if not result.closed(whole=True):
        return (Said.OPEN, "") if result.open_windows else (Said.WRONG, "not closed, and no window named")
    if result.open_windows:
        return Said.WRONG, f"closed, and yet it names {result.open_windows}"
    missing = truth - found - hidden(studies, capped.cap)
    return (Said.WRONG, f"closed without {sorted(missing)}") if missing else (Said.CLOSED, "")
