"""Conditions: when a rule looks at an object at all.

A test answers True, False, or None when what it needs is not known: a crawled row has only a few
attributes. Patterns are globs (`*`, `?`, `[…]`), never regular expressions: no pack can make one
that takes for ever.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from migrate.dicom.sop_classes import STORAGE_SOP_CLASSES
from migrate.dicom.uid import valid_uid
from migrate.rules.vr import attribute

MODALITY = 0x00080060
SOP_CLASS_UID = 0x00080016
STUDY_DATE = 0x00080020
LONGEST_GLOB = 128


class Readable(Protocol):
    """What conditions look at: an object's header, or a crawled row."""

    def knows(self, tag: int) -> bool:
        """Whether anything is known about this attribute."""
        ...

    def text(self, tag: int) -> str | None:
        """The value as text without padding; None when absent."""
        ...

    def has_value(self, tag: int) -> bool:
        """Present and not empty."""
        ...


class Setting(Protocol):
    """The facts that do not stand in the header."""

    @property
    def source(self) -> str:
        """`run.source`."""
        ...

    @property
    def facility(self) -> str:
        """The manifest's facility of the study, or ""."""
        ...


@dataclass(frozen=True, slots=True)
class FactIn:
    """A manifest column has one of these values."""

    name: str
    allowed: frozenset[str]

    def holds(self, _: Readable, facts: Setting) -> bool | None:
        """Whether the fact is one of the allowed."""
        return (facts.source if self.name == "source" else facts.facility) in self.allowed

    def excludes(self, other: object) -> bool:
        """Whether both can never hold at once."""
        return isinstance(other, FactIn) and self.name == other.name and not self.allowed & other.allowed


@dataclass(frozen=True, slots=True)
class Presence:
    """An attribute has a value, or has none (absent or empty)."""

    tag: int
    present: bool

    def holds(self, view: Readable, _: Setting) -> bool | None:
        """Whether the attribute has a value, as wanted."""
        return view.has_value(self.tag) is self.present if view.knows(self.tag) else None

    def excludes(self, other: object) -> bool:
        """Whether both can never hold at once."""
        if isinstance(other, ValueIn):
            return not self.present and other.tag == self.tag and "" not in other.allowed
        return isinstance(other, Presence) and self.tag == other.tag and self.present is not other.present


@dataclass(frozen=True, slots=True)
class ValueIn:
    """The whole value, or one of several values, is one of these. Upper and lower case differ."""

    tag: int
    allowed: frozenset[str]

    def holds(self, view: Readable, _: Setting) -> bool | None:
        """Whether the value is one of the allowed; an absent attribute never is."""
        return _any_value(view, self.tag, self.allowed.__contains__)

    def excludes(self, other: object) -> bool:
        """Whether both can never hold at once (for attributes with one value)."""
        if isinstance(other, Presence):
            return other.excludes(self)
        return isinstance(other, ValueIn) and self.tag == other.tag and not self.allowed & other.allowed


@dataclass(frozen=True, slots=True)
class ValueLike:
    """The whole value, or one of several values, matches one of these globs."""

    tag: int
    globs: tuple[re.Pattern[str], ...]

    def holds(self, view: Readable, _: Setting) -> bool | None:
        """Whether the value matches."""
        return _any_value(view, self.tag, lambda value: any(glob.fullmatch(value) for glob in self.globs))

    def excludes(self, _: object) -> bool:
        """Nothing can be said about two patterns."""
        return False


@dataclass(frozen=True, slots=True)
class DateWithin:
    """A date lies between two days, both included (`YYYYMMDD`); undated objects do not."""

    tag: int
    first: str
    last: str

    def holds(self, view: Readable, _: Setting) -> bool | None:
        """Whether the date lies within; the old form YYYY.MM.DD is read too (PS3.5 6.2, DA)."""
        return _any_value(view, self.tag, self._within)

    def _within(self, value: str) -> bool:
        day = value.replace(".", "")[:8]
        return len(day) == 8 and self.first <= day <= self.last

    def excludes(self, other: object) -> bool:
        """Whether the two periods do not meet."""
        return (
            isinstance(other, DateWithin)
            and self.tag == other.tag
            and (self.last < other.first or other.last < self.first)
        )


Test = FactIn | Presence | ValueIn | ValueLike | DateWithin


def _any_value(view: Readable, tag: int, wanted: Callable[[str], bool]) -> bool | None:
    if not view.knows(tag):
        return None
    text = view.text(tag)
    if text is None:
        return False
    return wanted(text) or ("\\" in text and any(wanted(part) for part in text.split("\\")))


@dataclass(frozen=True, slots=True)
class Condition:
    """Every test of `when` holds, and not every test of `unless`."""

    when: tuple[Test, ...] = ()
    unless: tuple[Test, ...] = ()

    def holds(self, view: Readable, facts: Setting) -> bool | None:
        """True, False, or None when it depends on something that is not known."""
        wanted = _all_hold(self.when, view, facts)
        if wanted is False or not self.unless:
            return wanted
        unwanted = _all_hold(self.unless, view, facts)
        if unwanted is True:
            return False
        return None if unwanted is None else wanted

    def excludes(self, other: Condition) -> bool:
        """Whether no object can meet both."""
        return any(mine.excludes(its) for mine in self.when for its in other.when)

    def reads(self) -> frozenset[int]:
        """The tags it looks at."""
        tests = self.when + self.unless
        return frozenset(test.tag for test in tests if not isinstance(test, FactIn))


def _all_hold(tests: Iterable[Test], view: Readable, facts: Setting) -> bool | None:
    known: bool | None = True
    for test in tests:
        held = test.holds(view, facts)
        if held is False:
            return False
        if held is None:
            known = None
    return known


def parse(table: object) -> tuple[Test, ...]:
    """The tests of one `when` or `unless` table.

    Raises:
        ValueError: An unknown key or keyword, or a value of the wrong type; the first word of the
            message is the key.
    """
    if not isinstance(table, dict):
        raise ValueError('conditions are a table such as { modality = ["CT"] }')
    tests: list[Test] = []
    for key, value in table.items():
        if key not in CONDITIONS:
            raise ValueError(f"{key} is not a condition; there are: {', '.join(CONDITIONS)}")
        tests.extend(CONDITIONS[key](key, value))
    return tuple(tests)


def _fact(key: str, value: object) -> list[Test]:
    return [FactIn(key, frozenset(_strings(key, value)))]


def _modality(key: str, value: object) -> list[Test]:
    return [ValueIn(MODALITY, frozenset(_strings(key, value)))]


def _sop_class(key: str, value: object) -> list[Test]:
    by_name = {_squeezed(name): uid for uid, name in STORAGE_SOP_CLASSES.items()}
    uids = [by_name.get(_squeezed(name), name) for name in _strings(key, value)]
    if wrong := [uid for uid in uids if not valid_uid(uid)]:
        raise ValueError(f"{key} is neither the name of a storage class nor a UID: {wrong[0][:40]}")
    return [ValueIn(SOP_CLASS_UID, frozenset(uids))]


def _squeezed(name: str) -> str:
    """`X-Ray Radiation Dose SR Storage` and its keyword `XRayRadiationDoseSRStorage` are one."""
    return re.sub(r"[^A-Za-z0-9]", "", name)


def _study_date(key: str, value: object) -> list[Test]:
    return [_period(key, STUDY_DATE, value)]


def _date(key: str, value: object) -> list[Test]:
    return [_period(key, tag, period) for tag, period in _by_keyword(key, value)]


def _present(key: str, value: object) -> list[Test]:
    return [Presence(_tag(key, keyword), key == "present") for keyword in _strings(key, value)]


def _one_of(key: str, value: object) -> list[Test]:
    return [ValueIn(tag, frozenset(_strings(key, wanted))) for tag, wanted in _by_keyword(key, value)]


def _like(key: str, value: object) -> list[Test]:
    return [ValueLike(tag, tuple(map(_glob, _strings(key, globs)))) for tag, globs in _by_keyword(key, value)]


CONDITIONS: dict[str, Callable[[str, object], list[Test]]] = {
    "source": _fact,
    "facility": _fact,
    "modality": _modality,
    "sop_class": _sop_class,
    "study_date": _study_date,
    "date": _date,
    "present": _present,
    "absent": _present,
    "equals": _one_of,
    "one_of": _one_of,
    "like": _like,
}


def _strings(key: str, value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    texts = [one for one in values if isinstance(one, str)]
    if not texts or len(texts) < len(values):
        raise ValueError(f"{key} needs a text or a list of texts")
    return texts


def _by_keyword(key: str, value: object) -> list[tuple[int, object]]:
    if not isinstance(value, dict) or not value:
        raise ValueError(f"{key} needs a table of keywords such as {{ StationName = … }}")
    return [(_tag(key, keyword), wanted) for keyword, wanted in value.items()]


def _tag(key: str, keyword: str) -> int:
    found = attribute(keyword)
    if found is None:
        raise ValueError(f"{keyword} is not a keyword of the data dictionary (in {key})")
    return found.tag


def _glob(text: str) -> re.Pattern[str]:
    if len(text) > LONGEST_GLOB:
        raise ValueError(f"like has a pattern longer than {LONGEST_GLOB} characters")
    return re.compile(fnmatch.translate(text), re.DOTALL)


def _period(key: str, tag: int, value: object) -> DateWithin:
    if not isinstance(value, Mapping) or not value or not set(value) <= {"from", "to"}:
        raise ValueError(f"{key} needs from, to or both, such as {{ from = 2001-01-01 }}")
    return DateWithin(tag, _day(key, value.get("from", "0001-01-01")), _day(key, value.get("to", "9999-12-31")))


def _day(key: str, value: object) -> str:
    try:
        day = value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{key} needs days such as 2001-01-31") from None
    return day.isoformat().replace("-", "")[:8]
