"""The journal's current rows are the fold of its events, and nothing is counted twice or lost."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from migrate.errors import IllegalEvent
from migrate.journal import events as e
from migrate.journal import read
from migrate.journal.states import SETTLED, State, follow
from migrate.journal.store import Journal
from tests.engine.events import MAKERS

STUDIES = ("1.1", "1.2", "1.3")
KINDS = tuple(MAKERS)


class JournalMachine(RuleBasedStateMachine):
    """Any events in any order, the journal closed and opened in between, against a dictionary."""

    @initialize()
    def begin(self) -> None:
        self.place = tempfile.TemporaryDirectory()
        self.folder = Path(self.place.name)
        self.journal = Journal(self.folder)
        self.model: dict[str, State] = {}
        self.history: list[tuple[str, str]] = []

    def teardown(self) -> None:
        self.journal.close()
        assert read.first_broken_link(self.folder) is None
        self.place.cleanup()

    @rule(uid=st.sampled_from(STUDIES), kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=3))
    def append_anything(self, uid: str, kinds: list[type[e.Event]]) -> None:
        batch = [MAKERS[kind](uid) for kind in kinds]
        after = dict(self.model)
        try:
            for event in batch:
                after[uid] = follow(after.get(uid), event)
        except IllegalEvent:
            try:
                self.journal.append(batch)
            except IllegalEvent:
                return
            raise AssertionError("the journal took a batch that the table does not allow") from None
        self.journal.append(batch)
        self.model = after
        self.history += [(uid, kind.__name__) for kind in kinds]

    @rule(uid=st.sampled_from(STUDIES))
    def go_one_step_on(self, uid: str) -> None:
        forward = {
            None: e.Found,
            State.FOUND: e.Planned,
            State.CHANGED: e.Planned,
            State.PLANNED: e.Retrieved,
            State.RETRIEVED: e.Checksummed,
            State.CHECKSUMMED: e.Normalized,
            State.NORMALIZED: e.Uploaded,
            State.UPLOADED: e.Verified,
            State.QUARANTINED: e.Retried,
        }
        if kind := forward.get(self.model.get(uid)):
            self.append_anything(uid, [kind])

    @rule()
    def close_and_open(self) -> None:
        self.journal.close()
        self.journal = Journal(self.folder)

    @rule()
    def flush(self) -> None:
        ended = self.journal.to_flush(10)
        assert {state for _, state in ended} <= set(SETTLED)
        self.journal.flushed(ended)
        assert self.journal.to_flush(10) == []

    @invariant()
    def the_current_rows_are_the_fold_of_the_events(self) -> None:
        rows = {row["study_instance_uid"]: row["state"] for row in read.study_states(self.folder)}
        assert rows == self.model

    @invariant()
    def the_events_are_there_in_order(self) -> None:
        told = [(event["study_instance_uid"], event["kind"]) for event in read.events(self.folder)]
        assert told == self.history

    @invariant()
    def counts_add_up_to_the_studies(self) -> None:
        assert read.states(self.folder) == Counter(self.model.values())
        assert sum(read.classes(self.folder).values()) == sum(
            state is State.QUARANTINED for state in self.model.values()
        )

    @invariant()
    def an_instance_stands_in_the_journal_at_most_once(self) -> None:
        for uid in self.model:
            rows = self.journal.instances(uid)
            assert len({row["sop_instance_uid"] for row in rows}) == len(rows) <= 2

    @invariant()
    def received_covers_uploaded_covers_verified(self) -> None:
        flight = read.in_flight_instances(self.folder)
        assert flight["received"] >= flight["uploaded"] >= 0
        assert flight["received"] >= flight["verified"] >= 0


JournalMachine.TestCase.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
TestJournalLaws = JournalMachine.TestCase
