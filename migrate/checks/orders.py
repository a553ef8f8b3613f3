"""Studies matched against a list of orders (from the RIS): by accession number, else by date, modality and name.

One order that agrees is a match. Two that do, or one that contradicts, is ambiguous. Nothing is
guessed, and no result holds a name or a number of a patient: only row numbers of the list.
"""

from __future__ import annotations

import csv
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path

from migrate.errors import ConfigError
from migrate.model import ExceptionClass

COLUMNS = ("accession_number", "study_date", "modality")
NAME = "patient_name"
FIRST_ROW = 2
SAME_NAME, OTHER_NAME = 0.95, 0.6
"""From here on two spellings are one name; below there they are two. In between nobody can say."""

ReadRows = Callable[[Path], Iterable[Mapping[str, str]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """One row of the list; also what a study says of itself (`row` 0). The date is YYYYMMDD."""

    row: int
    accession_number: str
    study_date: str
    modalities: frozenset[str]
    patient_name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """What came of one study. `by` names what agreed."""

    outcome: str
    row: int | None = None
    rows: int = 0
    by: str = ""
    exception_class: ExceptionClass | None = None


@dataclass(slots=True)
class OrderList:
    """The list, indexed."""

    by_accession: dict[str, list[Order]] = field(default_factory=lambda: defaultdict(list))
    by_day: dict[str, list[Order]] = field(default_factory=lambda: defaultdict(list))

    def add(self, order: Order) -> None:
        """One more row."""
        if order.accession_number:
            self.by_accession[order.accession_number].append(order)
        if order.study_date:
            self.by_day[order.study_date].append(order)

    def match(self, study: Order) -> Match:
        """The one order that belongs to a study, or why there is none."""
        same_accession = self.by_accession.get(study.accession_number, []) if study.accession_number else []
        if same_accession:
            return _by_accession(study, same_accession)
        candidates = [order for order in self.by_day.get(study.study_date, []) if _same_modality(study, order)]
        return _by_name(study, candidates)


def read_orders(path: Path, read_rows: ReadRows) -> OrderList:
    """A CSV or Parquet file with accession_number, study_date, modality and, where known, patient_name.

    Raises:
        ConfigError: It cannot be read, or lacks a column.
    """
    found = OrderList()
    for row, line in enumerate(_lines(path, read_rows), FIRST_ROW):
        if row == FIRST_ROW and (missing := [name for name in COLUMNS if name not in line]) and path.suffix == ".csv":
            hint = f"the list needs the columns {', '.join(COLUMNS)}; {NAME} is welcome"
            raise ConfigError(f"the list of orders has no column {missing[0]}", hint, file=path.name, row=1)
        found.add(order_of(line, row))
    return found


def order_of(line: Mapping[str, str | None], row: int = 0) -> Order:
    """One row as an order; spellings of dates and modalities made alike."""
    text = {name: (line.get(name) or "").strip() for name in (*COLUMNS, NAME)}
    return Order(
        row=row,
        accession_number=text["accession_number"],
        study_date="".join(sign for sign in text["study_date"] if sign.isdigit())[:8],
        modalities=frozenset(text["modality"].upper().replace(",", "\\").split("\\")) - {""},
        patient_name=text[NAME],
    )


def similarity(one: str, other: str) -> float | None:
    """How alike two names are, 0 to 1, whatever the order of their parts; None when one is not known."""
    first, second = _plain(one), _plain(other)
    return SequenceMatcher(None, first, second, autojunk=False).ratio() if first and second else None


def _plain(name: str) -> str:
    """Parts in alphabetical order, without accents, capitals and marks."""
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", name) if not unicodedata.combining(sign))
    return " ".join(sorted("".join(sign if sign.isalnum() else " " for sign in bare.casefold()).split()))


def _by_accession(study: Order, orders: list[Order]) -> Match:
    agreeing = [order for order in orders if not _contradicts(study, order)]
    if len(agreeing) == 1:
        order = agreeing[0]
        by = ["accession", *(["date"] if _same_day(study, order) else [])]
        by += ["modality"] if _same_modality(study, order) else []
        by += ["name"] if (similarity(study.patient_name, order.patient_name) or 0) >= SAME_NAME else []
        return Match(outcome="matched", row=order.row, rows=len(orders), by=", ".join(by))
    kind = ExceptionClass.UNMATCHED_ORDER if agreeing else ExceptionClass.PATIENT_CONFLICT
    return Match(outcome="ambiguous", rows=len(orders), by="accession", exception_class=kind)


def _by_name(study: Order, orders: list[Order]) -> Match:
    """Without an accession number a match needs the name, and nobody else who may be meant."""
    scores = [(similarity(study.patient_name, order.patient_name), order) for order in orders]
    possible = [(score, order) for score, order in scores if score is None or score >= OTHER_NAME]
    certain = [order for score, order in possible if score is not None and score >= SAME_NAME]
    if len(certain) == 1 == len(possible):
        return Match(outcome="matched", row=certain[0].row, rows=len(orders), by="date, modality, name")
    outcome = "ambiguous" if possible else "unmatched"
    return Match(outcome=outcome, rows=len(possible), exception_class=ExceptionClass.UNMATCHED_ORDER)


def _contradicts(study: Order, order: Order) -> bool:
    alike = similarity(study.patient_name, order.patient_name)
    other_modality = study.modalities and order.modalities and not _same_modality(study, order)
    return (alike is not None and alike < OTHER_NAME) or bool(other_modality)


def _same_day(study: Order, order: Order) -> bool:
    return bool(study.study_date) and study.study_date == order.study_date


def _same_modality(study: Order, order: Order) -> bool:
    return not study.modalities.isdisjoint(order.modalities)


def _lines(path: Path, read_rows: ReadRows) -> Iterator[Mapping[str, str]]:
    if path.suffix.lower() != ".csv":
        yield from read_rows(path)
        return
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            yield from csv.DictReader(lines, strict=True)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError("the list of orders cannot be read", file=path.name, reason=type(error).__name__) from None
