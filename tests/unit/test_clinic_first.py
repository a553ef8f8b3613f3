"""The clinic comes first: bandwidth and latency bound what is asked of the source."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from migrate.engine.throttle import Throttle
from migrate.errors import PeerUnavailable
from migrate.staging.pace import Pace


def throttle(most: int = 8, factor: float = 3.0) -> Throttle:
    """One that nobody probes."""
    return Throttle(lambda: None, most, factor)


@given(latencies=st.lists(st.floats(0.0001, 60)), most=st.integers(1, 64))
def test_at_least_one_and_at_most_the_configured_number_of_retrieves_are_allowed(
    latencies: list[float], most: int
) -> None:
    one = throttle(most)
    for latency_s in latencies:
        one.saw(latency_s)
        assert 1 <= one.allowed <= most


def test_a_source_that_becomes_slow_is_asked_half_as_much_each_time() -> None:
    one = throttle()
    for _ in range(5):
        one.saw(0.1)
    seen = []
    for _ in range(6):
        one.saw(1.0)
        seen.append(one.allowed)
    assert seen == [8, 8, 4, 2, 1, 1]


def test_a_source_that_recovers_is_asked_one_more_each_time() -> None:
    one = throttle(most=4)
    for latency_s in [0.1] * 5 + [1.0] * 6:
        one.saw(latency_s)
    assert one.allowed == 1
    seen = []
    for _ in range(6):
        one.saw(0.1)
        seen.append(one.allowed)
    assert seen[-1] == 4
    assert seen == sorted(seen)


def test_noise_on_a_quick_source_changes_nothing() -> None:
    one = throttle()
    for latency_s in [0.001] * 5 + [0.01] * 5:
        one.saw(latency_s)
    assert one.allowed == 8


def test_a_probe_that_fails_is_no_latency() -> None:
    def broken() -> None:
        raise PeerUnavailable("gone")

    with Throttle(broken, 4, 3.0) as one:
        assert one.allowed == 4
        assert one.latency_s is None


def test_bytes_come_no_quicker_than_allowed() -> None:
    pace = Pace(1_000_000)
    began = time.monotonic()
    for _ in range(10):
        pace.take(100_000)
    # One megabyte at a megabyte a second, less the burst that a quiet connection may make.
    assert time.monotonic() - began >= 0.7


def test_without_a_limit_nothing_waits() -> None:
    pace = Pace()
    for _ in range(10_000):
        pace.take(1_000_000)
    assert pace.bytes_per_s == 0
