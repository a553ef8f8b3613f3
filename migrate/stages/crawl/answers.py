"""One answer as it comes in: rows into columns, sins counted, nothing kept that is not needed.

A row without a UID cannot be kept, so its window cannot be closed. A row from outside its window
is a study all the same: it is kept and counted, but proves nothing about the window.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from migrate.errors import PeerError
from migrate.manifest.fold import study_day
from migrate.manifest.patients import identity_of
from migrate.manifest.sightings import IDENTITY_TEXTS, STUDY_COUNTS, STUDY_TEXTS
from migrate.peers import Match
from migrate.stages.crawl.windows import MODALITY_KEYWORD, Window

TEXT_KEYS = {
    "study_instance_uid": "StudyInstanceUID",
    "study_date": "StudyDate",
    "study_time": "StudyTime",
    "modalities_in_study": "ModalitiesInStudy",
    "accession_number": "AccessionNumber",
    "institution_name": "InstitutionName",
    "study_description": "StudyDescription",
    "study_id": "StudyID",
    "sop_classes_in_study": "SOPClassesInStudy",
    "instance_availability": "InstanceAvailability",
    "timezone_offset_from_utc": "TimezoneOffsetFromUTC",
    "patient_id": "PatientID",
    "issuer_of_patient_id": "IssuerOfPatientID",
    "patient_name": "PatientName",
    "patient_birth_date": "PatientBirthDate",
    "patient_sex": "PatientSex",
}
COUNT_KEYS = {
    "number_of_study_related_series": "NumberOfStudyRelatedSeries",
    "number_of_study_related_instances": "NumberOfStudyRelatedInstances",
}
# Unique and required keys of Study Root (PS3.4 C.6.2.1.2): the only ones a peer must know.
REQUIRED_KEYS = frozenset(
    ("StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "PatientName", "PatientID", "StudyID")
)
STUDY_KEYS = dict.fromkeys((*TEXT_KEYS.values(), *COUNT_KEYS.values()), "")
REQUIRED_STUDY_KEYS = {key: "" for key in STUDY_KEYS if key in REQUIRED_KEYS}

_FULL_TIME = re.compile(r"([01][0-9]|2[0-3])([0-5][0-9])[0-5][0-9](\.[0-9]{1,6})?")
_ROWS_PER_CHUNK = 1_000
_COLUMNS = (*STUDY_TEXTS, *IDENTITY_TEXTS)

Columns = dict[str, list[Any]]


class EndlessAnswer(PeerError):
    """The peer goes on answering one query without end."""


@dataclass(slots=True)
class Bounded:
    """Passes answers on, up to a limit."""

    sink: Callable[[Match], None]
    limit: int
    taken: int = 0

    def take(self, match: Match) -> None:
        """One answer.

        Raises:
            EndlessAnswer: There have been too many.
        """
        self.taken += 1
        if self.taken > self.limit:
            raise EndlessAnswer("the answer does not end", answers=self.taken)
        self.sink(match)


@dataclass(slots=True)
class Seen:
    """What one answer held.

    `found` maps a hash of each Study Instance UID inside the window to whether its query by the
    axis's finer keys cannot be expected to return it (no legal date or time, no selectable identifier).
    """

    matches: int = 0
    found: dict[int, bool] = field(default_factory=dict)
    without_uid: int = 0
    outside: int = 0
    timed: int = 0
    with_modality: int = 0
    days: Counter[date] = field(default_factory=Counter)
    minutes: Counter[int] = field(default_factory=Counter)
    texts: dict[str, list[str]] = field(default_factory=lambda: {"PatientID": [], "AccessionNumber": []})
    sins: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """One query: the window, its number that is kept with each row, and when it was asked."""

    window: Window
    ordinal: int
    at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Bounds of one answer: rows in all, and rows in a row that bring no new UID."""

    answers: int
    stale: int


class Collector:
    """Takes the answers to one window.

    Args:
        asked: What was asked.
        emit: Takes columns of rows, a thousand at a time.
        limits: When to give up.
    """

    def __init__(self, asked: Asked, emit: Callable[[Columns], None], limits: Limits) -> None:
        self.seen = Seen()
        self._asked, self._emit, self._limits = asked, emit, limits
        self._columns = _empty()
        self._stale = 0
        self._blind = BLIND[asked.window.axis]

    def take(self, match: Match) -> None:
        """One answer.

        Raises:
            EndlessAnswer: There have been too many.
        """
        seen, values = self.seen, match.values
        seen.matches += 1
        self._guard()
        if values.get("QueryRetrieveLevel", "STUDY").strip() not in ("STUDY", ""):
            seen.sins["wrong level"] += 1
        uid = values.get("StudyInstanceUID", "").strip()
        if not uid:
            seen.without_uid += 1
            seen.sins["no UID"] += 1
            return
        self._keep(uid, match)
        if not _inside(self._asked.window, values):
            seen.outside += 1
            seen.sins["outside the window"] += 1
        elif (key := hash(uid)) not in seen.found:
            seen.found[key] = self._blind(values)
            self._stale = 0
            _learn(seen, values)

    def _guard(self) -> None:
        self._stale += 1
        if self.seen.matches > self._limits.answers or self._stale > self._limits.stale:
            raise EndlessAnswer("the answer does not end", answers=self.seen.matches)

    def _keep(self, uid: str, match: Match) -> None:
        columns, values = self._columns, match.values
        for name in _COLUMNS:
            columns[name].append(values.get(TEXT_KEYS[name]))
        columns["study_instance_uid"][-1] = uid
        for name in STUDY_COUNTS:
            columns[name].append(_count(values.get(COUNT_KEYS[name])))
        raw = [{"keyword": key, "value": value} for key, value in match.raw.items()] if match.raw else None
        columns["raw"].append(raw)
        columns["patient_identity"].append(
            identity_of(values.get("IssuerOfPatientID"), values.get("PatientID"), match.raw.get("PatientID"))
        )
        if match.raw:
            self.seen.sins["undecodable text"] += 1
        if len(columns["raw"]) >= _ROWS_PER_CHUNK:
            self.release()

    def release(self) -> None:
        """Hand over the rows that are still here."""
        rows = len(self._columns["raw"])
        if rows:
            self._columns["window"] = [self._asked.ordinal] * rows
            self._columns["seen_at"] = [self._asked.at] * rows
            self._emit(self._columns)
            self._columns = _empty()


def _empty() -> Columns:
    return {name: [] for name in (*_COLUMNS, *STUDY_COUNTS, "raw", "patient_identity")}


def _count(text: str | None) -> int | None:
    """A count as a number; what the peer left out, left empty or garbled is None, never 0."""
    try:
        return max(0, int(text)) if text else None
    except ValueError:
        return None


def full_time(text: str | None) -> int | None:
    """The minute of the day of a complete time `HHMMSS[.F]`; None for anything less (PS3.5 6.2, TM)."""
    found = _FULL_TIME.fullmatch((text or "").strip())
    return int(found[1]) * 60 + int(found[2]) if found else None


def plain_day(text: str | None) -> date | None:
    """The day of a date `YYYYMMDD` that every peer must match by range; None for anything else."""
    return study_day(text) if text and "." not in text else None


def selectable(text: str | None) -> bool:
    """Whether a wildcard query can be expected to select this value by its prefix."""
    return bool(text) and not any(letter in "*?\\" or letter < " " for letter in text or "") and (text or "")[0] != " "


def _no_moment(values: Mapping[str, str]) -> bool:
    return plain_day(values.get("StudyDate")) is None or full_time(values.get("StudyTime")) is None


def _unselectable(keyword: str) -> Callable[[Mapping[str, str]], bool]:
    return lambda values: not selectable(values.get(keyword))


BLIND: dict[str, Callable[[Mapping[str, str]], bool]] = {
    "date": _no_moment,
    "patient": _unselectable("PatientID"),
    "accession": _unselectable("AccessionNumber"),
}


def _learn(seen: Seen, values: Mapping[str, str]) -> None:
    day, minute = plain_day(values.get("StudyDate")), full_time(values.get("StudyTime"))
    if day is not None:
        seen.days[day] += 1
    else:
        seen.sins["no legal date"] += 1
    if minute is not None:
        seen.minutes[minute // 60] += 1
        seen.timed += 1
    seen.with_modality += bool(values.get(MODALITY_KEYWORD))
    for keyword, texts in seen.texts.items():
        texts.append(values.get(keyword, ""))


def _inside(window: Window, values: Mapping[str, str]) -> bool:
    """False only when a returned value proves that the row does not belong to the window."""
    day = plain_day(values.get("StudyDate")) if window.first else None
    if window.first and window.last and day is not None and not window.first <= day <= window.last:
        return False
    minute = full_time(values.get("StudyTime")) if window.minutes else None
    if window.minutes and minute is not None and not window.minutes[0] <= minute <= window.minutes[1]:
        return False
    return all(matches_pattern(pattern, values.get(keyword)) for keyword, pattern in window.extra)


def matches_pattern(pattern: str, text: str | None) -> bool:
    """Whether a returned value agrees with a wildcard key; case does not count, nor does an absent value."""
    if text is None:
        return True
    found = _compiled(pattern)
    return any(found.fullmatch(value.strip(" ")) for value in text.split("\\"))


_PATTERNS: dict[str, re.Pattern[str]] = {}


def _compiled(pattern: str) -> re.Pattern[str]:
    if pattern not in _PATTERNS:
        if len(_PATTERNS) > 10_000:
            _PATTERNS.clear()
        parts = {"*": ".*", "?": "."}
        text = "".join(parts.get(letter, re.escape(letter)) for letter in pattern.strip(" "))
        _PATTERNS[pattern] = re.compile(text, re.DOTALL | re.IGNORECASE)
    return _PATTERNS[pattern]
