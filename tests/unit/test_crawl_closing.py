"""What one answer proves about its window, and what the pieces of a window prove."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrate.stages.crawl.answers import Seen
from migrate.stages.crawl.close import Caps, Verdict, judge
from migrate.stages.crawl.density import DayRates, HourProfile
from migrate.stages.crawl.estimate import undiscovered
from migrate.stages.crawl.knowledge import Knowledge
from migrate.stages.crawl.nodes import Node, from_json, from_row, to_json
from migrate.stages.crawl.prefixes import Prefixes
from migrate.stages.crawl.selecting import full_time, matches_pattern, plain_day, selectable
from migrate.stages.crawl.strategy import DAYS, TIME, ways
from migrate.stages.crawl.sweep import Answer, Sweep
from migrate.stages.crawl.windows import DATE, PATIENT, Window, with_key

DAY = date(2004, 3, 12)


def seen(matches: int, found: int | None = None, **more: Any) -> Seen:
    studies = dict.fromkeys(range(matches if found is None else found), False)
    return Seen(matches=matches, found=studies, **more)


@pytest.mark.parametrize(
    ("status", "answer", "caps", "verdict"),
    [
        (0x0000, seen(0), Caps(), Verdict.WHOLE),
        (0x0000, seen(7), Caps(largest=9), Verdict.WHOLE),
        (0x0000, seen(9), Caps(largest=9), Verdict.SUSPECT),
        (0x0000, seen(9), Caps(largest=9, silent=9), Verdict.CAPPED),
        (0x0000, seen(9), Caps(largest=9, signalled=9), Verdict.WHOLE),
        (0x0000, seen(500), Caps(known=500, largest=500), Verdict.CAPPED),
        (0x0000, seen(499), Caps(known=500, largest=499), Verdict.SUSPECT),
        (0x0000, seen(600), Caps(known=500, largest=900), Verdict.WHOLE),
        (0x0000, seen(7, without_uid=1), Caps(largest=9), Verdict.UNNAMED),
        (0xFE00, seen(3), Caps(), Verdict.CAPPED),
        (0xA700, seen(0), Caps(), Verdict.CAPPED),
        (0xC000, seen(0), Caps(), Verdict.CAPPED),
        (None, seen(3), Caps(largest=9), Verdict.BROKEN),
    ],
)
def test_an_answer_proves_what_its_end_and_its_count_allow(
    status: int | None, answer: Seen, caps: Caps, verdict: Verdict
) -> None:
    found, why = judge(status, answer, caps)
    assert found is verdict
    assert why


@given(st.integers(1, 50), st.lists(st.integers(0, 200), min_size=1))
def test_a_silently_cut_answer_never_counts_as_whole(cap: int, truths: list[int]) -> None:
    caps = Caps()
    for truth in truths:
        sent = min(truth, cap)
        caps.observe(0x0000, sent)
        if truth > cap:
            assert judge(0x0000, seen(sent), caps)[0] is not Verdict.WHOLE


def answer(studies: Iterable[int], status: int | None = 0x0000, **more: Any) -> Answer:
    found = dict.fromkeys(studies, False)
    return Answer(status=status, seen=Seen(matches=len(found), found=found, **more), attempts=1)


def sweep(**known: Any) -> Sweep:
    return Sweep(Knowledge(caps=Caps(**known), alphabet="12"), (DAY, DAY), lambda: "now")


def ask_all(asked: Sweep, archive: dict[int, tuple[date, int]], cap: int, status: int) -> None:
    """Answer every window of the date axis from an archive of (day, minute)."""
    while (node := asked.take()) is not None:
        window = node.window
        low, high = window.minutes or (0, 1439)
        inside = [
            study
            for study, (day, minute) in archive.items()
            if (window.first or day) <= day <= (window.last or day) and low <= minute <= high
        ]
        cut = len(inside) > cap
        asked.record(node, answer(inside[:cap], status if cut else 0x0000))


@pytest.mark.parametrize("status", [0x0000, 0xFE00, 0xC000], ids=["silent", "FE00", "C000"])
def test_a_window_over_the_cap_is_closed_by_its_pieces(status: int) -> None:
    archive = {n: (date(2004, 1 + n % 12, 1 + n % 28), n % 1440) for n in range(100)}
    asked = sweep()
    root = asked.add(Window(axis=DATE, first=date(2004, 1, 1), last=date(2004, 12, 31)))
    ask_all(asked, archive, 10, status)
    assert root.state == "done"
    assert root.capped
    assert not root.proven
    assert root.below == 100


def test_a_count_that_reaches_the_largest_is_proven_by_the_pieces() -> None:
    archive = {n: (date(2004, 1 + n, 1), 600) for n in range(5)}
    asked = sweep()
    root = asked.add(Window(axis=DATE, first=date(2004, 1, 1), last=date(2004, 12, 31)))
    ask_all(asked, archive, 10, 0x0000)
    assert (root.state, root.capped, root.proven) == ("done", False, True)


def test_more_studies_in_one_minute_than_an_answer_holds_keep_the_window_open() -> None:
    archive = dict.fromkeys(range(5), (DAY, 600))
    asked = sweep()
    root = asked.add(Window(axis=DATE, first=date(2004, 1, 1), last=date(2004, 12, 31)))
    ask_all(asked, archive, 3, 0xFE00)
    asked.cut_by_text()
    while (node := asked.take()) is not None:
        asked.record(node, answer([]))
    assert root.state == "failed"
    assert "open" in root.why


def test_a_peer_that_ignores_the_time_is_noticed() -> None:
    asked = sweep(largest=9)
    day = asked.add(Window(axis=DATE, first=DAY, last=DAY))
    taken = asked.take()
    assert taken is day
    asked.record(day, answer(range(9), 0xFE00))
    hour = asked.take()
    assert hour is not None
    assert hour.window.minutes is not None
    asked.record(hour, answer(range(4), 0xFE00, outside=5))
    assert hour.state == "failed"
    assert day.ignored


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (Window(axis=DATE, first=date(2004, 1, 1), last=date(2004, 2, 1)), (DAYS,)),
        (Window(axis=DATE, first=DAY, last=DAY), (TIME, "PatientID", "AccessionNumber")),
        (Window(axis=DATE, first=DAY, last=DAY, minutes=(5, 5)), ("PatientID", "AccessionNumber")),
        (Window(axis=PATIENT), ("PatientID",)),
        (with_key(Window(axis=PATIENT), "PatientID", "12*"), ("PatientID",)),
        (with_key(Window(axis=PATIENT), "PatientID", "12"), (DAYS, TIME, "AccessionNumber")),
    ],
    ids=["days", "day", "minute", "all", "prefix", "one value"],
)
def test_a_window_is_cut_by_dates_then_time_then_text(window: Window, expected: tuple[str, ...]) -> None:
    assert ways(Node(ordinal=1, window=window, capped=True)) == expected


def test_a_minute_whose_studies_have_modalities_is_cut_by_them_last() -> None:
    node = Node(ordinal=1, window=Window(axis=DATE, first=DAY, last=DAY, minutes=(5, 5)), capped=True, modal=True)
    assert ways(node)[-1] == "ModalitiesInStudy"


def test_a_node_is_the_same_after_the_journal() -> None:
    window = with_key(Window(axis=DATE, first=DAY, last=DAY, minutes=(5, 9), parent_id="x"), "PatientID", "é*")
    node = Node(ordinal=7, window=window, state="leaf", status=0xFE00, matches=4, capped=True, proven=True, why="so")
    assert from_json(to_json(window)) == window
    assert from_row(node.row()).row() == node.row()


@pytest.mark.parametrize(
    ("text", "minute"), [("101112", 611), ("101112.5", 611), ("1011", None), ("", None), ("246060", None), (None, None)]
)
def test_only_a_complete_time_must_be_matched(text: str | None, minute: int | None) -> None:
    assert full_time(text) == minute


@pytest.mark.parametrize(
    ("text", "day"), [("20040312", DAY), ("2004.03.12", None), ("20041312", None), ("", None), (None, None)]
)
def test_only_a_plain_date_must_be_matched(text: str | None, day: date | None) -> None:
    assert plain_day(text) == day


@pytest.mark.parametrize(("text", "yes"), [("A1", True), ("", False), (None, False), ("A*1", False), (" A", False)])
def test_only_a_value_without_wildcards_can_be_selected(text: str | None, yes: bool) -> None:
    assert selectable(text) is yes


@pytest.mark.parametrize(
    ("pattern", "text", "yes"),
    [("12*", "123", True), ("12*", "132", False), ("?2*", "a2", True), ("ab", "AB ", True), ("CT", "MR\\CT", True)],
)
def test_a_returned_value_is_held_against_the_wildcard(pattern: str, text: str, yes: bool) -> None:
    assert matches_pattern(pattern, text) is yes


def test_the_estimate_is_nothing_when_both_axes_found_the_same() -> None:
    estimate = undiscovered(1000, 1000, 1000, 1000)
    assert (estimate.estimate, estimate.low, estimate.high) == (0, 0, 0)


def test_the_estimate_of_two_halves_is_the_other_quarter() -> None:
    estimate = undiscovered(500, 500, 250, 750)
    assert estimate.estimate == pytest.approx(250, rel=0.02)
    assert estimate.low < 250 < estimate.high


@given(st.integers(0, 5000), st.integers(0, 5000), st.data())
def test_the_estimate_lies_in_its_interval(first: int, second: int, data: st.DataObject) -> None:
    both = data.draw(st.integers(0, min(first, second)))
    estimate = undiscovered(first, second, both, first + second - both)
    assert 0 <= estimate.low <= estimate.estimate <= estimate.high


def test_a_range_of_days_is_chosen_to_fill_an_answer() -> None:
    rates = DayRates()
    assert rates.days_for(DAY, date(2004, 12, 31), 500) is None
    for first in range(1, 22, 7):
        days = {date(2004, 1, first + n): 100 for n in range(7)}
        rates.observe(min(days), max(days), days)
    assert rates.days_for(date(2004, 2, 1), date(2004, 12, 31), 500) == 4
    assert rates.days_for(date(2004, 2, 1), date(2004, 2, 2), 500) == 2


@given(st.integers(0, 1439), st.integers(0, 1439), st.floats(0.01, 1))
def test_a_range_of_minutes_stays_inside(one: int, other: int, share: float) -> None:
    low, high = sorted((one, other))
    profile = HourProfile()
    profile.observe({9: 50, 15: 20})
    assert 1 <= profile.minutes_for(low, high, share) <= high - low + 1
    assert profile.weight(low, high) > 0


def test_prefixes_deepen_only_where_there_is_something_to_count() -> None:
    prefixes = Prefixes()
    for number in range(1000):
        prefixes.observe([f"{number:06d}"], counted=True)
    prefixes.observe([""], counted=True)
    assert prefixes.expected("000") == pytest.approx(1000, rel=0.2)
    assert prefixes.expected("000123") == 0
    assert prefixes.letters_at(0) == {"0"}
    assert prefixes.letters_at(5) == set("0123456789")
    assert prefixes.empty == 1
