"""One answer as it comes in: rows into columns, sins counted, nothing kept that is not needed.

A row without a UID cannot be kept, so its window cannot be closed. A row from outside its window
is a study all the same: it is kept and counted, but proves nothing about the window.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from operator import and_
from typing import Any

from migrate.errors import PeerError
from migrate.manifest.patients import identity_of
from migrate.manifest.sightings import IDENTITY_TEXTS, STUDY_COUNTS, STUDY_TEXTS
from migrate.peers import Match
from migrate.stages.crawl.selecting import BLIND, all_match, full_time, plain_day
from migrate.stages.crawl.windows import MODALITY_KEYWORD, PREFIX_KEYWORDS, Window

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

_ROWS_PER_LOT = 1_000
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
    """Takes the answers to one window, and looks at them a thousand at a time.

    Args:
        asked: What was asked.
        emit: Takes columns of rows, a thousand at a time.
        limits: When to give up; looked at after each lot of rows.
    """

    def __init__(self, asked: Asked, emit: Callable[[Columns], None], limits: Limits) -> None:
        self.seen = Seen()
        self._asked, self._emit, self._limits = asked, emit, limits
        self._waiting: list[Match] = []
        self._lot = max(1, min(_ROWS_PER_LOT, limits.answers, limits.stale))
        self._stale = 0

    def take(self, match: Match) -> None:
        """One answer.

        Raises:
            EndlessAnswer: There have been too many.
        """
        self.seen.matches += 1
        self._waiting.append(match)
        if len(self._waiting) < self._lot:
            return
        self.release()
        if self.seen.matches > self._limits.answers or self._stale > self._limits.stale:
            raise EndlessAnswer("the answer does not end", answers=self.seen.matches)

    def release(self) -> None:
        """Look at the rows that wait, and hand them over."""
        matches, self._waiting = self._waiting, []
        if not matches:
            return
        self._note_sins(matches)
        uids = [match.values.get("StudyInstanceUID", "").strip() for match in matches]
        if not all(uids):
            matches = [match for match, uid in zip(matches, uids, strict=True) if uid]
            self.seen.without_uid += len(uids) - len(matches)
            self.seen.sins["no UID"] += len(uids) - len(matches)
            self._stale += len(uids) - len(matches)
            uids = [uid for uid in uids if uid]
        if matches:
            self._emit(self._columns(*_distinct(matches, uids)))
            self._learn([match.values for match in matches], uids)

    def _note_sins(self, matches: list[Match]) -> None:
        undecodable = sum(bool(match.raw) for match in matches)
        if undecodable:
            self.seen.sins["undecodable text"] += undecodable
        named = Counter(match.values.get("QueryRetrieveLevel", "STUDY") for match in matches)
        wrong = sum(count for level, count in named.items() if level.strip() not in ("STUDY", ""))
        if wrong:
            self.seen.sins["wrong level"] += wrong

    def _columns(self, matches: list[Match], uids: list[str]) -> Columns:
        rows = [match.values for match in matches]
        columns: Columns = {name: [row.get(TEXT_KEYS[name]) for row in rows] for name in _COLUMNS}
        columns["study_instance_uid"] = uids
        for name in STUDY_COUNTS:
            columns[name] = [_count(row.get(COUNT_KEYS[name])) for row in rows]
        columns["raw"] = [_raw(match.raw) if match.raw else None for match in matches]
        issuers, patients = columns["issuer_of_patient_id"], columns["patient_id"]
        raw_ids = [match.raw.get("PatientID") if match.raw else None for match in matches]
        columns["patient_identity"] = list(map(identity_of, issuers, patients, raw_ids))
        columns["window"] = [self._asked.ordinal] * len(rows)
        columns["seen_at"] = [self._asked.at] * len(rows)
        return columns

    def _learn(self, rows: list[Mapping[str, str]], uids: list[str]) -> None:
        """What the rows inside the window say, each study once."""
        days = [plain_day(row.get("StudyDate")) for row in rows]
        minutes = [full_time(row.get("StudyTime")) for row in rows]
        inside = _inside(self._asked.window, rows, days, minutes)
        texts = [row.get(PREFIX_KEYWORDS.get(self._asked.window.axis, "")) for row in rows]
        blind = BLIND[self._asked.window.axis](days, minutes, texts)
        found, fresh = self.seen.found, []
        for place, key in enumerate(map(hash, uids)):
            if inside[place] and key not in found:
                found[key] = blind[place]
                fresh.append(place)
        self._stale = len(uids) - 1 - fresh[-1] if fresh else self._stale + len(uids)
        if outside := len(uids) - sum(inside):
            self.seen.outside += outside
            self.seen.sins["outside the window"] += outside
        _count_fresh(self.seen, [rows[place] for place in fresh], [days[place] for place in fresh])
        _count_minutes(self.seen, [minutes[place] for place in fresh])


def _distinct(matches: list[Match], uids: list[str]) -> tuple[list[Match], list[str]]:
    """Rows that are the same again are kept once: a peer may repeat one study a million times."""
    if len(set(uids)) == len(uids):
        return matches, uids
    rows = {(*match.values.items(), *match.raw.items()): (match, uid) for match, uid in zip(matches, uids, strict=True)}
    kept, named = zip(*rows.values(), strict=True)
    return list(kept), list(named)


def _raw(raw: Mapping[str, bytes]) -> list[dict[str, object]]:
    return [{"keyword": key, "value": value} for key, value in raw.items()]


@lru_cache(maxsize=4_096)
def _count(text: str | None) -> int | None:
    """A count as a number; what the peer left out, left empty or garbled is None, never 0."""
    try:
        return max(0, int(text)) if text else None
    except ValueError:
        return None


def _count_fresh(seen: Seen, rows: list[Mapping[str, str]], days: list[date | None]) -> None:
    dated = [day for day in days if day is not None]
    seen.days.update(dated)
    if len(dated) < len(days):
        seen.sins["no legal date"] += len(days) - len(dated)
    seen.with_modality += sum(1 for row in rows if row.get(MODALITY_KEYWORD))
    for keyword, texts in seen.texts.items():
        texts.extend([row.get(keyword, "") for row in rows])


def _count_minutes(seen: Seen, minutes: list[int | None]) -> None:
    hours = [minute // 60 for minute in minutes if minute is not None]
    seen.minutes.update(hours)
    seen.timed += len(hours)


def _inside(
    window: Window, rows: list[Mapping[str, str]], days: list[date | None], minutes: list[int | None]
) -> list[bool]:
    """For each row False only when a returned value proves that it does not belong to the window."""
    agree = [True] * len(rows)
    first, last = window.first, window.last
    if first and last:
        agree = [day is None or first <= day <= last for day in days]
    if window.minutes:
        low, high = window.minutes
        fits = [minute is None or low <= minute <= high for minute in minutes]
        agree = list(map(and_, agree, fits))
    for keyword, pattern in window.extra:
        agree = list(map(and_, agree, all_match(pattern, [row.get(keyword) for row in rows])))
    return agree
