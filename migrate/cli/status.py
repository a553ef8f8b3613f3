"""`migrate status`: where the run stands; `--watch`; `--story`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from migrate.cli.app import Session, app

ORDER = (
    *("FOUND", "PLANNED", "RETRIEVED", "CHECKSUMMED", "NORMALIZED", "UPLOADED"),
    *("VERIFIED", "QUARANTINED", "EXCLUDED", "CHANGED"),
)
STATIONS = (("received", "received"), ("uploaded", "uploaded"), ("verified", "verified"))


@app.command()
def status(
    ctx: typer.Context,
    watch: Annotated[bool, typer.Option(help="Again every two seconds until Ctrl-C.")] = False,
    story: Annotated[str, typer.Option(metavar="STUDY_UID", help="Everything that happened to one study.")] = "",
) -> None:
    """Where the run stands."""
    session: Session = ctx.obj
    if story:
        _story(session, story)
        return
    while True:
        found = standing(session.folder(), session.config())
        session.result(found)
        if watch:
            typer.echo("\x1b[2J\x1b[H", nl=False)
        for line in _lines(found):
            session.tell(line)
        if not watch:
            return
        time.sleep(2)


def standing(folder: Path, config: Any) -> dict[str, Any]:
    """The object of `status --json` (DESIGN section 6)."""
    from migrate.engine.rates import eta, rates
    from migrate.journal import read
    from migrate.manifest.totals import totals

    tables = totals(folder)
    flight = read.in_flight_instances(folder)
    instances = {"source": tables["source"]}
    sizes: dict[str, int | None] = {"source": None}
    for name, key in STATIONS:
        instances[name] = tables[key] + flight[key]
        sizes[name] = tables[f"{key}_bytes"] + flight[f"{key}_bytes"]
    return {
        "run": config.run.name,
        "source": config.run.source,
        "states": read.states(folder),
        "instances": instances,
        "bytes": sizes,
        "exceptions": read.classes(folder),
        "rates": rates(folder),
        "eta": eta(folder),
    }


def _lines(found: dict[str, Any]) -> list[str]:
    states = ", ".join(f"{found['states'][s]:,} {s}" for s in ORDER if found["states"].get(s)) or "none found yet"
    instances = ", ".join(f"{n:,} {name}" for name, n in found["instances"].items())
    lines = [f"{found['run']} from {found['source']}", f"studies    {states}", f"instances  {instances}"]
    lines += [f"exception  {count:,} {name}" for name, count in sorted(found["exceptions"].items())]
    lines += [
        f"rate       {stage}: {rate['instances_per_s']:.1f} instances/s, {rate['mb_per_s']:.1f} MB/s"
        for stage, rate in found["rates"].items()
    ]
    if found["eta"]:
        lines.append(f"done by    {found['eta']['p50']} (between {found['eta']['p10']} and {found['eta']['p90']})")
    return lines


def _story(session: Session, study_instance_uid: str) -> None:
    from migrate.errors import UsageError
    from migrate.journal.read import story

    events = story(session.folder(), study_instance_uid)
    if not events:
        raise UsageError(
            "the journal knows no such study", "copy the UID from the studies table", study=study_instance_uid
        )
    session.result({"study_instance_uid": study_instance_uid, "events": events})
    for event in events:
        facts = ", ".join(f"{name}={value}" for name, value in event["payload"].items())
        session.tell(f"{event['at']}  {event['kind']:<14} {facts}")
