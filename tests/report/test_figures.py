"""How numbers are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrate.report import figures, plots


@pytest.mark.parametrize(
    ("value", "language", "expected"),
    [
        (0, "en", "0\u00a0B"),
        (999, "en", "999\u00a0B"),
        (1000, "en", "1.00\u00a0kB"),
        (30_000_000_000_000, "fr", "30,00\u00a0To"),
        (None, "en", "\u2013"),
    ],
)
def test_bytes_are_written_in_the_unit_that_fits(value: int | None, language: str, expected: str) -> None:
    assert figures.size(value, language) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0%"), (1, "100%"), (0.5, "50%"), (0.999999, "99.99%"), (0.0000001, "0.01%"), (0.1234, "12.34%")],
)
def test_a_share_is_100_percent_only_when_it_is_all(value: float, expected: str) -> None:
    assert figures.share(value, "en") == expected


@given(st.integers(0, 10**15))
def test_groups_of_three_lose_no_digit(value: int) -> None:
    for language, mark in (("en", ","), ("fr", "\u202f")):
        assert figures.count(value, language).replace(mark, "") == str(value)


@given(st.integers(0, 10**12))
def test_an_axis_ends_at_a_round_number_not_far_above_the_highest_value(value: int) -> None:
    top = plots.ceiling(value)
    assert max(value, 1) <= top <= max(2 * value, 1)
    assert len(str(top).rstrip("0")) == 1


def test_a_part_too_small_to_draw_is_drawn_all_the_same() -> None:
    drawn = plots.split_bar([("migrated", 1_000_000), ("failed", 1)], 1_000_001, "books")
    assert 'class="failed"' in drawn
    assert 'width="0.40"' in drawn


def test_text_in_a_picture_is_escaped() -> None:
    axes = plots.Axes(title="<b>", labels=["<i>"])
    drawn = plots.columns(axes, [("<script>", [1])])
    assert "<b>" not in drawn
    assert "<i>" not in drawn
    assert "<script>" not in drawn
