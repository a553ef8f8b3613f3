"""One C-FIND and how it ends: the words that answers and alterations share."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from migrate.demo.matching import Dialect
from migrate.demo.misbehaviour import FindMisbehaviours
from migrate.demo.rows import LEVELS, UNIQUE_KEYS, Catalogue, supported_keys

#: C-FIND statuses (PS3.4 C.4.1.1.4).
SUCCESS, PENDING, PENDING_WITH_UNSUPPORTED_KEYS = 0x0000, 0xFF00, 0xFF01
CANCEL, OUT_OF_RESOURCES, IDENTIFIER_MISMATCH, UNABLE_TO_PROCESS = 0xFE00, 0xA700, 0xA900, 0xC000


class ClosedInMidAnswer(Exception):
    """The peer was ordered to abort the association here."""


@dataclass(frozen=True, slots=True)
class Question:
    """One C-FIND: `keys` maps keywords to values; `root` is the level where the model begins."""

    level: str
    keys: Mapping[str, str]
    root: str = "STUDY"

    def known_keys(self, *, optional: bool = True) -> dict[str, str]:
        """The keys that a peer takes into account when it matches."""
        known = supported_keys(self.level, optional=optional)
        return {key: value for key, value in self.keys.items() if key in known}

    def is_hierarchical(self) -> bool:
        """A single value stands for every unique key above the level (PS3.4 C.4.1.3.1.1)."""
        if self.root not in LEVELS or LEVELS.index(self.level) < LEVELS.index(self.root):
            return False
        above = LEVELS[LEVELS.index(self.root) : LEVELS.index(self.level)]
        values = [self.keys.get(UNIQUE_KEYS[level], "") for level in above]
        return all(value and not set(value) & set("\\*?") for value in values)


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
class Asked:
    """A question, to whom it goes, and what that peer was ordered to do."""

    question: Question
    catalogue: Catalogue
    orders: FindMisbehaviours

    @property
    def dialect(self) -> Dialect:
        """The matching deviations among the orders."""
        orders = self.orders
        return Dialect(
            hide_undated_from_ranges=orders.hide_undated_from_ranges,
            no_wildcards=orders.no_wildcards,
            no_uid_lists=orders.no_uid_lists,
            ignores_time=orders.ignores_time,
            one_interval=orders.one_interval,
        )
