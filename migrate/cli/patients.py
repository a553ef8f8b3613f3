"""`migrate identities lookup` and `match`: patients' numbers, the orders of studies. Nothing is guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from migrate.cli.app import Session
from migrate.cli.bars import Bars
from migrate.cli.identities import identities

LEFT_OPEN = 3


@identities.command()
def lookup(ctx: typer.Context) -> None:
    """Find each patient's PHN in the crosswalk or at the PIXm server; exit 3 when some are left open."""
    from collections import Counter
    from datetime import UTC, datetime

    from migrate.engine.identifying import look_up

    session: Session = ctx.obj
    with Bars(quiet=session.quiet) as bars:
        bars.add("asked", None, unit="patient")
        rows = look_up(session.folder(), session.config(), datetime.now(UTC), lambda _: bars.step("asked"))
    outcomes = Counter(row.outcome for row in rows)
    classes = Counter(row.exception_class for row in rows if row.exception_class)
    session.result({"patients": len(rows), "outcomes": dict(outcomes), "work_list": dict(classes)})
    session.tell(f"{len(rows):,} patients: " + ", ".join(f"{n:,} {name}" for name, n in sorted(outcomes.items())))
    if classes:
        session.tell("left for a person: " + ", ".join(f"{n:,} {name}" for name, n in sorted(classes.items())))
        session.tell("they stand in the table identities_xwalk")
        raise typer.Exit(LEFT_OPEN)


@identities.command()
def match(
    ctx: typer.Context,
    orders: Annotated[Path, typer.Argument(metavar="LIST", help="CSV or Parquet from the RIS.")],
) -> None:
    """Match studies with a list of orders: accession_number, study_date, modality, and patient_name if known."""
    from migrate.checks.ordered import match_orders
    from migrate.manifest.place import Manifests

    session: Session = ctx.obj
    counts = match_orders(Manifests(session.folder(), session.config().run.source), orders)
    studies = sum(counts.values())
    session.result({"studies": studies, **counts})
    for outcome, count in counts.items():
        session.tell(f"{outcome:<10} {count:>10,}  {count / studies if studies else 0:.1%}")
