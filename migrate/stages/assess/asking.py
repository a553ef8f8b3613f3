"""C-FINDs that are counted and bounded: a budget for all, a C-CANCEL for each that grows too long."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from migrate.dicom.uid import STUDY_ROOT_FIND
from migrate.errors import PeerError, PeerUnavailable
from migrate.model import Level
from migrate.peers import Match
from migrate.stages.assess.check import Unlearnt
from migrate.wire.dimse.endpoint import NO_EXTENDED, Context, Endpoint
from migrate.wire.dimse.identifier import decode, encode, tags_of
from migrate.wire.dimse.scu import Association

BASIC = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")  # explicit and implicit VR little endian
CANCELLED = 0xFE00
UNSUPPORTED_KEYS = 0xFF01
FEW = 200
LONGEST_S = 30.0
SOON_S = 10.0
_Opened = TypeVar("_Opened")
# What a peer may still send after a C-CANCEL before the association is aborted.
DRAINED_ANSWERS = 5_000
DRAINED_S = 15.0
# A transient reject may come because the association before is still being taken down.
TRANSIENT = 2
REOPENED = 4
REOPENED_AFTER_S = 0.25


class Budget:
    """How many C-FINDs may be asked in all. Thread-safe."""

    def __init__(self, queries: int) -> None:
        self.queries = queries
        self.asked = 0
        self._lock = threading.Lock()

    @property
    def left(self) -> int:
        """How many may still be asked."""
        return self.queries - self.asked

    def spend(self) -> None:
        """Count one. Raises Unlearnt when none is left."""
        with self._lock:
            if self.asked >= self.queries:
                fact = f"the budget of {self.queries} C-FINDs is spent"
                raise Unlearnt(fact, "allow more with: migrate assess --queries N")
            self.asked += 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One C-FIND; after `most` answers it is cancelled. `extended` is proposed for the model."""

    level: Level
    keys: Mapping[str, str]
    most: int = FEW
    model_uid: str = STUDY_ROOT_FIND
    extended: bytes = b""


@dataclass(slots=True)
class Answer:
    """What came. `status` is None when the association had to be aborted to end it.

    `cancelled`: we ended it; `unreadable`: answers that are no data set; `seconds` from the request
    to the final response, the opening of the association not counted.
    """

    rows: list[Match] = field(default_factory=list)
    received: int = 0
    status: int | None = None
    cancelled: bool = False
    flagged: bool = False
    unreadable: int = 0
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        """The peer says that these are all."""
        return self.status == 0 and not self.cancelled

    def values(self, keyword: str) -> list[str]:
        """The values of one key, of the answers that have it."""
        return [row.values[keyword] for row in self.rows if keyword in row.values]


class _Enough(Exception):
    """The peer does not heed C-CANCEL."""


def patiently(attempt: Callable[[], _Opened]) -> _Opened:
    """Try again while a peer rejects for the moment (PS3.8 9.3.4). Raises what the last attempt raised."""
    for _ in range(REOPENED):
        try:
            return attempt()
        except PeerUnavailable as error:
            if error.facts.get("result") != TRANSIENT:
                raise
            time.sleep(REOPENED_AFTER_S)
    return attempt()


class Finder:
    """Asks one peer, on one association at a time. For one thread.

    `small_s` has the seconds of every question with at most ten answers; `moody` counts the
    questions that failed and were answered when asked again.
    """

    def __init__(self, endpoint: Endpoint, stack: type[Association], budget: Budget) -> None:
        self.endpoint = endpoint
        self.stack = stack
        self.budget = budget
        self.small_s: list[float] = []
        self.moody = 0
        self._open: dict[tuple[str, bytes], Association] = {}

    def ask(self, question: Question) -> Answer:
        """One C-FIND; asked again when it ends with an error and no answer, or breaks off soon.

        Raises as `ask_once`.
        """
        began = time.monotonic()
        try:
            answer = self.ask_once(question)
            if answer.complete or answer.cancelled or answer.received:
                return answer
        except PeerUnavailable:
            if time.monotonic() - began > SOON_S:
                raise
        again = self.ask_once(question)
        self.moody += again.complete
        return again

    def ask_once(self, question: Question) -> Answer:
        """One C-FIND (PS3.4 C.4.1).

        Raises:
            PeerUnavailable: No final response came.
            PeerRefused: No association, or not with this model.
            Unlearnt: The budget is spent.
        """
        self.budget.spend()
        association = self.connected(question)
        taking = _Taking(association, question)
        began = time.monotonic()
        try:
            identifier = encode(question.level, question.keys, association.transfer_syntax(question.model_uid))
            end = association.find(question.model_uid, identifier, taking)
            taking.answer.status = end.status or 0
        except _Enough:
            self._drop(question)
        except BaseException:
            self._drop(question)
            raise
        answer = taking.answer
        answer.seconds = time.monotonic() - began
        if answer.received <= 10 and answer.complete:
            self.small_s.append(answer.seconds)
        return answer

    def connected(self, question: Question) -> Association:
        """The association for such questions, opened when there is none. Raises as `ask`."""
        name = (question.model_uid, question.extended)
        association = self._open.get(name)
        if association is None or not association.is_open:
            self.close()  # some peers allow two associations, or one
            extended = {question.model_uid: question.extended} if question.extended else {}
            association = self.opened([Context(question.model_uid, BASIC)], extended)
            self._open[name] = association
        return association

    def opened(self, contexts: Sequence[Context], extended: Mapping[str, bytes] = NO_EXTENDED) -> Association:
        """A new association; a transient reject (PS3.8 9.3.4) is waited out. The caller ends it.

        Raises:
            PeerUnavailable: No connection, or still no association.
            PeerRefused: A permanent reject.
        """
        return patiently(lambda: self.stack.open(self.endpoint, contexts, extended))

    def close(self) -> None:
        """Release what is open; may be called twice."""
        while self._open:
            self._open.popitem()[1].release()

    def _drop(self, question: Question) -> None:
        association = self._open.pop((question.model_uid, question.extended), None)
        if association is not None:
            with contextlib.suppress(PeerError):
                association.abort()


class _Taking:
    """Takes the answers of one C-FIND and ends it when it grows too long."""

    def __init__(self, association: Association, question: Question) -> None:
        self.answer = Answer()
        self._association = association
        self._question = question
        self._wanted = tags_of(question.keys)
        self._deadline = time.monotonic() + LONGEST_S

    def __call__(self, status: int, identifier: bytes, transfer_syntax_uid: str) -> None:
        answer, now = self.answer, time.monotonic()
        answer.received += 1
        answer.flagged = answer.flagged or status == UNSUPPORTED_KEYS
        if answer.received <= self._question.most:
            self._keep(identifier, transfer_syntax_uid)
        if not answer.cancelled and (answer.received > self._question.most or now > self._deadline):
            answer.cancelled = True
            self._association.cancel()
        elif answer.received > self._question.most + DRAINED_ANSWERS or now > self._deadline + DRAINED_S:
            raise _Enough

    def _keep(self, identifier: bytes, transfer_syntax_uid: str) -> None:
        try:
            self.answer.rows.append(decode(identifier, transfer_syntax_uid, self._wanted))
        except PeerError:
            self.answer.unreadable += 1
