"""Where a run stands, as one object: what `status`, the dashboard and the metrics show."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

STATIONS = ("received", "uploaded", "verified")
LAST_EXCEPTIONS = 5
# Sums over large tables take long: they are made again after at least so many times what they took.
PATIENCE = 20
FRESH_S = 1.0

Standing = dict[str, Any]


def standing(folder: Path, config: Any) -> Standing:
    """The object of `status --json` (DESIGN section 6), and what a person on the night shift asks besides."""
    return watcher(folder, config)()


def watcher(folder: Path, config: Any) -> Callable[[], Standing]:
    """A function that gives the standing again and again; it adds the tables up only as often as that is cheap."""
    sums: dict[str, int] = {}
    spent = [0.0, -1e9]

    def totals() -> dict[str, int]:
        from migrate.manifest.totals import totals as add_up

        cost_s, made_at = spent
        began = time.monotonic()
        if began - made_at > max(FRESH_S, PATIENCE * cost_s):
            sums.update(add_up(folder))
            spent[:] = time.monotonic() - began, time.monotonic()
        return sums

    return lambda: _now(folder, config, totals())


def _now(folder: Path, config: Any, tables: dict[str, int]) -> Standing:
    from migrate.engine.hours import Hours
    from migrate.engine.pulse import read_pulse
    from migrate.engine.rates import eta, rates
    from migrate.journal import read

    flight = read.in_flight_instances(folder)
    instances = {"source": tables["source"]}
    sizes: dict[str, int | None] = {"source": None}
    for name in STATIONS:
        instances[name] = tables[name] + flight[name]
        sizes[name] = tables[f"{name}_bytes"] + flight[f"{name}_bytes"]
    hours = Hours(config.limits.hours, config.run.timezone)
    states, pulse = read.states(folder), read_pulse(folder)
    return {
        "run": config.run.name,
        "source": config.run.source,
        "states": states,
        "instances": instances,
        "bytes": sizes,
        "exceptions": read.classes(folder),
        "rates": rates(folder),
        "eta": eta(folder, hours),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "running": pulse is not None,
        "in_flight": pulse["in_flight"] if pulse else {},
        "queue": states.get("PLANNED", 0),
        "throttle": pulse["throttle"] if pulse else None,
        "calendar": _calendar(hours),
        "disk": _disk(folder, config),
        "last_exceptions": read.newest_exceptions(folder, LAST_EXCEPTIONS),
    }


def _calendar(hours: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    opened = hours.open_at(now)
    opening = None if opened else hours.next_opening(now).isoformat(timespec="minutes")
    return {"open": opened, "next_opening": opening, "always": not hours.windows}


def _disk(folder: Path, config: Any) -> dict[str, int | None]:
    staging = folder / config.staging.path
    try:
        free = shutil.disk_usage(staging if staging.exists() else folder).free
    except OSError:
        free = None
    return {"free_bytes": free, "reserve_bytes": int(config.staging.reserve_gb * 1024**3)}


def lines(found: Standing) -> list[str]:
    """The same as one screen of text."""
    states = ", ".join(f"{found['states'][s]:,} {s}" for s in ORDER if found["states"].get(s)) or "none found yet"
    instances = ", ".join(f"{n:,} {name}" for name, n in found["instances"].items())
    told = [f"{found['run']} from {found['source']}", f"studies    {states}", f"instances  {instances}"]
    told += [f"exception  {count:,} {name}" for name, count in sorted(found["exceptions"].items())]
    told += [f"rate       {stage}: {_rate(rate)}" for stage, rate in found["rates"].items()]
    told += [f"engine     {_engine(found)}", f"hours      {_hours(found['calendar'])}"]
    told += [f"disk       {_free(found['disk'])}"]
    if found["eta"]:
        told.append(f"done by    {found['eta']['p50']} (between {found['eta']['p10']} and {found['eta']['p90']})")
    told += [f"last       {row['at'][:19]} {row['exception_class']} {row['uid']}" for row in found["last_exceptions"]]
    return told


ORDER = (
    *("FOUND", "PLANNED", "RETRIEVED", "CHECKSUMMED", "NORMALIZED", "UPLOADED"),
    *("VERIFIED", "QUARANTINED", "EXCLUDED", "CHANGED"),
)


def _rate(rate: dict[str, float | None]) -> str:
    told, size = f"{rate['instances_per_s']:.1f} instances/s", rate["mb_per_s"]
    if size is None:
        return told
    return f"{told}, {size:.1f} MB/s" if size >= 1 else f"{told}, {1000 * size:.1f} kB/s"


def _engine(found: Standing) -> str:
    if not found["running"]:
        return f"not running; {found['queue']:,} studies wait"
    flight = ", ".join(f"{n} {stage}" for stage, n in found["in_flight"].items()) or "nothing in flight"
    throttle = found["throttle"]
    held = f"at most {throttle['allowed']} of {throttle['most']} retrieves at once"
    latency = ""
    if throttle["latency_s"] is not None:
        latency = f", source answers in {throttle['latency_s']:.2f} s (at its best {throttle['baseline_s']:.2f} s)"
    return f"{flight}; {found['queue']:,} studies wait; {held}{latency}"


def _hours(calendar: dict[str, Any]) -> str:
    if calendar["always"]:
        return "always open"
    return "open now" if calendar["open"] else f"closed until {calendar['next_opening']}"


def _free(disk: dict[str, int | None]) -> str:
    if disk["free_bytes"] is None:
        return "cannot be asked"
    low = "" if disk["free_bytes"] > 2 * (disk["reserve_bytes"] or 0) else "  LOW"
    return f"{disk['free_bytes'] / 1e9:,.1f} GB free, {(disk['reserve_bytes'] or 0) / 1e9:,.1f} GB stay free{low}"
