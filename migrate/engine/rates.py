"""How quick the run is and when it may end, from the journal's own last events."""

from __future__ import annotations

import itertools
import random
from datetime import datetime
from pathlib import Path
from typing import Any

from migrate.engine.hours import Hours
from migrate.journal.read import last_events, states

EVENTS = 5_000
LONGEST_GAP_S = 60.0
RESAMPLES = 200
FEWEST_ENDED = 20
STAGE_OF = {"Retrieved": "retrieve", "Normalized": "normalize", "Uploaded": "upload", "Verified": "verify"}
COUNT_OF = {"Retrieved": "evidence", "Normalized": "prepared", "Uploaded": "outcomes", "Verified": "checked"}
QUANTILES = (("p10", 0.1), ("p50", 0.5), ("p90", 0.9))
ENDED = ("Verified", "Quarantined")
OPEN = ("PLANNED", "RETRIEVED", "CHECKSUMMED", "NORMALIZED", "UPLOADED", "CHANGED")


def rates(run_folder: Path) -> dict[str, dict[str, float]]:
    """Stage -> instances_per_s and mb_per_s over the last 5,000 events; pauses over a minute do not count."""
    events = last_events(run_folder, EVENTS)
    busy_s = sum(gap for gap in _gaps(events) if gap < LONGEST_GAP_S)
    found: dict[str, dict[str, float]] = {}
    for event in events if busy_s else ():
        if stage := STAGE_OF.get(event["kind"]):
            rate = found.setdefault(stage, {"instances_per_s": 0.0, "mb_per_s": 0.0})
            rate["instances_per_s"] += event["payload"].get(COUNT_OF[event["kind"]], 0) / busy_s
            rate["mb_per_s"] += event["payload"].get("size_bytes", 0) / busy_s / 1e6
    return {stage: {name: round(value, 2) for name, value in rate.items()} for stage, rate in found.items()}


def eta(run_folder: Path, hours: Hours | None = None) -> dict[str, str] | None:
    """p10, p50, p90 of the completion time: bootstrap over the time between ended studies.

    Work goes on while `hours` are open (None: always). Gives None when nothing is left, or when fewer
    than 20 studies have ended.
    """
    counts = states(run_folder)
    left = sum(counts.get(state, 0) for state in OPEN)
    ended = [event for event in last_events(run_folder, EVENTS) if event["kind"] in ENDED]
    gaps = [gap for gap in _gaps(ended) if gap < LONGEST_GAP_S]
    if not left or len(gaps) < FEWEST_ENDED:
        return None
    # The same run folder gives the same answer: the seed is fixed.
    draw = random.Random(len(gaps))  # noqa: S311 - not for secrets
    means = sorted(sum(draw.choices(gaps, k=len(gaps))) / len(gaps) for _ in range(RESAMPLES))
    newest = datetime.fromisoformat(ended[0]["at"])
    calendar = hours or Hours([], "UTC")
    return {
        name: calendar.after(newest, left * means[int(RESAMPLES * share)]).isoformat(timespec="seconds")
        for name, share in QUANTILES
    }


def _gaps(events: list[dict[str, Any]]) -> list[float]:
    """Seconds between neighbours, newest first."""
    times = [datetime.fromisoformat(event["at"]) for event in events]
    return [(later - earlier).total_seconds() for later, earlier in itertools.pairwise(times)]
