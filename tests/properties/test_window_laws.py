"""The pieces of a window cover it: every day and minute once, never across midnight."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrate.stages.crawl.windows import (
    ALPHABET,
    DATE,
    LAST_MINUTE,
    PATIENT,
    Window,
    children,
    cut_days,
    cut_minutes,
    date_roots,
    prefix_children,
    prefix_of,
    shown_ends,
    shown_id,
    with_key,
)

days = st.dates(date(1850, 1, 1), date(2100, 12, 31))


@st.composite
def windows(draw: st.DrawFn) -> Window:
    first, last = sorted((draw(days), draw(days)))
    if draw(st.booleans()):
        return Window(axis=DATE, first=first, last=last)
    minutes = sorted((draw(st.integers(0, LAST_MINUTE)), draw(st.integers(0, LAST_MINUTE))))
    return Window(axis=DATE, first=first, last=first, minutes=(minutes[0], minutes[1]))


def span(window: Window) -> tuple[tuple[date, int], tuple[date, int]]:
    low, high = window.minutes or (0, LAST_MINUTE)
    assert window.first is not None
    assert window.last is not None
    return (window.first, low), (window.last, high)


def after(moment: tuple[date, int]) -> tuple[date, int]:
    day, minute = moment
    return (day, minute + 1) if minute < LAST_MINUTE else (day + timedelta(days=1), 0)


def assert_pieces_follow_each_other(window: Window, pieces: tuple[Window, ...]) -> None:
    ends = [span(piece) for piece in pieces]
    assert ends[0][0] == span(window)[0]
    assert ends[-1][1] == span(window)[1]
    for (_, end), (start, _) in itertools.pairwise(ends):
        assert start == after(end)


@given(windows())
def test_calendar_pieces_cover_each_moment_once(window: Window) -> None:
    pieces = children(window)
    if pieces:
        assert_pieces_follow_each_other(window, pieces)
        assert {piece.parent_id for piece in pieces} == {window.window_id}
        assert len(pieces) > 1
    else:
        assert window.minutes is not None
        assert window.minutes[0] == window.minutes[1]


@given(windows())
def test_no_window_crosses_midnight(window: Window) -> None:
    assert all(piece.days == 1 or piece.minutes is None for piece in children(window))


@given(windows(), st.integers(1, 4000))
def test_a_cut_and_the_rest_cover_the_window(window: Window, size: int) -> None:
    cut = cut_minutes if window.minutes else cut_days
    piece, rest = cut(window, size)
    assert_pieces_follow_each_other(window, (piece, rest) if rest else (piece,))


@given(days, days)
def test_the_roots_of_the_date_axis_cover_all_days(one: date, other: date) -> None:
    first, last = sorted((one, other))
    roots = date_roots(first, last)
    assert_pieces_follow_each_other(Window(axis=DATE, first=date.min, last=date.max), roots)


@given(st.text(ALPHABET, max_size=6), st.text(ALPHABET, max_size=6))
def test_prefix_pieces_cover_every_longer_value_once(prefix: str, more: str) -> None:
    window = Window(axis=PATIENT)
    if prefix:
        window = with_key(window, "PatientID", f"{prefix}*")
    value, selected = prefix + more, 0
    for piece in prefix_children(window, "PatientID", ALPHABET):
        pattern = dict(piece.extra)["PatientID"]
        selected += value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern
    assert selected == (1 if value else 0)


@given(st.text(ALPHABET, min_size=1, max_size=8))
def test_a_prefix_is_read_back_from_its_window(prefix: str) -> None:
    assert prefix_of(with_key(Window(axis=PATIENT), "PatientID", f"{prefix}*"), "PatientID") == prefix


@given(st.text("0123456789/=", min_size=5, max_size=12))
def test_an_identifier_is_never_shown_whole(patient_id: str) -> None:
    window = with_key(Window(axis=PATIENT), "PatientID", patient_id)
    assert patient_id not in shown_id(window)
    assert patient_id not in "".join(shown_ends(window))


@pytest.mark.parametrize(
    ("window", "keys"),
    [
        (Window(axis=DATE, first=date.min, last=date.max), {}),
        (Window(axis=DATE, first=date.min, last=date(1979, 12, 31)), {"StudyDate": "-19791231"}),
        (Window(axis=DATE, first=date(2026, 1, 1), last=date.max), {"StudyDate": "20260101-"}),
        (Window(axis=DATE, first=date(2004, 3, 1), last=date(2004, 3, 4)), {"StudyDate": "20040301-20040304"}),
        (
            Window(axis=DATE, first=date(2004, 3, 1), last=date(2004, 3, 1), minutes=(720, 779)),
            {"StudyDate": "20040301", "StudyTime": "120000-125959.999999"},
        ),
        (Window(axis=PATIENT, extra=(("PatientID", "12*"),)), {"PatientID": "12*"}),
    ],
    ids=["everything", "open below", "open above", "days", "an hour", "prefix"],
)
def test_a_window_says_its_query(window: Window, keys: dict[str, str]) -> None:
    assert window.keys == keys


def test_a_year_becomes_months_and_a_month_days() -> None:
    year = Window(axis=DATE, first=date(2004, 1, 1), last=date(2004, 12, 31))
    months = children(year)
    assert len(months) == 12
    assert len(children(months[1])) == 29
    hours = children(children(months[1])[0])
    assert len(hours) == 24
    assert len(children(hours[0])) == 60


@pytest.mark.parametrize("day", [date.min, date.max])
def test_the_first_and_the_last_day_there_are_can_be_asked_alone(day: date) -> None:
    assert Window(axis=DATE, first=day, last=day).keys == {"StudyDate": f"{day.year:04d}{day.month:02d}{day.day:02d}"}
