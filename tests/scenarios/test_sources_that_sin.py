"""What the source does wrong is met with patience, then with an exception class; the rest moves all the same."""

from __future__ import annotations

import pytest

from migrate.journal import read
from tests.engine.inline import run_inline
from tests.engine.migration import Migrate, Orders
from tests.engine.objects import UID_ROOT, StudyRecipe, many

PASSING = {
    "instances lost the first time": {"move": {"lose_every": 2, "lose_only_first_time": True}},
    "instances lost the first time, said so": {
        "move": {"lose_every": 2, "lose_only_first_time": True, "fail_silently": False}
    },
    "sent after the move said success": {"move": {"late_sending_s": 0.15}},
    "objects nobody asked for": {"move": {"unasked_objects": 2}},
    "no pending responses": {"move": {"no_pending": True}},
    "first association rejected": {"association": {"reject_first_n": 2}},
}


@pytest.mark.parametrize("orders", PASSING.values(), ids=PASSING)
def test_a_sin_that_passes_costs_patience_and_nothing_else(migration: Migrate, orders: Orders) -> None:
    one = migration(many(3), legacy=orders)
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": 3}
    assert one.held() == one.expected()
    assert one.sent() == one.once()
    assert one.run.staged_files() == []


def test_truncated_objects_are_corrupt_kept_for_a_person_and_not_sent(migration: Migrate) -> None:
    one = migration(many(2), {"limits": {"attempts": 2}}, legacy={"move": {"truncate_every": 3}})
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"QUARANTINED": 2}
    assert {row["exception_class"] for row in read.exceptions(one.run.folder)} == {"CORRUPT"}
    assert len(one.held()) == 4
    assert set(one.held().items()) < set(one.expected().items())
    assert {path.parent.name for path in one.run.staged_files()} == {"quarantine"}


def test_a_study_of_which_nothing_comes_is_missing_at_the_source(migration: Migrate) -> None:
    nothing_sent = {"move": {"success_nothing_sent_for": (f"{UID_ROOT}.1",)}}
    one = migration(many(2), {"limits": {"attempts": 2}}, legacy=nothing_sent)
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": 1, "QUARANTINED": 1}
    assert {row["exception_class"] for row in read.exceptions(one.run.folder)} == {"MISSING_AT_SOURCE"}
    assert len(one.held()) == 3


def test_objects_that_nobody_asked_for_are_refused_and_not_kept(migration: Migrate) -> None:
    one = migration([StudyRecipe(number=1), StudyRecipe(number=2)], legacy={"move": {"unasked_objects": 2}})
    assert run_inline(one.run, only=frozenset({f"{UID_ROOT}.1"})) is None
    assert {row["study_instance_uid"] for row in one.run.rows("evidence")} == {f"{UID_ROOT}.1"}
    assert set(one.held()) == {uid for uid in one.expected() if uid.startswith(f"{UID_ROOT}.1.")}
    assert one.run.staged_files() == []


def test_a_flipped_bit_on_the_way_in_is_content_like_any_other_and_comes_out_as_it_came_in(migration: Migrate) -> None:
    one = migration(many(1), legacy={"move": {"flip_bit_every": 2}})
    assert run_inline(one.run) is None
    differing = [uid for uid, content in one.held().items() if content != one.expected()[uid]]
    assert len(differing) == 1
