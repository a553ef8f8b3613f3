"""What happens to each input: how it ended, how long it took, what was never to happen."""

from __future__ import annotations

import random
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

LONGEST_CPU_S = 1.0  # issue: no hang over 1 s
LONGEST_WALL_S = 30.0  # a wait for something that never comes; the machine may be busy
KEPT = 20


class HangError(BaseException):
    """An input took too long. Not an `Exception`: code that survives anything must not survive this."""


@dataclass(kw_only=True)
class Tally:
    """What some inputs led to.

    Attributes:
        ends: How they ended, and how often.
        bytes_fed: Size of all inputs.
        slowest: Processor seconds and number of the slowest one.
        failures: What must not happen, with the input's number: the first ones.
    """

    inputs: int = 0
    bytes_fed: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, int] = (0.0, -1)
    failures: list[str] = field(default_factory=list)
    failed: int = 0

    def add(self, other: Tally) -> None:
        """Count what another tally counted."""
        self.inputs += other.inputs
        self.bytes_fed += other.bytes_fed
        self.ends += other.ends
        self.slowest = max(self.slowest, other.slowest)
        self.failed += other.failed
        self.failures = (self.failures + other.failures)[:KEPT]


Drive = Callable[[random.Random], tuple[str, int]]


def watched(drive: Drive, seed: int, numbers: range) -> Tally:
    """Drive the inputs of these numbers, each of which depends on seed and number alone.

    Args:
        drive: Makes one input from its source of chance and feeds it; returns how it ended and its size.
        seed: Of the whole series.
        numbers: Which inputs.
    """
    tally = Tally()
    with _alarms():
        for number in numbers:
            _one(drive, random.Random(seed << 40 | number), number, tally)  # noqa: S311 - repeatable, not secret
    return tally


def _one(drive: Drive, chance: random.Random, number: int, tally: Tally) -> None:
    signal.setitimer(signal.ITIMER_PROF, LONGEST_CPU_S)
    signal.setitimer(signal.ITIMER_REAL, LONGEST_WALL_S)
    began = time.thread_time()
    try:
        end, size = drive(chance)
        tally.ends[end] += 1
        tally.bytes_fed += size
    except (Exception, HangError) as error:  # noqa: BLE001 - whatever it is, it must not happen: that is the point
        tally.failed += 1
        if len(tally.failures) < KEPT:
            tally.failures.append(f"input {number}: {type(error).__name__} at {_place(error)}")
    tally.slowest = max(tally.slowest, (time.thread_time() - began, number))
    tally.inputs += 1


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in reversed(frames[-4:]))


@contextmanager
def _alarms() -> Iterator[None]:
    def expired(*_: object) -> None:
        raise HangError

    for kind in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(kind, expired)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
