"""Every order for C-FIND, against the in-process double (the network peer shares the code)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from migrate.demo.matching import Dialect
from migrate.demo.misbehaviour import FindMisbehaviours
from migrate.demo.rows import Row
from migrate.demo.simulated import ListArchive, SimulatedSource, StudyFacts, study_facts
from migrate.errors import PeerError, PeerUnavailable
from migrate.model import Level
from migrate.peers import FindEnd, Match

ALL_KEYS = {
    "StudyInstanceUID": "",
    "StudyDate": "",
    "StudyTime": "",
    "PatientID": "",
    "PatientName": "",
    "AccessionNumber": "",
    "ModalitiesInStudy": "",
    "NumberOfStudyRelatedSeries": "",
    "NumberOfStudyRelatedInstances": "",
}


def archive(studies: int = 10) -> ListArchive:
    return ListArchive(map(study, range(1, studies + 1)))


def study(number: int) -> StudyFacts:
    return study_facts(
        f"1.2.{number}",
        (2, 1),
        StudyDate=f"201901{number:02d}" if number % 5 else "",
        StudyTime="101500",
        PatientID=f"P{number:03d}",
        PatientName="SAMPLE^ALPHA",
    )


def asked(source: SimulatedSource, level: Level = Level.STUDY, **keys: str) -> tuple[list[Match], FindEnd]:
    matches: list[Match] = []
    wanted = {**ALL_KEYS, **keys} if level is Level.STUDY else keys
    end = source.find(level, wanted, matches.append)
    assert end.matches == len(matches)
    return matches, end


def uids(matches: list[Match]) -> list[str]:
    return [match.values["StudyInstanceUID"] for match in matches if "StudyInstanceUID" in match.values]


def ordered(**orders: Any) -> SimulatedSource:
    return SimulatedSource(archive(), FindMisbehaviours(**orders))


def test_a_peer_without_orders_tells_the_truth() -> None:
    source = ordered()
    matches, end = asked(source)
    assert set(uids(matches)) == source.catalogue.study_instance_uids()
    assert (end.status, end.optional_keys_unsupported) == (0x0000, False)
    assert matches[0].values["NumberOfStudyRelatedInstances"] == "3"


@pytest.mark.parametrize(
    ("signal", "status", "rows"), [("FE00", 0xFE00, 4), ("silent", 0x0000, 4), ("C000", 0xC000, 0), ("A700", 0xA700, 0)]
)
def test_a_cap_shows_as_ordered_and_only_above_itself(signal: str, status: int, rows: int) -> None:
    source = ordered(result_cap=4, cap_signal=signal)
    matches, end = asked(source)
    assert (len(matches), end.status) == (rows, status)
    matches, end = asked(source, StudyDate="20190101-20190104")
    assert (len(matches), end.status) == (4, 0x0000)


def test_a_cap_holds_at_the_ordered_levels_only() -> None:
    source = ordered(result_cap=1)
    series = {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": ""}
    assert asked(source, Level.SERIES, **series)[1].status == 0x0000
    source = ordered(result_cap=1, cap_levels=("SERIES",))
    assert asked(source, Level.SERIES, **series)[1].status == 0xFE00


def test_a_study_without_a_date_hides_from_every_range() -> None:
    undated = {"1.2.5", "1.2.10"}
    matches, _ = asked(ordered(), StudyDate="19000101-20991231")
    assert set(uids(matches)) == archive().study_instance_uids() - undated
    matches, _ = asked(ordered(hide_undated_from_ranges=False), StudyDate="19000101-19000102")
    assert set(uids(matches)) == undated


def test_optional_keys_vanish_and_no_longer_match() -> None:
    matches, end = asked(ordered(no_optional_keys=True), ModalitiesInStudy="MR")
    assert len(matches) == 10
    assert not {"ModalitiesInStudy", "NumberOfStudyRelatedInstances"} & set(matches[0].values)
    assert not end.optional_keys_unsupported
    assert asked(ordered(no_optional_keys=True, flags_unsupported_keys=True))[1].optional_keys_unsupported


def test_keys_are_dropped_or_emptied() -> None:
    matches, _ = asked(ordered(drop_keys=("PatientID",), empty_keys=("StudyDate",)))
    assert "PatientID" not in matches[0].values
    assert {match.values["StudyDate"] for match in matches} == {""}


def test_counts_are_wrong_by_what_was_ordered() -> None:
    matches, _ = asked(ordered(wrong_counts=7))
    assert matches[0].values["NumberOfStudyRelatedInstances"] == "10"


@pytest.mark.parametrize(
    ("orders", "rows"),
    [
        pytest.param({"duplicate_every": 3}, 13, id="every third row twice"),
        pytest.param({"per_instance_rows": True}, 30, id="a row for each instance"),
        pytest.param({"extra_rows_without_uid": 2}, 12, id="rows without UID on top"),
        pytest.param({"empty_shells": 2}, 12, id="studies that hold nothing"),
    ],
)
def test_more_rows_come_than_there_are_studies(orders: Mapping[str, Any], rows: int) -> None:
    matches, _ = asked(ordered(**orders))
    assert len(matches) == rows
    assert archive().study_instance_uids() <= set(uids(matches))


def test_duplicates_may_differ() -> None:
    matches, _ = asked(ordered(duplicate_every=2, duplicates_differ=True))
    assert Counter(uids(matches))["1.2.2"] == 2
    assert {m.values["AccessionNumber"] for m in matches if m.values["StudyInstanceUID"] == "1.2.2"} == {"", "DIFFERS"}


def test_foreign_rows_are_real_studies_outside_the_query() -> None:
    matches, _ = asked(ordered(foreign_rows=2), StudyDate="20190108")
    assert len(matches) == 3
    assert set(uids(matches)) - {"1.2.8"} <= archive().study_instance_uids()


def test_a_foreign_series_belongs_to_another_study() -> None:
    matches, _ = asked(ordered(foreign_rows=1), Level.SERIES, StudyInstanceUID="1.2.1", SeriesInstanceUID="")
    assert [match.values["StudyInstanceUID"] for match in matches] == ["1.2.2", "1.2.1", "1.2.1"]


def test_rows_lose_their_uid() -> None:
    matches, _ = asked(ordered(uid_dropped_every=2))
    assert len(matches) == 10
    assert len(uids(matches)) == 5


@pytest.mark.parametrize(
    ("orders", "key", "value"),
    [
        ({"wrong_level_every": 1}, "QueryRetrieveLevel", "STUDY"),
        ({"wrong_parent_every": 1}, "StudyInstanceUID", "1.2.826.0.1.3680043.8.498.999.1"),
    ],
)
def test_a_series_row_lies_about_its_place(orders: Mapping[str, Any], key: str, value: str) -> None:
    matches, _ = asked(ordered(**orders), Level.SERIES, StudyInstanceUID="1.2.1", SeriesInstanceUID="")
    assert {match.values[key] for match in matches} == {value}


def test_dates_become_illegal_and_text_undecodable() -> None:
    matches, _ = asked(ordered(illegal_dates_every=1, undecodable_every=1))
    assert {match.values["StudyDate"] for match in matches} == {"2019AB99"}
    assert "\ufffd" in matches[0].values["PatientName"]
    assert b"\xe9" in matches[0].raw["PatientName"]


def test_an_endless_answer_is_given_up_at_the_row_limit() -> None:
    source = SimulatedSource(archive(), FindMisbehaviours(endless=True), row_limit=1_000)
    with pytest.raises(PeerError) as gave_up:
        asked(source)
    assert gave_up.value.facts["matches"] == 1_000


class _Counted(ListArchive):
    """An archive that counts the rows it was made to look at."""

    looked_at = 0

    def rows(self, level: str, keys: Mapping[str, str], dialect: Dialect) -> Iterator[Row]:
        for row in super().rows(level, keys, dialect):
            self.looked_at += 1
            yield row


def test_an_endless_answer_that_a_cap_ends_looks_at_no_more_rows_than_it_sends() -> None:
    counted = _Counted(map(study, range(1, 11)))
    matches, _ = asked(SimulatedSource(counted, FindMisbehaviours(endless=True, result_cap=3, cap_signal="silent")))
    assert (len(matches), counted.looked_at) == (3, 4)


def test_a_peer_that_closes_in_mid_answer_gives_no_result() -> None:
    source = ordered(close_after_rows=3, close_first_n=1)
    matches: list[Match] = []
    with pytest.raises(PeerUnavailable):
        source.find(Level.STUDY, ALL_KEYS, matches.append)
    assert len(matches) == 3
    assert len(asked(source)[0]) == 10


def test_the_first_queries_fail_and_then_it_works() -> None:
    source = ordered(fails_first_n=2)
    assert [asked(source)[1].status for _ in range(3)] == [0xA700, 0xA700, 0x0000]
    assert [asked(ordered(fails_every=1, fail_status=0xC001))[1].status] == [0xC001]


def test_slow_answers_take_the_ordered_time() -> None:
    waited: list[float] = []
    source = SimulatedSource(archive(2), FindMisbehaviours(slow_answers_s=3, slow_rows_s=0.5), sleep=waited.append)
    asked(source)
    assert waited == [3, 0.5, 0.5]


def test_a_silent_peer_is_unavailable() -> None:
    with pytest.raises(PeerUnavailable):
        asked(ordered(silence=True))


def test_a_query_without_the_keys_above_its_level_is_refused_unless_relational() -> None:
    assert asked(ordered(), Level.IMAGE, SOPInstanceUID="")[1].status == 0xA900
    matches, end = asked(ordered(relational=True), Level.IMAGE, SOPInstanceUID="")
    assert (len(matches), end.status) == (30, 0x0000)


def test_a_study_may_arrive_or_vanish_during_the_crawl() -> None:
    studies = archive(2)
    source = SimulatedSource(studies)
    studies.add(study_facts("1.2.99"))
    studies.remove("1.2.1")
    assert uids(asked(source)[0]) == ["1.2.2", "1.2.99"]
    assert (source.history.queries, source.history.rows) == (1, 2)
