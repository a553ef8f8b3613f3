"""What was worked out a moment ago is found again, within a bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from migrate.staging.recent import Recent


def test_an_entry_is_found_by_its_key_alone() -> None:
    recent = Recent(len, 100)
    recent.put(("digest", "study"), b"new")
    assert recent.take(("digest", "other study")) is None
    assert recent.take(("digest", "study")) == b"new"


def test_what_was_taken_fills_no_memory() -> None:
    recent = Recent(len, 10)
    recent.put("a", b"12345")
    assert recent.take("a") is not None
    assert recent.take("a") is None
    recent.put("b", b"1234567890")
    assert recent.take("b") == b"1234567890"


def test_the_oldest_makes_room() -> None:
    recent = Recent(len, 12)
    for key in "abc":
        recent.put(key, b"12345")
    assert [recent.take(key) is None for key in "abc"] == [True, False, False]


def test_one_that_is_too_large_on_its_own_is_not_kept() -> None:
    recent = Recent(len, 100)
    recent.put("a", bytes(200))
    assert recent.take("a") is None


@given(st.lists(st.tuples(st.integers(0, 5), st.binary(max_size=40)), max_size=30), st.integers(0, 100))
def test_what_is_found_is_what_was_put_last_and_the_bound_holds(puts: list[tuple[int, bytes]], most_bytes: int) -> None:
    recent = Recent[bytes](len, most_bytes)
    last: dict[int, bytes] = {}
    for key, value in puts:
        recent.put(key, value)
        last[key] = value
    kept = {key: found for key in last if (found := recent.take(key)) is not None}
    assert all(found == last[key] for key, found in kept.items())
    assert sum(map(len, kept.values())) <= most_bytes
