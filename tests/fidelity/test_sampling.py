"""Acceptance sampling: exact, stratified, the same draw each time, and never more than it proves."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrate.checks.sampling import (
    Stratum,
    allocation,
    at_most,
    choose,
    counted,
    reached,
    sample_size,
    upper_bound,
)

A, B, C = Stratum(2020, "CT", "X", "1.2"), Stratum(2021, "MR", "X", "1.2"), Stratum(None, None, None, None)

#: defect rate, confidence, defects allowed -> studies (closed form for none; textbook tables for the rest).
SIZES = {
    "one in a thousand": (0.001, 0.95, 0, 2995),
    "one in ten thousand": (0.0001, 0.95, 0, 29956),
    "one per cent": (0.01, 0.95, 0, 299),
    "one per cent, one defect": (0.01, 0.95, 1, 473),
    "ten per cent, 99 %": (0.10, 0.99, 0, 44),
}


@pytest.mark.parametrize(("rate", "confidence", "defects", "size"), SIZES.values(), ids=SIZES)
def test_the_size_of_a_sample_is_the_exact_one(rate: float, confidence: float, defects: int, size: int) -> None:
    assert sample_size(rate, confidence, defects) == size


#: Clopper-Pearson, one-sided 95 %: defects, checked -> bound.
BOUNDS = {
    "0 of 500": (0, 500, 0.005974),
    "1 of 100": (1, 100, 0.046559),
    "5 of 50": (5, 50, 0.198833),
    "3 of 3": (3, 3, 1),
}


@pytest.mark.parametrize(("defects", "checked", "bound"), BOUNDS.values(), ids=BOUNDS)
def test_the_bound_is_that_of_clopper_and_pearson(defects: int, checked: int, bound: float) -> None:
    assert upper_bound(defects, checked, 0.95) == pytest.approx(bound, abs=2e-6)


def test_nothing_checked_proves_nothing() -> None:
    assert upper_bound(0, 0, 0.95) == 1


@given(st.integers(0, 12), st.integers(1, 12), st.integers(1, 99))
def test_the_binomial_tail_agrees_with_fractions(defects: int, checked: int, percent: int) -> None:
    rate = Fraction(percent, 100)
    exact = sum(math.comb(checked, k) * rate**k * (1 - rate) ** (checked - k) for k in range(min(defects, checked) + 1))
    assert at_most(defects, checked, percent / 100) == pytest.approx(float(exact), abs=1e-12)


@given(st.floats(0.0005, 0.2), st.sampled_from([0.9, 0.95, 0.99]), st.integers(0, 4))
def test_a_sample_of_the_right_size_reaches_the_rate_and_one_less_does_not(
    rate: float, confidence: float, defects: int
) -> None:
    size = sample_size(rate, confidence, defects)
    assert upper_bound(defects, size, confidence) <= rate + 1e-9
    assert upper_bound(defects, size - 1, confidence) >= rate - 1e-9


STRATA = st.dictionaries(st.sampled_from([A, B, C]), st.integers(1, 500), min_size=1)


@given(STRATA, st.integers(1, 600))
def test_every_stratum_is_in_the_sample_and_none_gives_more_than_it_has(strata: dict[Stratum, int], size: int) -> None:
    taken = allocation(strata, size)
    assert taken.keys() == strata.keys()
    assert all(1 <= taken[one] <= count for one, count in strata.items())
    assert sum(taken.values()) >= min(size, sum(strata.values()))
    assert sum(taken.values()) <= max(size, 0) + len(strata) or size >= sum(strata.values())


@given(st.integers(0, 40), st.integers(0, 40))
def test_the_draw_is_the_same_again_and_grows_without_dropping_anybody(few: int, more: int) -> None:
    studies = [(f"1.2.{number}", A if number % 3 else B) for number in range(60)]
    small, large = sorted((few, more))
    first = choose(studies, {A: small, B: 5}, "run")
    assert first == choose(reversed(studies), {A: small, B: 5}, "run")
    assert set(first) <= set(choose(studies, {A: large, B: 5}, "run"))
    assert counted((uid, dict(studies)[uid]) for uid in first) == {A: min(small, 40), B: 5} or small == 0


def test_another_run_draws_others() -> None:
    studies = [(f"1.2.{number}", A) for number in range(500)]
    assert choose(studies, {A: 20}, "one") != choose(studies, {A: 20}, "two")


def test_where_all_were_compared_nothing_is_left_to_chance() -> None:
    found = reached(50, 50, 1, 0.95)
    assert (found.whole, found.bound) == (True, 0.02)
    assert reached(500, 50, 0, 0.95).bound == pytest.approx(0.0581, abs=1e-4)
