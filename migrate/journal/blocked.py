"""How long runs with work to do were held up, day by day: `logs/blocked.json`, in seconds.

By the calendar: the hours were closed. By the throttle: the source was slow, so less was asked of it at
once. A file of its own beside the journal, since it grows every few seconds and nothing depends on it.
"""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

FILE = Path("logs") / "blocked.json"

Cause = Literal["calendar", "throttle"]
Days = dict[str, dict[Cause, float]]


def read_blocked(run_folder: Path) -> Days | None:
    """Day (UTC) -> cause -> seconds; None where no run was ever held up, or the file cannot be read."""
    try:
        found: Days = json.loads((run_folder / FILE).read_text(encoding="utf-8"))
        return {day: {cause: float(s) for cause, s in causes.items()} for day, causes in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def add_blocked(run_folder: Path, cause: Cause, seconds: float, moment: datetime | None = None) -> None:
    """Add to the day of `moment` (now); a file that cannot be written harms nobody."""
    days = read_blocked(run_folder) or {}
    today = days.setdefault((moment or datetime.now(UTC)).astimezone(UTC).date().isoformat(), {})
    today[cause] = today.get(cause, 0.0) + seconds
    path = run_folder / FILE
    temporary = path.with_name(f".{path.name}.tmp")
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        temporary.write_text(json.dumps({day: days[day] for day in sorted(days)}), encoding="utf-8")
        temporary.replace(path)
