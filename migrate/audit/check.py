"""Is the audit trail whole: every number once and in order, every line linked to the one before."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from migrate.audit.trail import FOLDER, End, chained, files, lines, remembered

MOST_PROBLEMS = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """How many messages there are, the last number, and what is wrong (at most 100)."""

    messages: int
    last: int
    problems: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Nothing is missing or altered."""
        return not self.problems


@dataclass
class _Walk:
    messages: int = 0
    end: End = field(default_factory=End)


def check(run_folder: Path) -> Report:
    """Walk over all files of the trail. Raises OSError when one cannot be read."""
    walk = _Walk()
    problems = tuple(itertools.islice(_problems(run_folder / FOLDER, walk), MOST_PROBLEMS))
    return Report(messages=walk.messages, last=walk.end.seq, problems=problems)


def _problems(folder: Path, walk: _Walk) -> Iterator[str]:
    for path in files(folder):
        for number, (_, entry) in enumerate(lines(path), 1):
            where = f"{path.name} line {number}"
            if entry is None:
                yield f"{where} is no message"
                continue
            if told := _unlike(entry, walk.end):
                yield f"{where}: {told}"
            walk.end = End(entry["seq"] if isinstance(entry["seq"], int) else walk.end.seq + 1, entry["chain"])
            walk.messages += 1
    if remembered(folder) > walk.end.seq:
        yield f"messages {walk.end.seq + 1} to {remembered(folder)} are missing at the end"


def _unlike(entry: dict[str, Any], end: End) -> str:
    """What is wrong with one entry behind `end`; "" when it follows."""
    seq = entry["seq"]
    if not isinstance(seq, int):
        return "its number is none"
    if seq > end.seq + 1:
        return f"messages {end.seq + 1} to {seq - 1} are missing"
    if seq < end.seq + 1:
        return f"message {seq} comes after message {end.seq}"
    if chained(end, str(entry["at"]), str(entry["message"])).chain != entry["chain"]:
        return f"message {seq} is not what was written"
    return ""
