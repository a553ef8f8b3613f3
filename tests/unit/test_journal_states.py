"""The table of states is the whole machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrate.errors import IllegalEvent
from migrate.journal import events as e
from migrate.journal import read
from migrate.journal.effects import EFFECTS
from migrate.journal.states import IN_FLIGHT, SETTLED, TRANSITIONS, State, follow
from migrate.journal.store import Journal
from tests.engine.events import MAKERS, STUDY

PAIRS = [(state, kind) for state in TRANSITIONS for kind in e.EVENTS.values()]


def named(value: object) -> str:
    return value.__name__ if isinstance(value, type) else str(value or "unknown")


@pytest.mark.parametrize(("state", "kind"), PAIRS, ids=named)
def test_a_pair_is_in_the_table_or_an_error_that_names_both(state: State | None, kind: type[e.Event]) -> None:
    event = MAKERS[kind](STUDY)
    if kind in TRANSITIONS[state]:
        assert follow(state, event) is TRANSITIONS[state][kind]
        return
    with pytest.raises(IllegalEvent) as caught:
        follow(state, event)
    assert caught.value.facts["study"] == STUDY
    assert caught.value.facts["event"] == kind.__name__
    assert caught.value.facts["state"] == (state or "unknown study")


def test_every_state_has_a_row_and_every_event_is_allowed_somewhere() -> None:
    assert set(TRANSITIONS) == {None, *State}
    assert {kind for row in TRANSITIONS.values() for kind in row} == set(e.EVENTS.values())


def test_every_event_has_an_effect() -> None:
    assert set(EFFECTS) == set(e.EVENTS.values())


def test_every_state_can_be_reached_and_none_but_a_verified_one_is_a_dead_end_for_people() -> None:
    reached: set[State] = set()
    todo = list(TRANSITIONS[None].values())
    while todo:
        state = todo.pop()
        if state not in reached:
            reached.add(state)
            todo += TRANSITIONS[state].values()
    assert reached == set(State)


@pytest.mark.parametrize("state", sorted(IN_FLIGHT | {State.PLANNED}))
def test_whatever_is_in_flight_may_fail_be_lost_or_go_into_quarantine(state: State) -> None:
    assert {e.Failed, e.Lost, e.Quarantined} <= set(TRANSITIONS[state])


@pytest.mark.parametrize("state", sorted(SETTLED))
def test_nothing_that_an_engine_does_moves_a_settled_study(state: State) -> None:
    by_an_engine = {e.Staged, e.Retrieved, e.Checksummed, e.Normalized, e.UploadStarted, e.Uploaded, e.Verified}
    assert not by_an_engine & set(TRANSITIONS[state])


def test_an_illegal_event_shows_the_story_of_its_study(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append([MAKERS[e.Found](STUDY), MAKERS[e.Planned](STUDY)])
        with pytest.raises(IllegalEvent) as caught:
            journal.append([MAKERS[e.Verified](STUDY)])
    assert caught.value.exit_code == 32
    assert caught.value.facts["story"] == "Found > Planned"
    assert [event["kind"] for event in read.story(tmp_path, STUDY)] == ["Found", "Planned"]
