"""The books: source = migrated + excluded + failed + pending, for every year, modality and facility.

A study is migrated when it is VERIFIED, excluded when EXCLUDED, failed when QUARANTINED, else
pending. An instance is migrated when its latest verification proves it, whatever became of its
study; otherwise it shares the study's book. What the source has rejected or hidden and policy leaves
behind is excluded, whatever became of its study, unless it was moved before; `rejected` counts it
alone. A series is migrated when all its instances are that do not stay behind. Bytes are the sizes of
what was received; the size of what never arrived is not known and not guessed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

from migrate.errors import LocalError
from migrate.manifest.sides import InstanceSide, StudySide
from migrate.model import BY_CONTENT, Outcome

BOOKS = ("migrated", "excluded", "failed", "pending")
LEVELS = ("STUDY", "SERIES", "IMAGE", "BYTES")
REJECTED = "rejected"
BOOK_OF_STATE = {"VERIFIED": "migrated", "EXCLUDED": "excluded", "QUARANTINED": "failed"}
YEAR_DIGITS = 4  # PS3.5 6.2, DA
PROOFS = BY_CONTENT

_SIZE_OF = attrgetter("size_bytes")
_SERIES_OF = attrgetter("series_instance_uid")

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
    rejected: int = 0


@dataclass(slots=True)
class Books:
    """Counts studies into the four books.

    Args:
        proofs: Verification methods that prove an instance (`content`, `pixels`; `uid` where policy says).
    """

    proofs: frozenset[str] = PROOFS
    _source: dict[Heading, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    _booked: dict[Heading, Account] = field(default_factory=lambda: defaultdict(dict))

    def add(self, side: StudySide, state: str | None) -> None:
        """Count one study; `state` None means that the journal does not know it yet."""
        heading, book = heading_of(side), BOOK_OF_STATE.get(state or "", "pending")
        source, account = source_counts(side), self._booked[heading]
        self._source[heading].update(source)
        for level, name, amount in booked_counts(side, book, self.proofs, source):
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
                        **{book: booked[book] for book in (*BOOKS, REJECTED)},
                    )
                )

    def totals(self) -> dict[str, dict[str, int]]:
        """Level -> source and the four books, over all lines."""
        found: dict[str, Counter[str]] = {level: Counter() for level in LEVELS}
        for line in self.lines():
            found[line.level].update({name: getattr(line, name) for name in ("source", *BOOKS)})
        return {level: {name: counts[name] for name in ("source", *BOOKS)} for level, counts in found.items()}

    def rejected(self) -> dict[str, int]:
        """Level -> how much of what is excluded the source has rejected or hidden."""
        found: Counter[str] = Counter()
        for line in self.lines():
            found[line.level] += line.rejected
        return {level: found[level] for level in LEVELS}


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
        "BYTES": _size(side.instances),
    }


def booked_counts(
    side: StudySide, book: str, proofs: frozenset[str], source: Mapping[str, int]
) -> Iterator[tuple[str, str, int]]:
    """(level, book, amount) for one study: what is proven is migrated, the rest shares the study's book.

    The rest of a VERIFIED study is pending: it stands at the source and nobody has proven it.
    """
    rest = "pending" if book == "migrated" else book
    sorted_out = _sorted_out(side, proofs)
    proven, left = sorted_out["proven"], sorted_out["left"]
    unproven, of_proven, of_left = (set(map(_SERIES_OF, sorted_out[name])) for name in ("unproven", "proven", "left"))
    # A series without instances is whole when its study is: there is nothing left to prove.
    held = side.series if book == "migrated" else of_proven
    behind = (side.series & of_left) - of_proven - unproven
    whole = (side.series & held) - unproven - behind
    nothing_else = bool(left) and not proven and not sorted_out["unproven"]
    study = "excluded" if book == "migrated" and nothing_else else book
    all_rejected = book == "excluded" and side.deleted
    yield "STUDY", study, 1
    yield "STUDY", REJECTED, int(all_rejected or (study == "excluded" and nothing_else))
    for level, migrated, excluded in (
        ("SERIES", len(whole), len(behind)),
        ("IMAGE", len(proven), len(left)),
        ("BYTES", _size(proven), _size(left)),
    ):
        yield level, "migrated", migrated
        yield level, "excluded", excluded
        yield level, rest, source[level] - migrated - excluded
        yield level, REJECTED, source[level] - migrated if all_rejected else excluded


def _sorted_out(side: StudySide, proofs: frozenset[str]) -> dict[str, list[InstanceSide]]:
    """The instances of a study: proven, left behind because the source has rejected them, and the rest."""
    found: dict[str, list[InstanceSide]] = {"proven": [], "left": [], "unproven": []}
    if side.alike and is_proven(side.alike, proofs):
        return {**found, "proven": list(side.instances)}
    for instance in side.instances:
        if is_proven(instance, proofs):
            found["proven"].append(instance)
        else:
            found["left" if instance.rejected else "unproven"].append(instance)
    return found


def _size(instances: Iterable[InstanceSide]) -> int:
    return sum(filter(None, map(_SIZE_OF, instances)))


def stays_behind(instance: InstanceSide, proofs: frozenset[str]) -> bool:
    """The source has rejected or hidden it, policy leaves it there, and it was not moved before."""
    return bool(instance.rejected) and not is_proven(instance, proofs)


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
