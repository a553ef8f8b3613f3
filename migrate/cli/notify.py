"""`run --notify COMMAND`: a command of the operator's own, started when something needs a person.

It is started without a shell, gets one JSON object on stdin and its kind in MIGRATE_EVENT: `finish`,
`quarantine` (a tenth of the last studies), `stall` (nothing happened for ten minutes of open hours).
Whatever it does, the run goes on.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from migrate.errors import UsageError

log = logging.getLogger("migrate.cli")

LAST_STUDIES = 100
FEWEST_STUDIES = 20
QUARANTINE_RATE = 0.1
COMMAND_TIMEOUT_S = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarm:
    """When to call: after so many seconds without an event, looked at so often, while `is_open` says so."""

    stall_s: float = 600.0
    every_s: float = 5.0
    is_open: Callable[[], bool] = lambda: True


class Notifier:
    """Watches the events of a run and starts the command.

    Raises:
        UsageError: The command cannot be read.
    """

    def __init__(self, command: str, run: str, alarm: Alarm) -> None:
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"--notify cannot be read: {error}", "quote it as a shell would") from None
        self._run, self._alarm = run, alarm
        self._last = time.monotonic()
        self._ends: deque[bool] = deque(maxlen=LAST_STUDIES)
        self._told_rate = self._told_stall = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="notify", daemon=True)

    def __enter__(self) -> Self:
        """Begin to look for a stall."""
        if self._words:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def saw(self, kind: str) -> None:
        """One event of the engine, by its kind."""
        self._last, self._told_stall = time.monotonic(), False
        if kind not in {"Verified", "Quarantined"}:
            return
        self._ends.append(kind == "Quarantined")
        rate = sum(self._ends) / len(self._ends)
        if len(self._ends) >= FEWEST_STUDIES and rate >= QUARANTINE_RATE and not self._told_rate:
            self._told_rate = True
            threading.Thread(target=self._tell, args=("quarantine", {"rate": round(rate, 3)}), daemon=True).start()
        elif rate < QUARANTINE_RATE / 2:
            self._told_rate = False

    def finish(self, facts: dict[str, Any]) -> None:
        """The run has ended; waits for the command."""
        self._tell("finish", facts)

    def _watch(self) -> None:
        while not self._ended.wait(self._alarm.every_s):
            quiet_s = time.monotonic() - self._last
            if not self._alarm.is_open():
                self._last = time.monotonic()
            elif quiet_s > self._alarm.stall_s and not self._told_stall:
                self._told_stall = True
                self._tell("stall", {"quiet_s": round(quiet_s)})

    def _tell(self, kind: str, facts: dict[str, Any]) -> None:
        if not self._words:
            return
        told = json.dumps({"event": kind, "run": self._run, **facts})
        try:
            subprocess.run(  # noqa: S603 - the operator's own command, from the operator's own command line
                self._words,
                input=told.encode(),
                env={**os.environ, "MIGRATE_EVENT": kind},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=COMMAND_TIMEOUT_S,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            log.warning("the command of --notify failed (%s): %s", kind, type(error).__name__)
