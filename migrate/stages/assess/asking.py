"""C-FINDs that are counted and bounded: a budget for all, a C-CANCEL for each that grows too long."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from migrate.dicom.uid import STUDY_ROOT_FIND
from migrate.errors import PeerError
from migrate.model import Level
from migrate.peers import Match
from migrate.stages.assess.check import Unlearnt
from migrate.wire.dimse.endpoint import Context, Endpoint
from migrate.wire.dimse.identifier import decode, encode, tags_of
from migrate.wire.dimse.scu import Association

BASIC = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")  # explicit and implicit VR little endian
CANCELLED = 0xFE00
UNSUPPORTED_KEYS = 0xFF01
FEW = 200
LONGEST_S = 30.0
# What a peer may still send after a C-CANCEL before the association is aborted.
DRAINED_ANSWERS = 5_000
DRAINED_S = 15.0


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


class Finder:
    """Asks one peer, on one association for each model. For one thread.

    `small_s` has the seconds of every question with at most ten answers.
    """

    def __init__(self, endpoint: Endpoint, stack: type[Association], budget: Budget) -> None:
        self.endpoint = endpoint
        self.stack = stack
        self.budget = budget
        self.small_s: list[float] = []
        self._open: dict[tuple[str, bytes], Association] = {}

    def ask(self, question: Question) -> Answer:
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
            extended = {question.model_uid: question.extended} if question.extended else {}
            association = self.stack.open(self.endpoint, [Context(question.model_uid, BASIC)], extended)
            self._open[name] = association
        return association

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
