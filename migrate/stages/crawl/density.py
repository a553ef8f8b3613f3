"""How many studies to expect: so that a window holds nearly as many as one answer may, and no more."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, timedelta

_DAY = timedelta(days=1)
_MOST_DAYS = 400
_FILL = 0.96
_WEIGHT = 0.15
_SPREAD = 1.2


class DayRates:
    """Studies per day of the week, as lately seen. One day that stands out moves it only a little."""

    def __init__(self) -> None:
        self._mean: list[float | None] = [None] * 7
        self._variance = 0.0

    def observe(self, first: date, last: date, days: Mapping[date, int]) -> None:
        """A closed window of days and how many studies each of them holds."""
        length = (last - first).days + 1
        if length > _MOST_DAYS:
            return
        # An empty stretch says no more than its last week.
        for offset in range(0 if days else max(0, length - 7), length):
            day = first + offset * _DAY
            self._observe_day(day.weekday(), days.get(day, 0))

    def _observe_day(self, weekday: int, count: int) -> None:
        mean = self._mean[weekday]
        if mean is None:
            self._mean[weekday] = float(count)
            return
        error = min(float(count), 2 * mean + 10) - mean
        self._mean[weekday] = mean + _WEIGHT * error
        self._variance += _WEIGHT * (error * error - self._variance)

    def days_for(self, first: date, last: date, cap: int) -> int | None:
        """How many days from `first` an answer of fewer than `cap` can be expected to hold.

        None while nothing is known.
        """
        if any(mean is None for mean in self._mean):
            return None
        total, days, day = 0.0, 0, first
        while day <= last:
            total += self._mean[day.weekday()] or 0.0
            if total + _SPREAD * math.sqrt(self._variance * (days + 1)) > _FILL * cap:
                break
            days += 1
            if day == last:
                break
            day += _DAY
        return max(1, days)


class HourProfile:
    """How a day's studies spread over its hours."""

    def __init__(self) -> None:
        self._hours: Counter[int] = Counter()

    def observe(self, hours: Mapping[int, int]) -> None:
        """Studies by hour of the day."""
        self._hours.update(hours)

    def weight(self, low: int, high: int) -> float:
        """Studies seen between two minutes of the day, inclusive; never 0."""
        return sum(self._per_minute(hour) * minutes for hour, minutes in _hours(low, high))

    def _per_minute(self, hour: int) -> float:
        return (self._hours[hour] + 0.5) / 60

    def minutes_for(self, low: int, high: int, share: float) -> int:
        """Minutes from minute `low` that hold about `share` of what lies between `low` and `high`.

        Whole hours where the range is longer than an hour.
        """
        if high - low < 60:
            return max(1, int((high - low + 1) * share))
        wanted, total, taken = share * self.weight(low, high), 0.0, 0
        for hour, minutes in _hours(low, high):
            total += self._per_minute(hour) * minutes
            if taken and total > wanted:
                break
            taken += minutes
        return taken


def _hours(low: int, high: int) -> Iterator[tuple[int, int]]:
    """(hour, its minutes between `low` and `high`)."""
    for hour in range(low // 60, high // 60 + 1):
        yield hour, min(hour * 60 + 59, high) - max(hour * 60, low) + 1
