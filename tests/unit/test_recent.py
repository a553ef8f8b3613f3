"""What was worked out a moment ago is found again, within a bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from migrate.stages.recent import ENTRY_BYTES, Recent

KEYS = st.integers(0, 5)
SEGMENTS = st.lists(st.one_of(st.binary(max_size=40), st.tuples(st.integers(0), st.integers(0)))).map(tuple)


def test_an_entry_is_found_by_its_key_alone() -> None:
    recent = Recent()
    recent.put(("digest", "study"), (b"new", (0, 10)))
    assert recent.take(("digest", "other study")) is None
    assert recent.take(("digest", "study")) == (b"new", (0, 10))


def test_what_was_taken_fills_no_memory() -> None:
    recent = Recent(most_bytes=ENTRY_BYTES + 10)
    recent.put("a", (b"12345",))
    assert recent.take("a") is not None
    assert recent.take("a") is None
    recent.put("b", (b"1234567890",))
    assert recent.take("b") == (b"1234567890",)


def test_the_oldest_makes_room() -> None:
    recent = Recent(most_bytes=2 * ENTRY_BYTES + 10)
    for key in "abc":
        recent.put(key, (b"12345",))
    assert [recent.take(key) is None for key in "abc"] == [True, False, False]


def test_one_that_is_too_large_on_its_own_is_not_kept() -> None:
    recent = Recent(most_bytes=100)
    recent.put("a", (bytes(200),))
    assert recent.take("a") is None


@given(st.lists(st.tuples(KEYS, SEGMENTS), max_size=30), st.integers(0, 4 * ENTRY_BYTES))
def test_what_is_found_is_what_was_put_last_and_the_bound_holds(
    puts: list[tuple[int, tuple[bytes | tuple[int, int], ...]]], most_bytes: int
) -> None:
    recent = Recent(most_bytes)
    last: dict[int, tuple[bytes | tuple[int, int], ...]] = {}
    for key, segments in puts:
        recent.put(key, segments)
        last[key] = segments
    kept = {key: found for key in last if (found := recent.take(key)) is not None}
    assert all(found == last[key] for key, found in kept.items())
    sizes = [ENTRY_BYTES + sum(len(one) for one in found if isinstance(one, bytes)) for found in kept.values()]
    assert sum(sizes) <= most_bytes
