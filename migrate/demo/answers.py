"""What a peer answers to one C-FIND, misbehaviours included.

Shared by the network peer and by the in-process double, so that what holds for one holds for the
other. `answers` yields rows with their pending status and returns how the query ended; an ordered
abort in mid-answer raises `ClosedInMidAnswer`.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field

from migrate.demo.alterations import ALTERATIONS, NO_UID, UIDS
from migrate.demo.misbehaviour import FindMisbehaviours
from migrate.demo.question import (
    CANCEL,
    IDENTIFIER_MISMATCH,
    OUT_OF_RESOURCES,
    PENDING,
    PENDING_WITH_UNSUPPORTED_KEYS,
    SUCCESS,
    UNABLE_TO_PROCESS,
    Asked,
    ClosedInMidAnswer,
    End,
    FindHistory,
    Question,
)
from migrate.demo.rows import LEVELS, Catalogue, Row, supported_keys


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
        if question.level not in LEVELS or not (orders.relational or question.is_hierarchical()):
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
        asked = Asked(question, self.catalogue, self.orders)
        keys = question.known_keys(optional=not self.orders.no_optional_keys)
        rows = self.catalogue.rows(question.level, keys, asked.dialect)
        for alteration in ALTERATIONS:
            rows = alteration(rows, asked)
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


def _closing(rows: Iterable[Row], after: int) -> Iterator[Row]:
    yield from itertools.islice(rows, after)
    raise ClosedInMidAnswer


def _shown_keys(question: Question, orders: FindMisbehaviours) -> list[str]:
    known = supported_keys(question.level, optional=not orders.no_optional_keys)
    return [key for key in question.keys if key in known and key not in orders.drop_keys]


def _presented(row: Row, question: Question, shown: list[str], orders: FindMisbehaviours) -> Row:
    value_of = row.values.get
    if NO_UID in row.values:
        shown = [key for key in shown if key not in UIDS]
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
