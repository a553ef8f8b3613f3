"""An edited sheet of the register against the register itself: the decisions in it, or what is wrong.

Pure: rows in, events or complaints out. One wrong row and nothing of the sheet is taken.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from migrate.journal.events import Assigned, Event, Excluded, Retried, Waived
from migrate.journal.operators import Operator, RunNote, here

KEY = ("study_instance_uid", "uid", "exception_class")
HEADS = (
    *("study_instance_uid", "level", "uid", "exception_class", "detail", "first_seen_at", "age_days"),
    *("owner", "due", "disposition", "reason", "by", "at"),
)
DECISIONS: Mapping[str, Callable[..., Event]] = {"retry": Retried, "accepted": Waived, "excluded": Excluded}
OPEN = "open"

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What the edited rows are held against.

    Args:
        register: The lines of the journal's register.
        states: Study -> its state.
        runs: Who ran; asked only where `four_eyes` is on.
        four_eyes: Who accepts or excludes must not be who ran.
    """

    register: Sequence[Row]
    states: Mapping[str, str]
    runs: Sequence[RunNote] = ()
    four_eyes: bool = False


@dataclass(slots=True)
class Edits:
    """What a sheet asks for. `complaints` are (row, sentence); with any, `events` are not to be used."""

    events: list[Event] = field(default_factory=list)
    complaints: list[tuple[int, str]] = field(default_factory=list)
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class _Edited:
    number: int
    values: Mapping[str, str]
    line: Row

    def now(self, name: str) -> str:
        """The edited value; a column that is not in the sheet stays as it is."""
        return self.values.get(name, self.before(name))

    def before(self, name: str) -> str:
        return str(self.line[name] or "").strip()


def edits(rows: Iterable[tuple[int, Mapping[str, str]]], standing: Standing) -> Edits:
    """Compare (row number, values) with the register.

    A study is decided as a whole: its open lines must be decided alike, all of them.
    """
    found = Edits()
    decided: dict[str, list[_Edited]] = defaultdict(list)
    for edited in _matched(rows, standing, found):
        complaint = _complaint(edited, standing)
        if complaint:
            found.complaints.append((edited.number, complaint))
            continue
        assigned = _assigned(edited)
        found.events.extend(assigned)
        if edited.now("disposition") != edited.before("disposition"):
            decided[edited.before("study_instance_uid")].append(edited)
        elif not assigned:
            found.unchanged += 1
    still_open = Counter(row["study_instance_uid"] for row in standing.register if row["disposition"] == OPEN)
    for study, lines in decided.items():
        _decide(lines, still_open[study], found)
    found.complaints.sort()
    return found


def same_eyes(operator: Operator, runs: Iterable[RunNote]) -> bool:
    """Whether this is somebody who ran the migration, as far as names and accounts tell."""
    return any(operator.is_same_as(run.operator) for run in runs)


def age_days(row: Row, today: dt.datetime) -> int:
    """Whole days since the line was first seen."""
    return max(0, (today - dt.datetime.fromisoformat(row["first_seen_at"])).days)


def overdue(row: Row, today: dt.datetime) -> bool:
    """Still open after its due date."""
    return bool(row["due"]) and row["disposition"] == OPEN and row["due"] < today.date().isoformat()


def is_day(text: str) -> bool:
    """Whether a text is a day, YYYY-MM-DD."""
    try:
        return dt.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _matched(rows: Iterable[tuple[int, Mapping[str, str]]], standing: Standing, found: Edits) -> Iterator[_Edited]:
    register = {tuple(str(line[name]) for name in KEY): line for line in standing.register}
    classes = {key[:2]: key[2] for key in register}
    seen: dict[tuple[str, ...], int] = {}
    for number, values in rows:
        key = tuple(values.get(name, "") for name in KEY)
        if key in seen:
            found.complaints.append((number, f"the same line as row {seen[key]}"))
        elif key in register:
            yield _Edited(number, values, register[key])
        elif key[:2] in classes:
            told = f"exception_class was edited: the register says {classes[key[:2]]}"
            found.complaints.append((number, told))
        else:
            found.complaints.append((number, "no such line in this run's register: study_instance_uid or uid is wrong"))
        seen.setdefault(key, number)


def _complaint(edited: _Edited, standing: Standing) -> str:
    """What is wrong with one row; empty when nothing is."""
    now, before = edited.now("disposition"), edited.before("disposition")
    if edited.now("level") != edited.before("level"):
        return f"level was edited: the register says {edited.before('level')}"
    if edited.now("due") and not is_day(edited.now("due")):
        return "due is no date: write YYYY-MM-DD"
    if now == before:
        touched = edited.now("reason") != edited.before("reason") or edited.now("by") != edited.before("by")
        return "reason or by was edited without a decision" if touched else ""
    if now not in DECISIONS:
        return f"no such disposition: {now or 'empty'}; allowed: {', '.join(DECISIONS)}"
    return _undecidable(edited, standing)


def _undecidable(edited: _Edited, standing: Standing) -> str:
    before, state = edited.before("disposition"), standing.states.get(edited.before("study_instance_uid"), "unknown")
    if before != OPEN:
        return f"this line is {before}, not open: nothing to decide"
    if state != "QUARANTINED":
        return f"the study is {state}, not in quarantine: nothing to decide"
    if not edited.now("reason") or not edited.now("by"):
        return "a decision needs a reason and a name in column by"
    if _needs_other_eyes(edited, standing):
        return "who accepts or excludes must be another person than who ran (four_eyes)"
    return ""


def _needs_other_eyes(edited: _Edited, standing: Standing) -> bool:
    if not standing.four_eyes or edited.now("disposition") == "retry":
        return False
    return same_eyes(here(edited.now("by")), standing.runs)


def _assigned(edited: _Edited) -> list[Event]:
    if all(edited.now(name) == edited.before(name) for name in ("owner", "due")):
        return []
    return [
        Assigned(
            study_instance_uid=edited.before("study_instance_uid"),
            uid=edited.before("uid"),
            exception_class=edited.before("exception_class"),
            owner=edited.now("owner"),
            due=edited.now("due"),
            by=here().os_user,
        )
    ]


def _decide(lines: Sequence[_Edited], still_open: int, found: Edits) -> None:
    """One event for the study, if all of its open lines are decided alike."""
    first = lines[0]
    for line in lines[1:]:
        if any(line.now(name) != first.now(name) for name in ("disposition", "by")):
            found.complaints.append((line.number, f"decided otherwise than row {first.number} of the same study"))
    if still_open > len(lines):
        told = f"the study has {still_open} open lines and {len(lines)} of them decided: decide all alike"
        found.complaints.append((first.number, told))
    reason = "; ".join(dict.fromkeys(line.now("reason") for line in lines))
    decision = DECISIONS[first.now("disposition")]
    study, by = first.before("study_instance_uid"), here(first.now("by")).told
    found.events.append(decision(study_instance_uid=study, by=by, reason=reason))
