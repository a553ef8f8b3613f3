"""Where something stands in a TOML file: the standard reader gives values, not lines."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RULE = re.compile(r"\s*\[\[\s*rule\s*\]\]")


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of one file, and where the tables of its rules begin (1-based line numbers)."""

    lines: tuple[str, ...]
    starts: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> Lines:
        """Split a TOML text."""
        lines = tuple(text.splitlines())
        return cls(lines, tuple(number for number, line in enumerate(lines, 1) if _RULE.match(line)))

    def of_key(self, *words: str) -> int:
        """The first line outside the rules that names one of the words; 1 when none does."""
        last = self.starts[0] - 1 if self.starts else len(self.lines)
        return self._first(1, last, words) or 1

    def of_rule(self, index: int, *words: str) -> int:
        """The first line of the index-th `[[rule]]` that names one of the words, else its first line."""
        if index >= len(self.starts):
            return 1
        start = self.starts[index]
        last = self.starts[index + 1] - 1 if index + 1 < len(self.starts) else len(self.lines)
        return self._first(start, last, words) or start

    def _first(self, start: int, last: int, words: tuple[str, ...]) -> int | None:
        for word in filter(None, words):
            pattern = re.compile(rf"(?<![A-Za-z0-9_]){re.escape(word)}(?![A-Za-z0-9_])")
            for number in range(start, last + 1):
                if pattern.search(self.lines[number - 1].split("#", 1)[0]):
                    return number
        return None
