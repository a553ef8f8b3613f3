"""When the source may be asked, in the run's own time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrate.engine.hours import DAYS, Hours, zone
from migrate.errors import ConfigError

VANCOUVER = "America/Vancouver"
NIGHTS_AND_WEEKENDS = ["Mon-Fri 19:00-06:00", "Sat-Sun 00:00-24:00"]

CASES = [
    ("Wed 2026-08-12 12:00", False),
    ("Wed 2026-08-12 18:59", False),
    ("Wed 2026-08-12 19:00", True),
    ("Wed 2026-08-12 23:59", True),
    ("Thu 2026-08-13 05:59", True),
    ("Thu 2026-08-13 06:00", False),
    ("Fri 2026-08-14 19:00", True),
    ("Sat 2026-08-15 12:00", True),
    ("Sun 2026-08-16 23:59", True),
    ("Mon 2026-08-17 00:00", False),
    ("Mon 2026-08-17 19:00", True),
    ("Tue 2026-08-18 05:00", True),
]


def local(text: str, timezone: str = VANCOUVER) -> datetime:
    day, rest = text.split(" ", 1)
    moment = datetime.strptime(rest, "%Y-%m-%d %H:%M").replace(tzinfo=zone(timezone))
    assert DAYS[moment.weekday()] == day
    return moment


@pytest.mark.parametrize(("moment", "is_open"), CASES)
def test_nights_and_weekends_are_open(moment: str, is_open: bool) -> None:
    assert Hours(NIGHTS_AND_WEEKENDS, VANCOUVER).open_at(local(moment)) is is_open


@pytest.mark.parametrize(("moment", "is_open"), CASES)
def test_the_same_moment_in_utc_gives_the_same_answer(moment: str, is_open: bool) -> None:
    assert Hours(NIGHTS_AND_WEEKENDS, VANCOUVER).open_at(local(moment).astimezone(UTC)) is is_open


MORE: dict[str, tuple[str, str, bool]] = {
    "a range of days over the weekend": ("Fri-Mon 08:00-09:00", "Sun 2026-08-16 08:30", True),
    "Monday night's end on Tuesday": ("Mon 22:00-02:00", "Tue 2026-08-18 01:00", True),
    "Sunday night's end on Monday": ("Sun 22:00-02:00", "Mon 2026-08-17 01:59", True),
    "and not on Sunday": ("Sun 22:00-02:00", "Sun 2026-08-16 01:00", False),
    "a whole day": ("Sun 00:00-24:00", "Sun 2026-08-16 12:00", True),
    "midnight to midnight is a whole day": ("Sun 00:00-00:00", "Sun 2026-08-16 12:00", True),
}


@pytest.mark.parametrize(("line", "moment", "is_open"), MORE.values(), ids=MORE)
def test_windows_cross_midnight_and_the_week(line: str, moment: str, is_open: bool) -> None:
    assert Hours([line], VANCOUVER).open_at(local(moment)) is is_open


def test_no_hours_means_always() -> None:
    assert Hours([], VANCOUVER).open_at(local("Wed 2026-08-12 12:00"))


def test_british_columbia_keeps_its_summer_time_in_the_winter_of_2026() -> None:
    assert local("Fri 2026-01-16 12:00").utcoffset() == timedelta(hours=-8)
    assert local("Wed 2026-12-16 12:00").utcoffset() == timedelta(hours=-7)


@pytest.mark.parametrize(
    "line",
    [
        "Mon 25:00-06:00",
        "Mon 19:00-06:60",
        "Mon 19-06",
        "Mond 19:00-06:00",
        "mon 19:00-06:00",
        "",
        "Mon-Xyz 19:00-06:00",
    ],
)
def test_a_line_that_cannot_be_read_is_shown(line: str) -> None:
    with pytest.raises(ConfigError, match="hours cannot be read") as caught:
        Hours([line], VANCOUVER)
    assert "Mon-Fri 19:00-06:00" in caught.value.hint


@pytest.mark.parametrize("name", ["America/Nowhere", "", "../../etc/passwd", "Vancouver"])
def test_a_time_zone_that_there_is_not_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match="no such time zone"):
        Hours([], name)


MOMENTS = st.integers(0, 3 * 365 * 24 * 60).map(
    lambda minutes: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
CLOCK = st.tuples(st.integers(0, 23), st.integers(0, 59)).map(lambda at: f"{at[0]:02d}:{at[1]:02d}")
LINES = st.builds(
    lambda first, last, begin, end: f"{first}-{last} {begin}-{end}", *2 * (st.sampled_from(DAYS),), CLOCK, CLOCK
)


@given(st.lists(LINES, min_size=1, max_size=3), MOMENTS)
def test_the_next_opening_is_open_and_not_in_the_past(lines: list[str], moment: datetime) -> None:
    hours = Hours(lines, "Etc/UTC")
    opening = hours.next_opening(moment)
    assert hours.open_at(opening)
    assert moment <= opening <= moment + timedelta(days=7)
    assert opening == moment or not hours.open_at(moment)


@given(st.sampled_from(DAYS), CLOCK, CLOCK, MOMENTS)
def test_a_window_and_the_one_from_its_end_to_its_beginning_cover_the_week(
    day: str, begin: str, end: str, moment: datetime
) -> None:
    every_day = [f"{day}-{DAYS[DAYS.index(day) - 1]} {a}-{b}" for a, b in ((begin, end), (end, begin))]
    inside, outside = (Hours([line], "Etc/UTC").open_at(moment) for line in every_day)
    assert inside or outside
    assert begin == end or inside is not outside
