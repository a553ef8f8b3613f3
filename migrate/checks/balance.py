"""The books: source = migrated + excluded + failed + pending, for every year, modality and facility.

A study is migrated when it is VERIFIED, excluded when EXCLUDED, failed when QUARANTINED, else
pending. An instance is migrated when its latest verification proves it, whatever became of its
study; otherwise it shares the study's book. A series is migrated when all its instances are. Bytes
are the sizes of what was received; the size of what never arrived is not known and not guessed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from migrate.errors import LocalError
from migrate.manifest.sides import InstanceSide, StudySide
from migrate.model import Outcome

BOOKS = ("migrated", "excluded", "failed", "pending")
LEVELS = ("STUDY", "SERIES", "IMAGE", "BYTES")
BOOK_OF_STATE = {"VERIFIED": "migrated", "EXCLUDED": "excluded", "QUARANTINED": "failed"}
YEAR_DIGITS = 4  # PS3.5 6.2, DA
PROOFS = frozenset({"content"})

Account = dict[str, Counter[str]]


class Heading(NamedTuple):
    """What a line of the balance is about; None where nobody knows."""

    year: int | None
    modality: str | None
    facility: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class BalanceLine:
    """One line of the balance table."""

    heading: Heading
    level: str
    source: int
    migrated: int
    excluded: int
    failed: int
    pending: int


@dataclass(slots=True)
class Books:
    """Counts studies into the four books.

    Args:
        proofs: Verification methods that prove an instance (`content`; `uid` where policy says).
    """

    proofs: frozenset[str] = PROOFS
    _source: dict[Heading, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    _booked: dict[Heading, Account] = field(default_factory=lambda: defaultdict(dict))

    def add(self, side: StudySide, state: str | None) -> None:
        """Count one study; `state` None means that the journal does not know it yet."""
        heading, book = heading_of(side), BOOK_OF_STATE.get(state or "", "pending")
        self._source[heading].update(source_counts(side))
        account = self._booked[heading]
        for level, name, amount in booked_counts(side, book, self.proofs):
            account.setdefault(level, Counter())[name] += amount

    def lines(self) -> Iterator[BalanceLine]:
        """Every line, sorted by year, modality and facility; unknown ones first.

        Raises:
            LocalError: A line does not add up; nothing may be called complete.
        """
        for heading in sorted(self._source, key=_sort_key):
            for level in LEVELS:
                booked = self._booked[heading].get(level, Counter())
                yield _checked(
                    BalanceLine(
                        heading=heading,
                        level=level,
                        source=self._source[heading][level],
                        **{book: booked[book] for book in BOOKS},
                    )
                )

    def totals(self) -> dict[str, dict[str, int]]:
        """Level -> source and the four books, over all lines."""
        found: dict[str, Counter[str]] = {level: Counter() for level in LEVELS}
        for line in self.lines():
            found[line.level].update({name: getattr(line, name) for name in ("source", *BOOKS)})
        return {level: {name: counts[name] for name in ("source", *BOOKS)} for level, counts in found.items()}


def _sort_key(heading: Heading) -> tuple[int, str, str]:
    return heading.year or 0, heading.modality or "", heading.facility or ""


def heading_of(side: StudySide) -> Heading:
    """Year of the study date, main modality, institution."""
    year = (side.study_date or "")[:4]
    number = int(year) if len(year) == YEAR_DIGITS and year.isascii() and year.isdigit() else None
    return Heading(number or None, side.main_modality or None, (side.institution_name or "").strip() or None)


def source_counts(side: StudySide) -> dict[str, int]:
    """What the source holds of one study. Where it was not listed, the peer's word counts if it is larger."""
    stated = 0 if side.instances_listed else side.stated_instances or 0
    stated_series = 0 if side.series and side.instances_listed else side.stated_series or 0
    return {
        "STUDY": 1,
        "SERIES": max(len(side.series), stated_series),
        "IMAGE": max(len(side.instances), stated),
        "BYTES": sum(instance.size_bytes or 0 for instance in side.instances),
    }


def booked_counts(side: StudySide, book: str, proofs: frozenset[str]) -> Iterator[tuple[str, str, int]]:
    """(level, book, amount) for one study: what is proven is migrated, the rest shares the study's book.

    The rest of a VERIFIED study is pending: it stands at the source and nobody has proven it.
    """
    rest = "pending" if book == "migrated" else book
    source = source_counts(side)
    proven, unproven = [], set()
    for instance in side.instances:
        if is_proven(instance, proofs):
            proven.append(instance)
        else:
            unproven.add(instance.series_instance_uid)
    # A series without instances is whole when its study is: there is nothing left to prove.
    held = side.series if book == "migrated" else {instance.series_instance_uid for instance in proven}
    whole = (side.series & held) - unproven
    yield "STUDY", book, 1
    for level, migrated in (
        ("SERIES", len(whole)),
        ("IMAGE", len(proven)),
        ("BYTES", sum(instance.size_bytes or 0 for instance in proven)),
    ):
        yield level, "migrated", migrated
        yield level, rest, source[level] - migrated


def is_proven(instance: InstanceSide, proofs: frozenset[str]) -> bool:
    """The destination was shown to hold it, by a method that counts."""
    return instance.outcome == Outcome.MATCH and instance.method in proofs


def _checked(line: BalanceLine) -> BalanceLine:
    if (
        line.source != line.migrated + line.excluded + line.failed + line.pending
        or min(line.migrated, line.excluded, line.failed, line.pending) < 0
    ):
        raise LocalError(
            "the books do not balance",
            "run reconcile again; if it stays, keep the run folder and report it",
            year=line.heading.year,
            modality=line.heading.modality,
            level=line.level,
            source=line.source,
            **{book: getattr(line, book) for book in BOOKS},
        )
    return line
