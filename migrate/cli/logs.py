"""Log lines as JSON, and the file of a run: `logs/run-<time>.jsonl`. UIDs and counts, no identity."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

LOGGER = "migrate"
SECRET = ("before", "after")  # values of attributes never leave the journal


class JsonLines(logging.Formatter):
    """One record as one object: at, level, logger, message, and what the record carries in `facts`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told = {"at": at, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        told.update(getattr(record, "facts", {}))
        if record.exc_info and record.exc_info[0]:
            told["error"] = record.exc_info[0].__name__  # its text may hold what an object said
        return json.dumps(told, ensure_ascii=False)


class RunLog:
    """The log file of one run: every event, and every warning of the program.

    Without a place to write the run goes on without it.
    """

    def __init__(self, run_folder: Path) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        self.path = run_folder / "logs" / f"run-{stamp}.jsonl"
        self._handler: logging.Handler | None = None

    def __enter__(self) -> Self:
        """Open the file."""
        try:
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            self._handler = logging.FileHandler(self.path, encoding="utf-8")
        except OSError as error:
            logging.getLogger(LOGGER).warning("no log file: %s", error.strerror)
            return self
        self._handler.setFormatter(JsonLines())
        logging.getLogger(LOGGER).addHandler(self._handler)
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        if self._handler:
            logging.getLogger(LOGGER).removeHandler(self._handler)
            self._handler.close()

    def event(self, progress: Any) -> None:
        """One event of the engine: which stage of which study, how many instances, which classes."""
        from migrate.journal.store import summary

        if not self._handler:
            return
        told = {name: value for name, value in summary(progress.event).items() if name not in SECRET}
        facts = {"stage": progress.stage, "study_instance_uid": progress.study_instance_uid, **told}
        record = logging.LogRecord(LOGGER, logging.INFO, "", 0, type(progress.event).__name__, None, None)
        record.facts = facts
        self._handler.handle(record)
