"""One walk over two sorted sides: what is on both, only on one, different, or could not be compared.

The walk holds one item of each side, so any number of items costs the same memory. Every item of
either side gets exactly one outcome, and `Tally.check` says so. The signs are those of
`rclone check`: `=` match, `+` only at the source, `-` only at the destination, `*` differs,
`!` could not be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from migrate.errors import LocalError
from migrate.model import Outcome

SIGNS: dict[Outcome, str] = {
    Outcome.MATCH: "=",
    Outcome.MISSING: "+",
    Outcome.EXTRA: "-",
    Outcome.DIFFERS: "*",
    Outcome.UNVERIFIABLE: "!",
}

Left = TypeVar("Left")
Right = TypeVar("Right")
Value = TypeVar("Value")

PAIRED = (Outcome.MATCH, Outcome.DIFFERS, Outcome.UNVERIFIABLE)


@dataclass(frozen=True, slots=True)
class Step(Generic[Left, Right]):
    """One key of the walk; a side that does not have it is None (so no value may be None)."""

    key: str
    source: Left | None
    destination: Right | None


@dataclass(slots=True)
class Tally:
    """How many items had which outcome, and how many items each side had."""

    source: int = 0
    destination: int = 0
    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))

    def add(self, outcome: Outcome, times: int = 1) -> None:
        """Count one outcome; which sides had the item follows from it."""
        self.outcomes[outcome] += times
        self.source += 0 if outcome is Outcome.EXTRA else times
        self.destination += 0 if outcome is Outcome.MISSING else times

    def check(self, source: int, destination: int) -> None:
        """Assert that the outcomes account for every item of both sides.

        Args:
            source: Items that the source side is known to have.
            destination: Items that the destination side is known to have.

        Raises:
            LocalError: They do not add up; nothing derived from this walk may be used.
        """
        paired = sum(self.outcomes[outcome] for outcome in PAIRED)
        if (paired + self.outcomes[Outcome.MISSING], paired + self.outcomes[Outcome.EXTRA]) != (source, destination):
            raise LocalError(
                "the comparison does not account for every item",
                "run the command again; if it stays, report it as a bug",
                source=source,
                destination=destination,
                **{outcome.value: count for outcome, count in self.outcomes.items()},
            )


def march(source: Iterable[tuple[str, Left]], destination: Iterable[tuple[str, Right]]) -> Iterator[Step[Left, Right]]:
    """Walk both sides once, in key order.

    Args:
        source: (key, value) with strictly rising keys.
        destination: (key, value) with strictly rising keys.

    Yields:
        One step for each key that either side has, in order.

    Raises:
        LocalError: A side is not sorted, or has a key twice.
    """
    left_items, right_items = _rising(source, "source"), _rising(destination, "destination")
    left, right = next(left_items, None), next(right_items, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left[0] < right[0]):
            assert left is not None
            yield Step(left[0], left[1], None)
            left = next(left_items, None)
        elif left is None or right[0] < left[0]:
            yield Step(right[0], None, right[1])
            right = next(right_items, None)
        else:
            yield Step(left[0], left[1], right[1])
            left, right = next(left_items, None), next(right_items, None)


def compare(
    steps: Iterable[Step[Left, Right]], judge: Callable[[Left, Right], Outcome]
) -> Iterator[tuple[Outcome, Step[Left, Right]]]:
    """Give each step its outcome; `judge` is asked only about what both sides have.

    Args:
        steps: What `march` yields.
        judge: Says match, differs or unverifiable for the values of both sides.

    Yields:
        The outcome and the step.
    """
    for step in steps:
        if step.destination is None:
            yield Outcome.MISSING, step
        elif step.source is None:
            yield Outcome.EXTRA, step
        else:
            yield judge(step.source, step.destination), step


def _rising(items: Iterable[tuple[str, Value]], side: str) -> Iterator[tuple[str, Value]]:
    before: str | None = None
    for key, value in items:
        if before is not None and key <= before:
            raise LocalError("a side of the comparison is not sorted", side=side, key=key, before=before)
        before = key
        yield key, value
