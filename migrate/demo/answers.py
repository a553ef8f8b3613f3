"""What a peer answers to one C-FIND, misbehaviours included.

Shared by the network peer and by the in-process double, so that what holds for one holds for the
other. `answers` yields rows with their pending status and returns how the query ended; an ordered
abort in mid-answer raises `ClosedInMidAnswer`.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from migrate.demo.matching import Dialect, matches
from migrate.demo.misbehaviour import FindMisbehaviours
from migrate.demo.rows import COUNT_KEYS, LEVELS, UNIQUE_KEYS, Catalogue, Row, supported_keys

#: C-FIND statuses (PS3.4 C.4.1.1.4).
SUCCESS, PENDING, PENDING_WITH_UNSUPPORTED_KEYS = 0x0000, 0xFF00, 0xFF01
CANCEL, OUT_OF_RESOURCES, IDENTIFIER_MISMATCH, UNABLE_TO_PROCESS = 0xFE00, 0xA700, 0xA900, 0xC000

#: Latin-1 bytes that are illegal in UTF-8, sent by `undecodable_every` under ISO_IR 192.
UNDECODABLE = b"Undecodable\xe9\xff"


class ClosedInMidAnswer(Exception):
    """The peer was ordered to abort the association here."""


@dataclass(frozen=True, slots=True)
class Question:
    """One C-FIND: `keys` maps keywords to values; `root` is the level where the model begins."""

    level: str
    keys: Mapping[str, str]
    root: str = "STUDY"


@dataclass(frozen=True, slots=True)
class End:
    """The final status and its comment."""

    status: int
    comment: str = ""


@dataclass(slots=True)
class FindHistory:
    """How many queries a peer has had; orders like `fails_first_n` count on it. Thread-safe."""

    queries: int = 0
    rows: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next_query(self) -> int:
        """The number of this query, from 1."""
        with self._lock:
            self.queries += 1
            return self.queries

    def add_rows(self, count: int) -> None:
        """Count rows that went out."""
        with self._lock:
            self.rows += count


@dataclass(frozen=True, slots=True)
class Answerer:
    """A catalogue that answers under orders."""

    catalogue: Catalogue
    orders: FindMisbehaviours = FindMisbehaviours()
    history: FindHistory = field(default_factory=FindHistory)
    sleep: Callable[[float], None] = time.sleep

    def answers(self, question: Question) -> Generator[tuple[int, Row], None, End]:
        """Yield (pending status, row) for each match; return the end.

        Raises ClosedInMidAnswer when the orders say so.
        """
        number = self.history.next_query()
        if self.orders.slow_answers_s:
            self.sleep(self.orders.slow_answers_s)
        refused = self._refused(question, number)
        if refused:
            return refused
        rows, end = self._capped(question)
        closing = self.orders.close_after_rows
        if closing is not None and (self.orders.close_first_n or number) >= number:
            rows = _closing(rows, closing)
        return (yield from self._presented(question, rows, end))

    def _refused(self, question: Question, number: int) -> End | None:
        orders = self.orders
        if question.level not in LEVELS or not (orders.relational or _hierarchical(question)):
            return End(IDENTIFIER_MISMATCH, "unique keys above the level are missing")
        every = orders.fails_every
        if number <= orders.fails_first_n or (every and number % every == 0):
            return End(orders.fail_status, "out of resources")
        return None

    def _capped(self, question: Question) -> tuple[Iterable[Row], End]:
        rows, cap = self._altered(question), self.orders.result_cap
        if cap is None or question.level not in self.orders.cap_levels:
            return rows, End(SUCCESS)
        kept = list(itertools.islice(rows, cap + 1))
        if len(kept) <= cap:
            return kept, End(SUCCESS)
        signal = self.orders.cap_signal
        if signal == "C000":
            return (), End(UNABLE_TO_PROCESS, "Request entity too large")
        if signal == "A700":
            return (), End(OUT_OF_RESOURCES, "too many matches")
        return kept[:cap], End(SUCCESS if signal == "silent" else CANCEL)

    def _altered(self, question: Question) -> Iterator[Row]:
        orders = self.orders
        known = supported_keys(question.level, optional=not orders.no_optional_keys)
        keys = {key: value for key, value in question.keys.items() if key in known}
        rows = self.catalogue.rows(question.level, keys, dialect_of(orders))
        for alteration in ALTERATIONS:
            rows = alteration(rows, question, self)
        return rows

    def _presented(self, question: Question, rows: Iterable[Row], end: End) -> Generator[tuple[int, Row], None, End]:
        shown = _shown_keys(question, self.orders)
        flagged = self.orders.flags_unsupported_keys and len(shown) < len(question.keys)
        pending = PENDING_WITH_UNSUPPORTED_KEYS if flagged else PENDING
        sent = 0
        for row in rows:
            if self.orders.slow_rows_s:
                self.sleep(self.orders.slow_rows_s)
            sent += 1
            yield pending, _presented(row, question, shown, self.orders)
        self.history.add_rows(sent)
        return end


def dialect_of(orders: FindMisbehaviours) -> Dialect:
    """The matching deviations among the orders."""
    return Dialect(
        hide_undated_from_ranges=orders.hide_undated_from_ranges,
        no_wildcards=orders.no_wildcards,
        no_uid_lists=orders.no_uid_lists,
        ignores_time=orders.ignores_time,
        one_interval=orders.one_interval,
    )


def _hierarchical(question: Question) -> bool:
    """A single value for every unique key above the level (PS3.4 C.4.1.3.1.1)."""
    if question.root not in LEVELS or LEVELS.index(question.level) < LEVELS.index(question.root):
        return False
    above = LEVELS[LEVELS.index(question.root) : LEVELS.index(question.level)]
    values = [question.keys.get(UNIQUE_KEYS[level], "") for level in above]
    return all(value and not set(value) & set("\\*?") for value in values)


def _closing(rows: Iterable[Row], after: int) -> Iterator[Row]:
    yield from itertools.islice(rows, after)
    raise ClosedInMidAnswer


def _shown_keys(question: Question, orders: FindMisbehaviours) -> list[str]:
    known = supported_keys(question.level, optional=not orders.no_optional_keys)
    return [key for key in question.keys if key in known and key not in orders.drop_keys]


def _presented(row: Row, question: Question, shown: list[str], orders: FindMisbehaviours) -> Row:
    value_of = row.values.get
    if _NO_UID in row.values:
        shown = [key for key in shown if key not in _UIDS]
    values = {key: value_of(key, "") for key in shown}
    for key in orders.empty_keys:
        if key in values:
            values[key] = ""
    raw = {key: row.raw[key] for key in shown if key in row.raw and values[key]} if row.raw else row.raw
    values["QueryRetrieveLevel"] = value_of("QueryRetrieveLevel", "") or question.level
    charset = value_of("SpecificCharacterSet", "")
    if charset:
        values["SpecificCharacterSet"] = charset
    return Row(values, raw)


# --- alterations: each takes the rows so far and gives the rows as the peer would send them -------

Alteration = Callable[[Iterator[Row], Question, Answerer], Iterator[Row]]

_NO_UID = "_no_uid"
_UIDS = frozenset(UNIQUE_KEYS.values()) - {"PatientID"}
_INVENTED = "1.2.826.0.1.3680043.8.498.999"


def _changed(row: Row, **values: str) -> Row:
    return Row({**row.values, **values}, {key: raw for key, raw in row.raw.items() if key not in values})


def _every(rows: Iterator[Row], n: int, change: Callable[[Row], Row]) -> Iterator[Row]:
    if not n:
        return rows
    return (row if number % n else change(row) for number, row in enumerate(rows, start=1))


def _per_instance(rows: Iterator[Row], question: Question, by: Answerer) -> Iterator[Row]:
    if not by.orders.per_instance_rows or question.level == "IMAGE":
        return rows
    count = {"SERIES": "NumberOfSeriesRelatedInstances", "STUDY": "NumberOfStudyRelatedInstances"}
    key = count.get(question.level, "NumberOfPatientRelatedStudies")
    return (row for row in rows for _ in range(max(1, int(row.values.get(key) or 1))))


def _duplicated(rows: Iterator[Row], question: Question, by: Answerer) -> Iterator[Row]:
    every = by.orders.duplicate_every
    if not every:
        yield from rows
        return
    for number, row in enumerate(rows, start=1):
        yield row
        if number % every == 0:
            yield _changed(row, AccessionNumber="DIFFERS") if by.orders.duplicates_differ else row


def _wrong_counts(rows: Iterator[Row], question: Question, by: Answerer) -> Iterator[Row]:
    wrong = by.orders.wrong_counts
    if not wrong:
        return rows

    def falsified(row: Row) -> Row:
        counts = {key: int(row.values.get(key) or 0) for key in COUNT_KEYS if row.values.get(key)}
        return _changed(row, **{key: str(max(0, count + wrong)) for key, count in counts.items()})

    return map(falsified, rows)


def _wrong_level(rows: Iterator[Row], question: Question, by: Answerer) -> Iterator[Row]:
    other = "SERIES" if question.level == "STUDY" else "STUDY"
    return _every(rows, by.orders.wrong_level_every, lambda row: _changed(row, QueryRetrieveLevel=other))


def _wrong_parent(rows: Iterator[Row], question: Question, by: Answerer) -> Iterator[Row]:
    if question.level not in ("SERIES", "IMAGE"):
        return rows
    wrong = by.orders.wrong_parent_every
    return _every(rows, wrong, lambda row: _changed(row, StudyInstanceUID=f"{_INVENTED}.1"))


def _illegal_dates(rows: Iterator[Row], question: Question, by: Answerer) -> Iterator[Row]:
    key = "SeriesDate" if question.level == "SERIES" else "StudyDate"
    return _every(rows, by.orders.illegal_dates_every, lambda row: _changed(row, **{key: "2019AB99"}))


def _undecodable(rows: Iterator[Row], question: Question, by: Answerer) -> Iterator[Row]:
    key = {"STUDY": "PatientName", "PATIENT": "PatientName"}.get(question.level, "SeriesDescription")
    text = UNDECODABLE.decode("utf-8", errors="replace")

    def broken(row: Row) -> Row:
        values = {**row.values, key: text, "SpecificCharacterSet": "ISO_IR 192"}
        return Row(values, {key: UNDECODABLE})

    return _every(rows, by.orders.undecodable_every, broken)


def _uid_dropped(rows: Iterator[Row], question: Question, by: Answerer) -> Iterator[Row]:
    return _every(rows, by.orders.uid_dropped_every, lambda row: _changed(row, **{_NO_UID: "yes"}))


def _strangers(rows: Iterator[Row], question: Question, by: Answerer) -> Iterator[Row]:
    """Rows outside the query, in front so that a cap pushes true rows out."""
    wanted = by.orders.foreign_rows
    if not wanted or question.level == "PATIENT":
        return rows
    return itertools.chain(itertools.islice(_foreign(question, by), wanted), rows)


def _foreign(question: Question, by: Answerer) -> Iterator[Row]:
    dialect = dialect_of(by.orders)
    if question.level == "STUDY":
        inside = matches(_known(question), dialect)
        yield from (row for row in by.catalogue.rows("STUDY", {}, dialect) if not inside(row.values))
        return
    asked = question.keys.get("StudyInstanceUID", "")
    for study_uid in by.catalogue.study_instance_uids():
        if study_uid != asked:
            yield from by.catalogue.rows(question.level, {"StudyInstanceUID": study_uid}, dialect)


def _without_uid(rows: Iterator[Row], question: Question, by: Answerer) -> Iterator[Row]:
    extra = Row({"StudyDate": question.keys.get("StudyDate", "")[:8], _NO_UID: "yes"})
    return itertools.chain(rows, itertools.repeat(extra, by.orders.extra_rows_without_uid))


def _shells(rows: Iterator[Row], question: Question, by: Answerer) -> Iterator[Row]:
    """Studies in the catalogue that hold nothing: their series level is empty."""
    if not by.orders.empty_shells or question.level != "STUDY":
        return rows
    inside = matches(_known(question), dialect_of(by.orders))
    shells = (Row(shell_values(number)) for number in range(1, by.orders.empty_shells + 1))
    return itertools.chain(rows, (row for row in shells if inside(row.values)))


def shell_values(number: int) -> dict[str, str]:
    """The STUDY keys of empty shell number `number`, counted from 1."""
    return {
        "StudyInstanceUID": f"{_INVENTED}.2.{number}",
        "StudyDate": f"20120{1 + number % 9}15",
        "StudyTime": "120000",
        "PatientID": f"S{number:07d}",
        "PatientName": "SHELL^EMPTY",
        "ModalitiesInStudy": "CR",
        "NumberOfStudyRelatedInstances": "0",
    }


def _known(question: Question) -> dict[str, str]:
    known = supported_keys(question.level)
    return {key: value for key, value in question.keys.items() if key in known}


def _endless(rows: Iterator[Row], question: Question, by: Answerer) -> Iterator[Row]:
    if not by.orders.endless:
        return rows
    kept = list(rows)
    return itertools.cycle(kept) if kept else iter(())


ALTERATIONS: tuple[Alteration, ...] = (
    _per_instance,
    _duplicated,
    _wrong_counts,
    _wrong_level,
    _wrong_parent,
    _illegal_dates,
    _undecodable,
    _shells,
    _uid_dropped,
    _strangers,
    _without_uid,
    _endless,
)
