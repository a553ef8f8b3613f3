"""How quick the run is and when it may end, from the journal's own events."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def rates(run_folder: Path) -> dict[str, dict[str, float]]:
    """Stage -> instances_per_s and mb_per_s over the last busy stretch."""
    from migrate.manifest.totals import speeds

    return speeds(run_folder)


def eta(run_folder: Path) -> dict[str, Any] | None:
    """p10, p50 and p90 of the completion time, or None when there is too little to go by."""
    from migrate.journal.read import forecast

    return forecast(run_folder)
