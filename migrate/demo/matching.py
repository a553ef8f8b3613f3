"""Attribute matching of C-FIND (PS3.4 C.2.2.2) over plain text values.

Universal, single value, wildcard, range and list-of-UID matching. A stored date or time that is
empty or no date matches no range: in real archives such studies are invisible to date windows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydicom.datadict import dictionary_VR

Test = Callable[[Mapping[str, str]], bool]

_NO_WILDCARDS = frozenset({"DA", "TM", "DT", "UI", "IS", "DS", "US", "SS", "UL", "SL", "FL", "FD"})
_NUMBERS = frozenset({"IS", "DS", "US", "SS", "UL", "SL", "FL", "FD"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Dialect:
    """How one peer deviates when it matches; the default is what most archives do."""

    hide_undated_from_ranges: bool = True
    no_wildcards: bool = False
    no_uid_lists: bool = False
    ignores_time: bool = False
    one_interval: bool = False


def matches(keys: Mapping[str, str], dialect: Dialect) -> Test:
    """The test that a row's values must pass to match every key that is not universal."""
    wanted = {key: value for key, value in keys.items() if not _universal(value)}
    if dialect.ignores_time:
        wanted.pop("StudyTime", None)
    tests: list[Test] = []
    if dialect.one_interval and "-" in wanted.get("StudyDate", "") and "-" in wanted.get("StudyTime", ""):
        tests.append(_interval(wanted.pop("StudyDate"), wanted.pop("StudyTime")))
    tests += [_one(key, value, dialect) for key, value in wanted.items()]
    return lambda values: all(test(values) for test in tests)


def _universal(value: str) -> bool:
    return value in ("", "*")


def _one(keyword: str, wanted: str, dialect: Dialect) -> Test:
    vr = dictionary_VR(keyword)
    if vr == "UI":
        accept = _among(wanted.split("\\")[:1] if dialect.no_uid_lists else wanted.split("\\"))
    elif vr in ("DA", "TM"):
        accept = _moment(vr, wanted, dialect)
    elif vr in _NUMBERS:
        accept = _number(wanted)
    else:
        accept = _text(vr, wanted, dialect)
    return lambda values: any(accept(each) for each in values.get(keyword, "").split("\\"))


def _among(wanted: list[str]) -> Callable[[str], bool]:
    allowed = frozenset(wanted)
    return lambda value: value in allowed


def _number(wanted: str) -> Callable[[str], bool]:
    def equal(value: str) -> bool:
        try:
            return float(value) == float(wanted)
        except ValueError:
            return value == wanted

    return equal


def _text(vr: str, wanted: str, dialect: Dialect) -> Callable[[str], bool]:
    flags = re.DOTALL | (re.IGNORECASE if vr == "PN" else 0)
    patterns = [re.compile(_pattern(each, dialect), flags) for each in wanted.split("\\")]
    return lambda value: any(pattern.fullmatch(value.rstrip(" ")) for pattern in patterns)


def _pattern(wanted: str, dialect: Dialect) -> str:
    if dialect.no_wildcards:
        return re.escape(wanted)
    return "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in wanted)


def _moment(vr: str, wanted: str, dialect: Dialect) -> Callable[[str], bool]:
    normal = _date if vr == "DA" else _time
    if "-" not in wanted:
        exact = normal(wanted)
        return lambda value: normal(value) == exact if exact else value == wanted
    low, _, high = wanted.partition("-")
    first, last = normal(low) or "", normal(high) or "~"
    shows_undated = not dialect.hide_undated_from_ranges

    def inside(value: str) -> bool:
        moment = normal(value)
        return first <= moment <= last if moment else shows_undated

    return inside


def _interval(dates: str, times: str) -> Test:
    """Date and time ranges as one interval (PS3.4 C.2.2.2.5.1 combined matching)."""
    (low_day, _, high_day), (low_time, _, high_time) = dates.partition("-"), times.partition("-")
    first = (_date(low_day) or "") + (_time(low_time) or "")
    last = (_date(high_day) or "~") + (_time(high_time) or "~")

    def inside(values: Mapping[str, str]) -> bool:
        day, time = _date(values.get("StudyDate", "")), _time(values.get("StudyTime", ""))
        return bool(day and time) and first <= day + time <= last

    return inside


def _date(text: str) -> str:
    """`YYYYMMDD`, or "" for what is no date; ACR-NEMA `YYYY.MM.DD` counts."""
    digits = text.strip().replace(".", "")
    return digits if len(digits) == 8 and digits.isdigit() else ""


def _time(text: str) -> str:
    """`HHMMSS.FFFFFF`, missing parts as zero, or "" for what is no time."""
    clean = text.strip().replace(":", "")
    whole, _, fraction = clean.partition(".")
    if not whole.isdigit() or len(whole) not in (2, 4, 6):
        return ""
    return f"{whole:0<6}.{fraction[:6]:0<6}"
