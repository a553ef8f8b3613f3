"""The algebra of windows: what one C-FIND asks for, and how it is cut into smaller ones.

Law: the pieces of a window cover it. Dates are cut into ranges of whole days; a time range stands
only with a single day, because without negotiation date and time are two filters (PS3.4
C.2.2.2.5, standards.md 1.2), and its last bound is the last microsecond of a minute, so that
pieces touch without a gap. Text keys are cut by prefix: the value itself, the value and one more
letter. Nothing here asks, remembers or decides.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

DATE, PATIENT, ACCESSION = "date", "patient", "accession"
PREFIX_KEYWORDS = {PATIENT: "PatientID", ACCESSION: "AccessionNumber"}
MODALITY_KEYWORD = "ModalitiesInStudy"

LAST_MINUTE = 24 * 60 - 1
# Printable ASCII that a text value may hold (PS3.5 6.2, LO) and a wildcard can select: `*` and `?`
# are wildcards themselves, the backslash separates values.
ALPHABET = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in "*?\\")
LONGEST_VALUE = 64
SHOWN_LETTERS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """One query at STUDY level.

    Args:
        axis: The sweep it belongs to: `date`, `patient` or `accession`.
        first: First day, inclusive; `date.min` leaves the range open. None: no StudyDate key.
        last: Last day, inclusive; `date.max` leaves the range open.
        minutes: First and last minute of the one day, inclusive; of any day where there is no StudyDate key.
        extra: Further matching keys with their values, wildcards included.
        parent_id: The window it was cut from.
    """

    axis: str
    first: date | None = None
    last: date | None = None
    minutes: tuple[int, int] | None = None
    extra: tuple[tuple[str, str], ...] = ()
    parent_id: str | None = None

    @property
    def window_id(self) -> str:
        """The name of the window; it says the whole query."""
        low, high = _ends(self)
        dates = f"{low}-{high}" if self.first and self.last else "*"
        times = f"T{_clock(self.minutes[0])}-{_clock(self.minutes[1])}" if self.minutes else ""
        return "/".join((f"{self.axis}:{dates}{times}", *(f"{key}={value}" for key, value in self.extra)))

    @property
    def days(self) -> int:
        """How many days the window spans; 0 without a StudyDate key."""
        return (self.last - self.first).days + 1 if self.first and self.last else 0

    @property
    def keys(self) -> dict[str, str]:
        """The matching keys of the query (keyword -> value)."""
        found = dict(self.extra)
        low, high = _ends(self)
        if low or high:
            found["StudyDate"] = low if low == high else f"{low}-{high}"
        if self.minutes:
            found["StudyTime"] = f"{_clock(self.minutes[0])}00-{_clock(self.minutes[1])}59.999999"
        return found


def _ends(window: Window) -> tuple[str, str]:
    """First and last day as text; "" where the range is open."""
    first, last = window.first, window.last
    if first is None or last is None:
        return "", ""
    is_open = first < last
    low = "" if is_open and first == date.min else _day_text(first)
    return low, "" if is_open and last == date.max else _day_text(last)


def _day_text(day: date) -> str:
    return f"{day.year:04d}{day.month:02d}{day.day:02d}"


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}{minute % 60:02d}"


def date_roots(first: date, last: date) -> tuple[Window, ...]:
    """The date axis: everything before `first`, the range itself, everything after `last`."""
    day = timedelta(days=1)
    ranges = [(first, last)]
    if first > date.min:
        ranges.insert(0, (date.min, first - day))
    if last < date.max:
        ranges.append((last + day, date.max))
    return tuple(Window(axis=DATE, first=low, last=high) for low, high in ranges)


def cut_days(window: Window, days: int) -> tuple[Window, Window | None]:
    """The first `days` days of a window, and what is left of it (pieces have the window's parent)."""
    if not window.first or not window.last or days >= window.days:
        return window, None
    end = window.first + timedelta(days=max(1, days) - 1)
    return replace(window, last=end), replace(window, first=end + timedelta(days=1))


def cut_minutes(window: Window, minutes: int) -> tuple[Window, Window | None]:
    """The first `minutes` minutes of a window inside one day, and what is left of it."""
    low, high = window.minutes or (0, LAST_MINUTE)
    if low + minutes > high:
        return replace(window, minutes=(low, high)), None
    return replace(window, minutes=(low, low + minutes - 1)), replace(window, minutes=(low + minutes, high))


def children(window: Window) -> tuple[Window, ...]:
    """The calendar pieces: centuries, years, months, days, hours, minutes; () below a minute.

    The pieces follow each other without gap or overlap and cover the window.
    """
    if window.days > 1:
        return tuple(_piece(window, low, high) for low, high in _calendar_pieces(window))
    if window.days == 0:
        return ()
    low, high = window.minutes or (0, LAST_MINUTE)
    if low == high:
        return ()
    step = 60 if high - low >= 60 else 1
    starts = range(low, high + 1, step)
    return tuple(
        replace(window, minutes=(start, min(start + step - 1, high)), parent_id=window.window_id) for start in starts
    )


def _piece(window: Window, first: date, last: date) -> Window:
    return replace(window, first=first, last=last, parent_id=window.window_id)


def _calendar_pieces(window: Window) -> list[tuple[date, date]]:
    low, end = window.first or date.min, window.last or date.max
    end_of_piece, pieces = _unit(low, end), []
    while True:
        high = min(end_of_piece(low), end)
        pieces.append((low, high))
        if high == end:
            return pieces
        low = high + timedelta(days=1)


def _unit(low: date, end: date) -> Callable[[date], date]:
    if end.year - low.year > 100:
        return lambda day: date(min(day.year // 100 * 100 + 99, 9999), 12, 31)
    if end.year > low.year:
        return lambda day: date(day.year, 12, 31)
    if end.month > low.month:
        return lambda day: date(day.year, day.month, calendar.monthrange(day.year, day.month)[1])
    return lambda day: day


def prefix_children(window: Window, keyword: str, letters: Iterable[str]) -> tuple[Window, ...]:
    """Cut by one more letter of a text key: the value so far alone, and with each letter after it.

    The pieces cover every value that goes on with one of `letters`, or ends here. An empty value is
    covered by none: no query selects it.
    """
    prefix = prefix_of(window, keyword)
    endings = [prefix] if prefix else []
    patterns = endings + [f"{prefix}{letter}*" for letter in letters]
    return tuple(with_key(window, keyword, pattern) for pattern in patterns)


def with_key(window: Window, keyword: str, value: str) -> Window:
    """A piece of the window with one more (or another) matching key."""
    others = tuple(pair for pair in window.extra if pair[0] != keyword)
    return replace(window, extra=(*others, (keyword, value)), parent_id=window.window_id)


def prefix_of(window: Window, keyword: str) -> str:
    """What is fixed of a text key so far; "" when nothing is."""
    value = dict(window.extra).get(keyword, "")
    return value.removesuffix("*")


def can_lengthen(window: Window, keyword: str) -> bool:
    """Whether the text key can be cut further: it is open-ended and not yet full."""
    value = dict(window.extra).get(keyword)
    return value is None or (value.endswith("*") and len(value) <= LONGEST_VALUE)


def shown_id(window: Window) -> str:
    """The name of a window for people: no more than three letters of an identifier."""
    return replace(window, extra=tuple((key, _masked(key, value)) for key, value in window.extra)).window_id


def shown_ends(window: Window) -> tuple[str, str]:
    """From and to for people: dates with times, or the masked value of the text key."""
    if window.extra and window.axis != DATE:
        value = _masked(*window.extra[-1])
        return value, value
    first, last = _ends(window)
    if window.minutes:
        return f"{first}T{_clock(window.minutes[0])}", f"{last}T{_clock(window.minutes[1])}"
    return first, last


def _masked(keyword: str, value: str) -> str:
    if keyword == MODALITY_KEYWORD or len(value) <= SHOWN_LETTERS + 1:
        return value
    return f"{value[:SHOWN_LETTERS]}…({len(value)})"
