"""How a bench is run: where, how large, how often, and whether a missed row is explained."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.profiles import hot_functions
from benchmarks.rows import Row


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What the command line asked for.

    Args:
        folder: Scratch space; everything in it may be deleted.
        scale: Factor on every amount.
        most_rounds: Upper bound on the rounds of a row.
        profiles: Explain what is missed with a profile.
        python: The interpreter of an installation of `migrate`, for rows about whole runs.
    """

    folder: Path
    python: str = sys.executable
    scale: float = 1.0
    most_rounds: int = 9
    profiles: bool = True

    def count(self, full: int, least: int = 1) -> int:
        """An amount at this scale."""
        return max(least, round(full * self.scale))

    def rounds(self, full: int) -> int:
        """How many rounds a row gets."""
        return min(full, self.most_rounds)

    def clear(self) -> None:
        """Delete everything in the scratch folder."""
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)

    def explained(self, row: Row, pid: int, again: Callable[[], object]) -> Row:
        """A missed row with the functions in which `again` spends the time of the process `pid`."""
        if row.met or not self.profiles:
            return row
        return replace(row, profile=hot_functions(pid, again))


def timed(what: Callable[[], object]) -> float:
    """Wall seconds."""
    began = time.monotonic()
    what()
    return time.monotonic() - began
