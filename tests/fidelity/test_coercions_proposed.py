"""What a destination may be declared to coerce, learnt from what it did to the first studies."""

from __future__ import annotations

from migrate.journal import read
from tests.assess.kit import assessed
from tests.engine.inline import run_inline
from tests.engine.migration import Migrate
from tests.engine.objects import many

COERCES = {"store": {"coerce": {"InstitutionName": "DI-R", "StationName": "ROOM1"}}}
ONE_ATTEMPT = {"limits": {"attempts": 1}}


def test_before_anything_was_read_back_the_way_to_learn_it_is_said(migration: Migrate) -> None:
    one = migration(many(1), ONE_ATTEMPT)
    line = assessed(one.run.folder).line("destination coercions")
    assert (line.result, "migrate run --limit" in line.fact) == ("ok", True)


def test_what_came_back_otherwise_is_proposed_with_the_line_that_declares_it(migration: Migrate) -> None:
    one = migration(many(2), ONE_ATTEMPT, dir_=COERCES)
    assert run_inline(one.run, only=frozenset({one.objects[0].study_instance_uid})) is None
    found = assessed(one.run.folder)
    line = found.line("destination coercions")
    assert found.destination.proposed_coercions == ("00080080", "00081010")
    assert (line.result, "of 3 instances that were read back: 00080080 InstitutionName in 3" in line.fact) == (
        "warn",
        True,
    )
    declared = line.hint.partition("[destination]: ")[2].partition(";")[0]
    assert declared == 'coercions = ["00080080", "00081010"]'
    assert read.states(one.run.folder) == {"QUARANTINED": 1, "PLANNED": 1}
    assert "DI-R" not in line.fact + line.hint


def test_what_is_declared_is_proposed_no_more(migration: Migrate) -> None:
    declared = {"destination": {"coercions": ["00080080", "00081010"]}}
    one = migration(many(1), ONE_ATTEMPT, declared, dir_=COERCES)
    assert run_inline(one.run) is None
    found = assessed(one.run.folder)
    assert (found.line("destination coercions").result, found.destination.proposed_coercions) == ("ok", ())


def test_other_pixels_are_no_coercion(migration: Migrate) -> None:
    one = migration(many(1), ONE_ATTEMPT, dir_={"store": {"flip_bit_every": 1}})
    assert run_inline(one.run) is None
    assert {row["outcome"] for row in one.run.rows("verification")} == {"differs"}
    assert assessed(one.run.folder).destination.proposed_coercions == ()
