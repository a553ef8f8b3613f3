"""Which letters and prefixes the values of a text key have, as far as they have been seen."""

from __future__ import annotations

from collections import Counter

from migrate.stages.crawl.windows import LONGEST_VALUE

_DEEPEN_AT = 50
_SAMPLES = 8


class Prefixes:
    """Prefix counts that deepen only where there is something to count: bounded by what is common."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._letters: list[set[str]] = [set() for _ in range(LONGEST_VALUE)]
        self.lengths: Counter[int] = Counter()
        self.samples: list[str] = []
        self.empty = 0

    def observe(self, value: str, *, counted: bool) -> None:
        """One value that a study has; "" counts as empty. `counted`: the study was not seen before."""
        if not value:
            self.empty += 1
            return
        if len(self.samples) < _SAMPLES and len(value) > 1 and value.isalnum():
            self.samples.append(value)
        self.lengths[len(value)] += 1
        for place, letter in enumerate(value[:LONGEST_VALUE]):
            self._letters[place].add(letter)
        if counted:
            self._count(value)

    def _count(self, value: str) -> None:
        for length in range(1, min(len(value), LONGEST_VALUE) + 1):
            prefix = value[:length]
            self._counts[prefix] += 1
            if self._counts[prefix] < _DEEPEN_AT:
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
