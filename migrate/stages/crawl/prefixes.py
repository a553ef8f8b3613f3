"""Which letters and prefixes the values of a text key have, as far as they have been seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from migrate.stages.crawl.windows import LONGEST_VALUE

#: Prefixes that more values have than this are counted by one letter more.
DEEPEN_AT = 50
_SAMPLES = 8
_LOT = 1_000


class Prefixes:
    """Prefix counts that deepen only where there is something to count: bounded by what is common."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._letters: list[set[str]] = [set() for _ in range(LONGEST_VALUE)]
        self.lengths: Counter[int] = Counter()
        self.samples: list[str] = []
        self.empty = 0
        self.deepen_at = DEEPEN_AT

    def observe(self, values: Sequence[str], *, counted: bool) -> None:
        """Values that studies have; "" counts as empty. `counted`: the studies were not seen before."""
        held = [value for value in values if value]
        self.empty += len(values) - len(held)
        for start in range(0, len(held), _LOT):
            self._observe_letters(held[start : start + _LOT])
        if counted:
            for value in held:
                self._count(value)

    def _observe_letters(self, values: list[str]) -> None:
        lengths: dict[int, list[str]] = {}
        for value in values:
            lengths.setdefault(len(value), []).append(value)
        for length, alike in lengths.items():
            self.lengths[length] += len(alike)
            for letters, seen in zip(self._letters, zip(*alike, strict=True), strict=False):
                letters.update(seen)
        wanted = _SAMPLES - len(self.samples)
        if wanted:
            self.samples += [value for value in values if len(value) > 1 and value.isalnum()][:wanted]

    def _count(self, value: str) -> None:
        counts = self._counts
        for length in range(1, min(len(value), LONGEST_VALUE) + 1):
            prefix = value[:length]
            counts[prefix] = count = counts.get(prefix, 0) + 1
            if count < self.deepen_at:
                break

    def letters_at(self, place: int) -> set[str]:
        """Letters seen at a place (from 0)."""
        return self._letters[place] if place < LONGEST_VALUE else set()

    def expected(self, prefix: str) -> int:
        """At least so many seen values start so; 0 when it was never counted."""
        return self._counts.get(prefix, 0)

    def crowded(self, length: int, cap: int) -> int:
        """How many prefixes of this length have been seen more than `cap` times."""
        if length == 0:
            return 1
        return sum(1 for prefix, count in self._counts.items() if len(prefix) == length and count >= cap)
