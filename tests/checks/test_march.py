"""The walk over two sorted sides."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrate.checks.march import SIGNS, Tally, compare, march
from migrate.errors import LocalError
from migrate.model import Outcome

SIDES = st.dictionaries(st.text(alphabet="0123456789.", min_size=1, max_size=6), st.integers(0, 2))


def same(left: int, right: int) -> Outcome:
    if 2 in (left, right):
        return Outcome.UNVERIFIABLE
    return Outcome.MATCH if left == right else Outcome.DIFFERS


@given(SIDES, SIDES)
def test_every_item_of_both_sides_gets_exactly_one_outcome(source: dict[str, int], destination: dict[str, int]) -> None:
    tally, keys = Tally(), []
    for outcome, step in compare(march(sorted(source.items()), sorted(destination.items())), same):
        tally.add(outcome)
        keys.append(step.key)
    tally.check(len(source), len(destination))
    assert keys == sorted(source.keys() | destination.keys())
    assert (tally.source, tally.destination) == (len(source), len(destination))


@given(SIDES, SIDES)
def test_swapping_the_sides_swaps_missing_and_extra(source: dict[str, int], destination: dict[str, int]) -> None:
    mirror = {Outcome.MISSING: Outcome.EXTRA, Outcome.EXTRA: Outcome.MISSING}
    one = compare(march(sorted(source.items()), sorted(destination.items())), same)
    two = compare(march(sorted(destination.items()), sorted(source.items())), same)
    assert [(mirror.get(o, o), s.key) for o, s in one] == [(o, s.key) for o, s in two]


@pytest.mark.parametrize(
    ("source", "destination", "expected"),
    [
        pytest.param({}, {}, {}, id="both sides empty"),
        pytest.param({"1": 0}, {}, {"1": Outcome.MISSING}, id="only at the source"),
        pytest.param({}, {"1": 0}, {"1": Outcome.EXTRA}, id="only at the destination"),
        pytest.param({"1": 0}, {"1": 0}, {"1": Outcome.MATCH}, id="the same"),
        pytest.param({"1": 0}, {"1": 1}, {"1": Outcome.DIFFERS}, id="different"),
        pytest.param({"1": 0}, {"1": 2}, {"1": Outcome.UNVERIFIABLE}, id="could not be compared"),
    ],
)
def test_an_outcome_says_which_sides_hold_an_item(
    source: dict[str, int], destination: dict[str, int], expected: dict[str, Outcome]
) -> None:
    assert {
        step.key: outcome for outcome, step in compare(march(source.items(), destination.items()), same)
    } == expected


@pytest.mark.parametrize("keys", [["2", "1"], ["1", "1"]])
def test_a_side_that_is_not_sorted_stops_the_walk(keys: list[str]) -> None:
    with pytest.raises(LocalError, match="not sorted"):
        list(march([(key, 0) for key in keys], []))


def test_a_tally_that_lost_an_item_is_not_accepted() -> None:
    tally = Tally()
    tally.add(Outcome.MATCH)
    with pytest.raises(LocalError, match="does not account for every item"):
        tally.check(2, 1)


def test_every_outcome_has_its_own_sign() -> None:
    assert set(SIGNS) == set(Outcome)
    assert len(set(SIGNS.values())) == len(SIGNS)


def test_the_walk_holds_one_item_of_each_side() -> None:
    def side(step: int) -> Iterator[tuple[str, int]]:
        return (
            (f"{number:09}", number) for number in itertools.takewhile(lambda n: n < 20_000, itertools.count(0, step))
        )

    tracemalloc.start()
    for _step in march(side(1), side(3)):
        pass
    _now, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 50_000
