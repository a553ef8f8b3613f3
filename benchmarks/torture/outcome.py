"""What a harness found: points tried, and what was lost, doubled, different or left over."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.torture.endstate import Verdict

#: Counts (int) are added up over several times that a harness runs, of measures (float) the largest stays.
Fact = int | float | str


@dataclass
class Outcome:
    """One row of the table. `tried` counts faults that took effect; `adds_up` to those of earlier times."""

    harness: str
    about: str
    tried: int = 0
    migrations: int = 0
    lost: int = 0
    duplicated: int = 0
    differing: int = 0
    litter: int = 0
    manual: int = 0
    facts: dict[str, Fact] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    adds_up: bool = True
    began: float = field(default_factory=time.monotonic)

    @property
    def clean(self) -> bool:
        """Nothing was lost, doubled, different, left over or in need of a person."""
        return not (self.lost or self.duplicated or self.differing or self.litter or self.manual or self.notes)

    def add(self, where: str, verdict: Verdict) -> None:
        """One end, reached after the faults named in `where`."""
        self.migrations += 1
        self.lost += verdict.lost
        self.duplicated += verdict.duplicated
        self.differing += verdict.differing
        self.litter += verdict.litter
        self.manual += verdict.manual
        if not verdict.clean:
            self.note(f"{where}: {'; '.join(verdict.notes)}")

    def note(self, text: str) -> None:
        """Something to look at; it is told at once."""
        self.notes.append(text)
        sys.stderr.write(f"{self.harness}: {text}\n")

    def took_s(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a harness may take, and how many faults it tries at most.

    `keep` is told what was counted so far whenever a harness asks whether to go on.
    """

    most: int
    minutes: float = 60.0
    keep: Callable[[Outcome], None] = lambda _: None
    began: float = field(default_factory=time.monotonic)

    def spent(self, outcome: Outcome) -> bool:
        """Whether it is time to stop."""
        self.keep(outcome)
        return outcome.tried >= self.most or time.monotonic() - self.began > 60 * self.minutes
