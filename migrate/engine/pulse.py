"""What a running engine is doing now, in one small file that others may read: `logs/now.json`.

Written every two seconds by a thread of its own, so that it goes stale when the process is gone and
keeps beating while a study takes long. It holds counts and times, no identity. While the calendar or the
throttle holds the run up, each beat also adds to `logs/blocked.json`.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from migrate.engine.hours import Hours
from migrate.engine.throttle import Throttle
from migrate.journal.blocked import Cause, add_blocked

FILE = Path("logs") / "now.json"
EVERY_S = 2.0
STALE_S = 15.0


class Pulse:
    """Writes what `beat` says until the end of the block; the file is gone afterwards.

    A file that cannot be written harms nobody: the run goes on.
    """

    def __init__(self, run_folder: Path, beat: Callable[[], dict[str, Any]], every_s: float = EVERY_S) -> None:
        self.path = run_folder / FILE
        self._run_folder, self._beat, self._every_s = run_folder, beat, every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="pulse", daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._write()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._ended.set()
        self._thread.join()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _go_on(self) -> None:
        looked_at = time.monotonic()
        while not self._ended.wait(self._every_s):
            before, looked_at = looked_at, time.monotonic()
            if cause := held_up(self._write()):
                add_blocked(self._run_folder, cause, looked_at - before)

    def _write(self) -> dict[str, Any]:
        temporary = self.path.with_name(f".{self.path.name}.tmp")
        told = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "pid": os.getpid(), **self._beat()}
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            temporary.write_text(json.dumps(told), encoding="utf-8")
            temporary.replace(self.path)
        return told


def held_up(told: Mapping[str, Any]) -> Cause | None:
    """What keeps a run from working at its full pace: closed hours, or a source that has become slow."""
    if not told["open"]:
        return "calendar"
    return "throttle" if told["throttle"]["allowed"] < told["throttle"]["most"] else None


def beat_of(busy: Mapping[str, Any], throttle: Throttle, hours: Hours) -> dict[str, Any]:
    """in_flight by stage, throttle, and the calendar, of an engine whose tables these are."""
    return {
        "in_flight": dict(Counter(one.stage for one in list(busy.values()))),
        "throttle": {
            "allowed": throttle.allowed,
            "most": throttle.most,
            "latency_s": throttle.latency_s,
            "baseline_s": throttle.baseline_s,
        },
        "open": hours.open_now(),
    }


def read_pulse(run_folder: Path) -> dict[str, Any] | None:
    """What the engine of a run folder said within the last 15 s; None when none is running."""
    try:
        told: dict[str, Any] = json.loads((run_folder / FILE).read_text(encoding="utf-8"))
        age_s = (datetime.now(UTC) - datetime.fromisoformat(told["at"])).total_seconds()
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return told if age_s < STALE_S else None
