"""The clock is set while a migration is on: no study waits for a time that will not come."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from migrate.engine.retry import LONGEST_WAIT_S
from migrate.journal.events import Failed
from migrate.journal.states import State
from migrate.journal.store import Journal
from tests.engine.events import STUDY, straight

NOW_S = 1_800_000_000.0
HOUR_S, YEAR_S = 3_600.0, 365 * 86_400.0


def failed(folder: Path, retry_at: float) -> Journal:
    """A journal with one planned study that is to be tried again at `retry_at`."""
    journal = Journal(folder)
    journal.append(straight(STUDY)[:2])
    journal.append([Failed(study_instance_uid=STUDY, stage="retrieve", reason="no answer", retry_at=retry_at)])
    return journal


@pytest.mark.parametrize("jump_s", [-2 * HOUR_S, -YEAR_S], ids=["two hours back", "a year back"])
def test_a_study_dated_before_the_clock_was_set_back_is_tried_at_once(tmp_path: Path, jump_s: float) -> None:
    with failed(tmp_path, NOW_S + LONGEST_WAIT_S) as journal:
        assert [one.study_instance_uid for one in journal.ready(State.PLANNED, NOW_S + jump_s, 10)] == [STUDY]
        assert journal.ready_of([STUDY], State.PLANNED, NOW_S + jump_s)


@pytest.mark.parametrize("jump_s", [2 * HOUR_S, YEAR_S], ids=["two hours on", "a year on"])
def test_a_clock_that_is_set_forward_only_ends_the_wait(tmp_path: Path, jump_s: float) -> None:
    with failed(tmp_path, NOW_S + LONGEST_WAIT_S) as journal:
        assert journal.ready(State.PLANNED, NOW_S + jump_s, 10)


@pytest.mark.parametrize("left_s", [0.1, LONGEST_WAIT_S])
def test_a_wait_of_the_usual_length_is_kept(tmp_path: Path, left_s: float) -> None:
    with failed(tmp_path, NOW_S + left_s) as journal:
        assert journal.ready(State.PLANNED, NOW_S, 10) == []
        assert journal.ready_of([STUDY], State.PLANNED, math.inf)
