"""Progress for people: tqdm on stderr, and a line a minute when nobody watches a terminal."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

LINE_EVERY_S = 30.0


class Bars:
    """Named bars, one below the other; plain lines when stderr is no terminal; nothing when quiet."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self.live = not quiet and sys.stderr.isatty()
        self._bars: dict[str, Any] = {}
        self._counts: dict[str, int] = {}
        self._totals: dict[str, int | None] = {}
        self._told_at = time.monotonic()
        self._logs = ExitStack()

    def __enter__(self) -> Self:
        """The bars themselves; log lines go above them instead of through them."""
        if self.live:
            from tqdm.contrib.logging import logging_redirect_tqdm

            self._logs.enter_context(logging_redirect_tqdm())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leave the last state standing."""
        self._logs.close()
        for bar in self._bars.values():
            bar.close()
        if not self.live and self._counts:
            self._tell()

    def add(self, name: str, total: int | None, unit: str = "study", done: int = 0) -> None:
        """A new bar."""
        self._counts[name], self._totals[name] = done, total
        if self.live:
            from tqdm import tqdm

            self._bars[name] = tqdm(
                desc=name,
                total=total,
                initial=done,
                unit=f" {unit}",
                position=len(self._bars),
                dynamic_ncols=True,
                mininterval=0.3,
                leave=True,
            )

    def step(self, name: str, by: int = 1, note: str = "") -> None:
        """Something got done."""
        self._counts[name] += by
        if self.live:
            if note:
                self._bars[name].set_postfix_str(note, refresh=False)
            self._bars[name].update(by)
        elif time.monotonic() - self._told_at > LINE_EVERY_S:
            self._tell()

    def _tell(self) -> None:
        self._told_at = time.monotonic()
        if not self.quiet:
            parts = (f"{n} {c:,}" + (f" of {t:,}" if (t := self._totals[n]) else "") for n, c in self._counts.items())
            sys.stderr.write("; ".join(parts) + "\n")
