"""`migrate plan`: which studies move, in which order, what stays behind and why, and when it will end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from migrate.cli.app import Session, app
from migrate.errors import UsageError

Associations = Annotated[int | None, typer.Option(help="With --simulate: what if there were so many?", min=1, max=64)]

MOST_NUMBERS = 20


@app.command()
def plan(
    ctx: typer.Context,
    deleted: Annotated[
        Path | None, typer.Option(help="What the source calls deleted or hidden: .csv, .xlsx or .parquet.")
    ] = None,
    worklist: Annotated[
        bool, typer.Option("--worklist", help="First ask the RIS who is booked: [plan.worklist].")
    ] = False,
    explain: Annotated[str, typer.Option(metavar="STUDY_UID", help="Why is this study where it is?")] = "",
    simulate: Annotated[bool, typer.Option("--simulate", help="Play what is left: when will it end?")] = False,
    source_associations: Associations = None,
    destination_associations: Associations = None,
    hours: Annotated[
        list[str] | None,
        typer.Option(help='With --simulate: what if these were the hours? "always", or as in [limits].'),
    ] = None,
) -> None:
    """Order the studies found, leave out what plan.exclude says."""
    session: Session = ctx.obj
    if explain:
        _explain(session, explain)
    elif simulate:
        from migrate.engine.simulate import WhatIf

        calendar = None if hours is None else tuple(line for line in hours if line != "always")
        limits = {"source_associations": source_associations, "destination_associations": destination_associations}
        _simulate(session, WhatIf(**limits, hours=calendar))
    else:
        told = {"deleted": _join(session, deleted) if deleted else None}
        told["worklist"] = _ask(session) if worklist else None
        _plan(session, told)


def _join(session: Session, deleted: Path) -> dict[str, Any]:
    """The list of deleted objects takes the place of the one before."""
    from dataclasses import asdict

    from migrate.engine.deleted import join_deleted

    found = join_deleted(session.folder(), session.config(), deleted)
    behind = f"{found.studies:,} studies and {found.instances:,} instances stay behind"
    session.tell(f"{deleted.name}: {found.lines:,} lines, {behind}")
    session.tell(f"  lines that name nothing that was crawled: {found.unmatched:,}")
    for line, why in found.invalid[:MOST_NUMBERS]:
        session.tell(f"  line {line}: {why}")
    return {**asdict(found), "invalid": [{"line": line, "why": why} for line, why in found.invalid]}


def _ask(session: Session) -> dict[str, Any]:
    """The worklist's answer takes the place of the one before."""
    from dataclasses import asdict
    from datetime import datetime

    from migrate.engine.hours import zone
    from migrate.engine.worklist import ask_worklist

    config = session.config()
    today = datetime.now(zone(config.run.timezone)).date()
    found = ask_worklist(session.folder(), config, today)
    session.tell(
        f"worklist: {found.steps:,} scheduled steps from {found.first} to {found.last}, {found.patients:,} patients"
    )
    if found.nameless:
        session.tell(f"  without a patient id: {found.nameless:,}")
    return {**asdict(found), "first": str(found.first), "last": str(found.last)}


def _plan(session: Session, joined: dict[str, Any]) -> None:
    from migrate.engine.planning import make_plan
    from migrate.journal.read import states
    from migrate.journal.store import Journal

    folder, config = session.folder(), session.config()
    with Journal(folder) as journal:
        found = make_plan(journal, folder, config)
    after = states(folder)
    waves = [wave.to_json() for wave in found.waves]
    unmatched = found.booked.unmatched if found.booked else ()
    booked = _told(found.booked) if found.booked else None
    counts = {"planned": found.planned, "excluded": found.excluded, "reordered": found.reordered}
    counts["noted"] = found.noted
    session.result({**counts, "waves": waves, "booked": booked, **joined, "states": after})
    session.tell(
        f"planned {found.planned:,} studies, excluded {found.excluded:,}, moved {found.reordered:,} in the order"
    )
    for wave in waves if config.plan.waves or any(wave["studies"] for wave in waves) else ():
        session.tell(f"  {wave['wave']}: {_size(wave)}")
    if found.noted:
        session.tell(f"  noted {found.noted:,} things that the crawl found wrong; see: migrate exceptions list --all")
    if unmatched:
        numbers = ", ".join(map(str, unmatched[:MOST_NUMBERS]))
        session.tell(f"  lines of {config.plan.booked} that match nobody: {len(unmatched):,} ({numbers})")
    if found.booked and found.booked.scheduled:
        session.tell(
            f"  patients on the worklist: {found.booked.scheduled:,}, of whom {found.booked.strangers:,} "
            "have nothing here"
        )
    if found.booked and not _names_booked(config):
        session.tell('  booked stands neither in plan.order nor in plan.waves: it moves nobody; add waves = ["booked"]')
    if not after:
        session.tell("nothing was found yet; first: migrate crawl")


def _told(booked: Any) -> dict[str, Any]:
    counts = {"lines": booked.lines, "unmatched_lines": list(booked.unmatched)}
    return {**counts, "scheduled": booked.scheduled, "strangers": booked.strangers}


def _names_booked(config: Any) -> bool:
    return "booked" in {text.strip() for text in (*config.plan.order, *config.plan.waves)}


def _size(wave: dict[str, Any]) -> str:
    told = f"{wave['studies']:,} studies"
    if wave["instances"] is not None:
        told += f", about {wave['instances']:,} instances"
    if wave["estimated_bytes"] is not None:
        told += f", {wave['estimated_bytes'] / 1e9:,.1f} GB"
    return told


def _explain(session: Session, study_instance_uid: str) -> None:
    from migrate.engine.planning import booked_of
    from migrate.journal.read import story
    from migrate.manifest.read import rows_of_studies
    from migrate.manifest.sizes import COUNTS, learnt_sizes
    from migrate.stages.plan import COLUMNS, predicates, ranking

    folder, config = session.folder(), session.config()
    columns = rows_of_studies(folder, "studies", [study_instance_uid], [*COLUMNS, *COUNTS, "patient_key"])
    if not columns["study_instance_uid"]:
        raise UsageError("no such study in the manifest", "look in the studies table", study=study_instance_uid)
    row = {name: values[0] for name, values in columns.items()}
    reasons = [p.text for p in predicates(config.plan.exclude) if p.holds(row)]
    order = ranking(config.plan.order, config.plan.waves, booked_of(folder, config))
    wave, where = order.named[order.wave_of(row)], order.rank(row)
    instances, size_bytes = learnt_sizes(folder).expected(row)
    words = {word.text: word.place(row) for word in order.words}
    known = [event["kind"] for event in story(folder, study_instance_uid)]
    session.result(
        {
            "study_instance_uid": study_instance_uid,
            "rank": where,
            "wave": wave,
            "order": words,
            "excluded_by": reasons,
            "estimated_instances": instances and round(instances),
            "estimated_bytes": size_bytes and round(size_bytes),
            "last_event": known[-1] if known else None,
        }
    )
    if reasons:
        session.tell(f"excluded by: {'; '.join(reasons)}")
        return
    session.tell(f"wave       {order.wave_of(row) + 1} of {len(order.named)}: {wave}")
    session.tell(f"rank       {where}, lower first: " + ", ".join(f"{text} {place}" for text, place in words.items()))
    told = f"{size_bytes / 1e6:,.1f} MB" if size_bytes is not None else "not known before studies like it have arrived"
    session.tell(f"size       {told}")
    session.tell(f"last event {known[-1] if known else 'none: run migrate plan'}")


def _simulate(session: Session, what_if: Any) -> None:
    from datetime import UTC, datetime

    from migrate.engine.simulate import forecast

    found = forecast(session.folder(), session.config(), datetime.now(UTC), what_if)
    session.result({"forecast": found.to_json()})
    session.tell(f"left       {found.studies:,} studies; times learnt from {found.learnt_from:,}")
    session.tell(f"done by    {found.ends['p50']} (between {found.ends['p10']} and {found.ends['p90']}, 8 times of 10)")
    session.tell(
        f"work       {found.work_s['p50'] / 3600:,.1f} hours, at {found.open_hours_a_week:g} open hours a week"
    )
    session.tell(f"limits     {found.places.source} source and {found.places.destination} destination associations")
    shares = ", ".join(f"{stage} {share:.0%}" for stage, share in found.busy.items())
    session.tell(f"busy       {shares}")
    session.tell(f"bottleneck {found.bottleneck}")
