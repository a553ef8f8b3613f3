"""How quick the run is and when it may end, from the journal's own last events."""

from __future__ import annotations

import itertools
import random
from collections import Counter
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


def rates(run_folder: Path) -> dict[str, dict[str, float | None]]:
    """Stage -> instances_per_s and mb_per_s over the last 5,000 events; pauses over a minute do not count.

    Bytes are those that were received, at every stage: what is sent and read back is as large but for its header.
    `mb_per_s` is None where no event says how large anything was.
    """
    events = last_events(run_folder, EVENTS)
    busy_s = sum(gap for gap in _gaps(events) if gap < LONGEST_GAP_S)
    counts: Counter[str] = Counter()
    weights: Counter[str] = Counter()
    sizes = _bytes_per_instance(events)
    for event in events if busy_s else ():
        if stage := STAGE_OF.get(event["kind"]):
            count = event["payload"].get(COUNT_OF[event["kind"]], 0)
            counts[stage] += count
            weights[stage] += count * sizes.get(event["study_instance_uid"], sizes.get("", 0))
    return {
        stage: {
            "instances_per_s": round(count / busy_s, 2),
            "mb_per_s": round(weights[stage] / busy_s / 1e6, 4) if sizes else None,
        }
        for stage, count in counts.items()
    }


def _bytes_per_instance(events: list[dict[str, Any]]) -> dict[str, float]:
    """Study -> mean bytes of an instance as received; "" -> over all. Empty when nothing was received."""
    received = [
        (event["study_instance_uid"], event["payload"]["evidence"], event["payload"]["size_bytes"])
        for event in events
        if event["kind"] == "Retrieved" and event["payload"].get("evidence") and "size_bytes" in event["payload"]
    ]
    if not received:
        return {}
    whole = sum(size for *_, size in received) / sum(count for _, count, _ in received)
    return {"": whole, **{uid: size / count for uid, count, size in received}}


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
