"""`migrate identities`: which patients are one; `cli.patients` adds its own commands."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from migrate.cli.app import Session, app

MOST_SHOWN = 20

identities = typer.Typer(no_args_is_help=True, help="Who is who: apply merges, look numbers up, match orders.")
app.add_typer(identities, name="identities")


@identities.callback()
def group() -> None:
    """Who is who: apply patient merges, look numbers up, match studies with orders."""


@identities.command()
def merge(
    ctx: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(help="CSV of prior_id, surviving_id[, issuer]; or HL7 v2 ADT^A40, or a folder of .hl7 files."),
    ],
) -> None:
    """Give the studies of merged patients the key of the survivor; ids stay as the source gave them."""
    from migrate.engine.merging import merge_identities

    session: Session = ctx.obj
    found = merge_identities(session.folder(), session.config(), file)
    invalid = [{"line": line, "why": why} for line, why in found.invalid]
    session.result({**asdict(found), "invalid": invalid})
    session.tell(f"{found.merges:,} merges, {found.patients:,} patients and {found.studies:,} studies have another key")
    session.tell(f"of patients of whom nothing was crawled: {found.unknown_priors:,}")
    if found.other_messages:
        session.tell(f"messages that are no merge: {found.other_messages:,}")
    for line, why in found.invalid[:MOST_SHOWN]:
        session.tell(f"line {line}: {why}")
    if found.moved:
        session.tell(f"{found.moved:,} studies are at the destination under the prior id: send it the same merges")
