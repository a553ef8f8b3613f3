"""Plan: which studies move, in which order, and which stay behind with a reason.

An order is a rank (lower first) computed from a study's own row, so ten million studies need no
sort in memory. Waves come before the order: a study belongs to the first wave that it fits, and
all that fit none go last. Exclusions, waves and words of the order are predicates over columns of
`studies`: `column op value`, several joined by ` & `.
"""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from migrate.errors import ConfigError
from migrate.journal.events import Event, Excluded, Planned

_PREDICATE = re.compile(r"\s*(?P<column>[a-z_]+)\s*(?P<op><=|>=|!=|=|<|>|~)\s*(?P<value>.*?)\s*")
_DAY = 100_000_000
_DATE_RADIX = 10 * _DAY
_MOST = 2**62  # SQLite keeps a rank in 64 bits
AND = " & "
BOOKED = "booked"
WORDS = "booked, newest, oldest, modality:CT,MR, or a predicate: column op value"
COLUMNS = (
    *("study_date", "study_time", "modalities_in_study", "accession_number", "institution_name"),
    *("study_description", "study_id", "study_instance_uid"),
)
OPERATIONS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda have, want: want in have.split("\\"),
    "!=": lambda have, want: want not in have.split("\\"),
    "<": lambda have, want: bool(have) and have < want,
    "<=": lambda have, want: bool(have) and have <= want,
    ">": lambda have, want: have > want,
    ">=": lambda have, want: have >= want,
    "~": fnmatch.fnmatchcase,
}

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Predicate:
    """One claim about a study; `text` is the reason that is recorded."""

    column: str
    operation: str
    value: str
    text: str

    def holds(self, study: Row) -> bool:
        """Whether it is true for a row of `studies` (absent columns are empty)."""
        return OPERATIONS[self.operation](str(study.get(self.column) or ""), self.value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Booked:
    """Who comes first: studies by UID, and every study of some patients (by their surrogate keys).

    `lines` were read; those of `unmatched` (line numbers) name nobody whom the crawl found. Of the `scheduled`
    patients of a worklist `strangers` have nothing in this archive.
    """

    studies: frozenset[str] = frozenset()
    patient_keys: frozenset[str] = frozenset()
    lines: int = 0
    unmatched: tuple[int, ...] = ()
    scheduled: int = 0
    strangers: int = 0

    def holds(self, study: Row) -> bool:
        """Whether a row of `studies` (with its `patient_key`) is on the list."""
        return study.get("study_instance_uid") in self.studies or study.get("patient_key") in self.patient_keys


@dataclass(frozen=True, slots=True)
class Word:
    """One word of the order: `place` is 0 for what goes first, always less than `radix`."""

    text: str
    radix: int
    place: Callable[[Row], int]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Where studies stand. `waves` are (text, claim); the last wave is everything else.

    Raises:
        ConfigError: More words than a rank has room for.
    """

    waves: tuple[tuple[str, Callable[[Row], bool]], ...] = ()
    words: tuple[Word, ...] = ()
    named: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        if (len(self.waves) + 1) * math.prod(word.radix for word in self.words) > _MOST:
            raise ConfigError("plan.order has too many words", "one of newest and oldest is enough")
        object.__setattr__(self, "named", (*(text for text, _ in self.waves), "everything else"))

    def wave_of(self, study: Row) -> int:
        """The first wave that a study fits, from 0."""
        return next((n for n, (_, claim) in enumerate(self.waves) if claim(study)), len(self.waves))

    def rank(self, study: Row) -> int:
        """Where a study stands; lower goes first. Undated studies go last in their wave."""
        total = self.wave_of(study)
        for word in self.words:
            total = total * word.radix + word.place(study)
        return total


def predicates(lines: Iterable[str], setting: str = "plan.exclude") -> list[Predicate]:
    """Read predicates, one a line.

    Raises:
        ConfigError: A line is not `column op value`, or there is no such column.
    """
    found = []
    for line in lines:
        match = _PREDICATE.fullmatch(line)
        if not match or match["column"] not in COLUMNS:
            hint = f"write column op value; columns: {', '.join(COLUMNS)}; op: {' '.join(OPERATIONS)}"
            raise ConfigError(f"{setting} cannot be read: {line}", hint)
        found.append(Predicate(match["column"], match["op"], match["value"], line.strip()))
    return found


def ranking(order: Iterable[str], waves: Iterable[str] = (), booked: Booked | None = None) -> Ranking:
    """Read `[plan] order` and `[plan] waves`.

    Raises:
        ConfigError: A word or a wave cannot be read, or `booked` is asked for and there is no list.
    """
    claims = tuple((line.strip(), _claim(line, "plan.waves", booked)) for line in waves)
    return Ranking(claims, tuple(_word(text, booked) for text in order))


def rank(study: Row, order: Iterable[str]) -> int:
    """Where one study stands in an order without waves. Raises what `ranking` raises."""
    return ranking(order).rank(study)


def plan(studies: Iterable[Row], order: Ranking, exclude: list[Predicate], modified_at: str) -> Iterator[Event]:
    """One event for each study that waits to be planned: `Planned` with its rank, or `Excluded`."""
    for study in studies:
        uid = study["study_instance_uid"]
        reason = next((p.text for p in exclude if p.holds(study)), None)
        if reason:
            yield Excluded(study_instance_uid=uid, reason=reason)
        else:
            yield Planned(study_instance_uid=uid, rank=order.rank(study), modified_at=modified_at)


def _word(text: str, booked: Booked | None) -> Word:
    if text in {"newest", "oldest"}:
        return Word(text, _DATE_RADIX, lambda study: _place_by_date(study, newest=text == "newest"))
    if text.startswith("modality:"):
        first = set(text.removeprefix("modality:").split(","))
        return Word(
            text, 2, lambda study: int(first.isdisjoint(str(study.get("modalities_in_study") or "").split("\\")))
        )
    if text != BOOKED and not _PREDICATE.fullmatch(text):
        raise ConfigError(f"plan.order: {text} is not known", f"allowed: {WORDS}")
    claim = _claim(text, "plan.order", booked)
    return Word(text, 2, lambda study: int(not claim(study)))


def _claim(line: str, setting: str, booked: Booked | None) -> Callable[[Row], bool]:
    if line.strip() == BOOKED:
        if booked is None:
            hint = 'set [plan] booked = "list.csv", or [plan.worklist] and run: migrate plan --worklist'
            raise ConfigError(f"{setting}: booked needs a list", hint)
        return booked.holds
    all_of = predicates(line.split(AND), setting)
    return lambda study: all(one.holds(study) for one in all_of)


def _place_by_date(study: Row, *, newest: bool) -> int:
    digits = "".join(c for c in str(study.get("study_date") or "") if c.isdigit())[:8]
    if len(digits) < 8:
        return _DAY
    return _DAY - int(digits) if newest else int(digits)
