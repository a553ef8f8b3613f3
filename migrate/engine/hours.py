"""The calendar: when the source may be asked, in the run's own time zone."""

from __future__ import annotations

import importlib.resources
import re
from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from migrate.errors import ConfigError

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
WEEK = 7 * 24 * 60
_LINE = re.compile(r"(?P<first>\w{3})(?:-(?P<last>\w{3}))?\s+(?P<begin>\d\d:\d\d)-(?P<end>\d\d:\d\d)")


def zone(name: str) -> tzinfo:
    """A time zone from the pinned `tzdata`, since an old system's own may be wrong.

    B.C. stopped changing clocks in 2026; `ZoneInfo(name)` would prefer the system's stale file.

    Raises:
        ConfigError: There is no such zone.
    """
    try:
        file = importlib.resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
        with file.open("rb") as opened:
            return ZoneInfo.from_file(opened, key=name)
    except (OSError, ValueError, ModuleNotFoundError):
        raise ConfigError("no such time zone", "use a name such as America/Vancouver", timezone=name) from None


class Hours:
    """`["Mon-Fri 19:00-06:00", "Sat-Sun 00:00-24:00"]`; empty means always. A window may cross midnight.

    Raises:
        ConfigError: A line cannot be read.
    """

    def __init__(self, lines: list[str], timezone: str) -> None:
        self.zone = zone(timezone)
        self.windows = [window for line in lines for window in _windows(line)]
        self._open = _minutes_open(self.windows)
        self.open_minutes_a_week = sum(self._open)

    def open_at(self, moment: datetime) -> bool:
        """Whether work may start at this moment (aware)."""
        here = moment.astimezone(self.zone)
        minute = here.weekday() * 1440 + here.hour * 60 + here.minute
        return bool(self._open[minute])

    def open_now(self) -> bool:
        """Whether work may start now."""
        return self.open_at(datetime.now(self.zone))

    def next_opening(self, moment: datetime) -> datetime:
        """The first minute from `moment` on at which work may start."""
        here = moment.astimezone(self.zone)
        for minutes in range(WEEK + 1):
            later = here + timedelta(minutes=minutes)
            if self.open_at(later):
                return later
        return here

    def after(self, moment: datetime, open_s: float) -> datetime:
        """When so many seconds of open time have passed since `moment`; exact to the minute.

        Whole weeks are taken at once, by the wall clock.
        """
        if not self.windows:
            return moment + timedelta(seconds=open_s)
        weeks, minutes = divmod(open_s / 60, self.open_minutes_a_week)
        here = moment.astimezone(self.zone) + timedelta(weeks=int(weeks))
        while minutes > 0:
            here = self.next_opening(here)
            step = min(1.0, minutes)
            here = (here.astimezone(UTC) + timedelta(minutes=step)).astimezone(self.zone)
            minutes -= step
        return here


def _minutes_open(windows: list[tuple[int, int]]) -> bytes:
    """One byte for each minute of the week: whether it is open. Without windows every minute is."""
    if not windows:
        return b"\x01" * WEEK
    minutes = bytearray(2 * WEEK)  # a window may reach into the next week
    for begin, length in windows:
        minutes[begin : begin + length] = b"\x01" * length
    return bytes(this | over for this, over in zip(minutes[:WEEK], minutes[WEEK:], strict=True))


def _windows(line: str) -> list[tuple[int, int]]:
    """(first minute of the week, length in minutes) for each day of a line."""
    match = _LINE.fullmatch(line.strip())
    if not match or match["first"] not in DAYS or (match["last"] or match["first"]) not in DAYS:
        raise ConfigError(f"hours cannot be read: {line}", 'write "Mon-Fri 19:00-06:00"')
    begin, end = _minutes(match["begin"], line), _minutes(match["end"], line)
    first, last = DAYS.index(match["first"]), DAYS.index(match["last"] or match["first"])
    days = [(first + step) % 7 for step in range((last - first) % 7 + 1)]
    length = end - begin if end > begin else end - begin + 1440
    return [(day * 1440 + begin, length) for day in days]


def _minutes(text: str, line: str) -> int:
    hour, minute = int(text[:2]), int(text[3:])
    if text != "24:00":
        try:
            time(hour, minute)
        except ValueError:
            raise ConfigError(f"hours cannot be read: {line}", 'write "Mon-Fri 19:00-06:00"') from None
    return hour * 60 + minute
