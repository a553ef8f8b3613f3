"""Plan: which studies move, in which order, and which stay behind with a reason.

An order is a rank (lower first) computed from a study's own row, so ten million studies need no
sort in memory. Exclusions are predicates over columns of `studies`: `column op value`.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from migrate.errors import ConfigError
from migrate.journal.events import Event, Excluded, Planned

_PREDICATE = re.compile(r"\s*(?P<column>[a-z_]+)\s*(?P<op><=|>=|!=|=|<|>|~)\s*(?P<value>.*?)\s*")
_DAY = 100_000_000
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


@dataclass(frozen=True, slots=True)
class Predicate:
    """One exclusion; `text` is the reason that is recorded."""

    column: str
    operation: str
    value: str
    text: str

    def holds(self, study: Mapping[str, Any]) -> bool:
        """Whether it is true for a row of `studies` (absent columns are empty)."""
        return OPERATIONS[self.operation](str(study.get(self.column) or ""), self.value)


def predicates(lines: Iterable[str]) -> list[Predicate]:
    """Read `[plan] exclude`.

    Raises:
        ConfigError: A line is not `column op value`, or there is no such column.
    """
    found = []
    for line in lines:
        match = _PREDICATE.fullmatch(line)
        if not match or match["column"] not in COLUMNS:
            hint = f"write column op value; columns: {', '.join(COLUMNS)}; op: {' '.join(OPERATIONS)}"
            raise ConfigError(f"plan.exclude cannot be read: {line}", hint)
        found.append(Predicate(match["column"], match["op"], match["value"], line.strip()))
    return found


def rank(study: Mapping[str, Any], order: Iterable[str]) -> int:
    """Where a study stands in the order; lower goes first. Undated studies go last.

    Raises:
        ConfigError: `[plan] order` has a word that is not known.
    """
    total = 0
    for word in order:
        total = total * _DAY * 10 + _part(study, word)
    return total


def _part(study: Mapping[str, Any], word: str) -> int:
    digits = "".join(c for c in str(study.get("study_date") or "") if c.isdigit())[:8]
    day = int(digits) if len(digits) == 8 else None
    if word == "newest":
        return _DAY if day is None else _DAY - day
    if word == "oldest":
        return _DAY if day is None else day
    if word.startswith("modality:"):
        first = set(word.removeprefix("modality:").split(","))
        return 0 if first & set(str(study.get("modalities_in_study") or "").split("\\")) else 1
    raise ConfigError(f"plan.order: {word} is not known", "allowed: newest, oldest, modality:CT,MR")


def plan(
    studies: Iterable[Mapping[str, Any]], order: list[str], exclude: list[Predicate], modified_at: str
) -> Iterator[Event]:
    """One event for each study that waits to be planned: `Planned` with its rank, or `Excluded`."""
    for study in studies:
        uid = study["study_instance_uid"]
        reason = next((p.text for p in exclude if p.holds(study)), None)
        if reason:
            yield Excluded(study_instance_uid=uid, reason=reason)
        else:
            yield Planned(study_instance_uid=uid, rank=rank(study, order), modified_at=modified_at)
