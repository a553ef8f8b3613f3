"""The in-process double of a peer: the questions of a source without a network.

`SimulatedSource` gives C-FIND with the semantics of `migrate.peers.Source.find` over any
catalogue (`ListArchive`, `FormulaArchive`), under the same orders as the network peer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from migrate.demo.answers import Answerer
from migrate.demo.formula import FormulaArchive, FormulaPlan
from migrate.demo.listed import InstanceFacts, ListArchive, SeriesFacts, StudyFacts, study_facts
from migrate.demo.misbehaviour import FindMisbehaviours
from migrate.demo.question import ClosedInMidAnswer, End, FindHistory, Question
from migrate.demo.rows import Catalogue, Row
from migrate.errors import PeerError, PeerUnavailable
from migrate.model import Level
from migrate.peers import Features, FindEnd, Match

__all__ = [
    "FormulaArchive",
    "FormulaPlan",
    "InstanceFacts",
    "ListArchive",
    "SeriesFacts",
    "SimulatedSource",
    "StudyFacts",
    "study_facts",
]


@dataclass(slots=True)
class SimulatedSource:
    """A source that can only be asked. `history` counts the queries and rows so far.

    Args:
        catalogue: What the archive holds; its `study_instance_uids()` is the truth.
        orders: Misbehaviours of C-FIND.
        features: What the source says it can do.
        row_limit: Answers after which an endless C-FIND is given up.
        sleep: Takes the seconds of `slow_*` orders.
    """

    catalogue: Catalogue
    orders: FindMisbehaviours = FindMisbehaviours()
    features: Features = Features(c_get=True, c_move=True)
    row_limit: int = 1_000_000
    sleep: Callable[[float], None] = time.sleep
    history: FindHistory = field(default_factory=FindHistory)

    def echo(self) -> None:
        """Prove that the peer answers. Raises PeerUnavailable when ordered to be silent."""
        if self.orders.silence:
            raise PeerUnavailable("the peer does not answer", peer="SIMULATED")

    def find(self, level: Level, keys: Mapping[str, str], on_match: Callable[[Match], None]) -> FindEnd:
        """Answer one query as `migrate.peers.Source.find` says (PS3.4 C.4.1).

        Raises:
            PeerUnavailable: The peer closed in mid-answer or never answers.
            PeerError: More than `row_limit` answers came.
        """
        self.echo()
        answerer = Answerer(self.catalogue, self.orders, self.history, self.sleep)
        answers = answerer.answers(Question(level.value, keys))
        found, flagged = 0, False
        while True:
            try:
                status, row = next(answers)
            except StopIteration as stop:
                return _find_end(stop.value, found, flagged=flagged)
            except ClosedInMidAnswer as closed:
                raise PeerUnavailable("the peer closed in mid-answer", matches=found) from closed
            found, flagged = found + 1, flagged or status == 0xFF01
            if found > self.row_limit:
                raise PeerError("the answer does not end", matches=found - 1)
            on_match(_match(row))

    def close(self) -> None:
        """Nothing to release."""


def _match(row: Row) -> Match:
    undecodable = {key: raw for key, raw in row.raw.items() if "\ufffd" in row.values.get(key, "")}
    return Match(row.values, undecodable)


def _find_end(end: End, found: int, *, flagged: bool) -> FindEnd:
    return FindEnd(
        status=end.status,
        matches=found,
        optional_keys_unsupported=flagged,
        error_comment=end.comment,
    )
