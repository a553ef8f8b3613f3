"""`migrate journal`: check, back up, export and rebuild what the engine has recorded."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from migrate.cli.app import Session, app
from migrate.errors import JournalError

journal = typer.Typer(no_args_is_help=True, help="The record of the run: check, backup, export, rebuild.")
app.add_typer(journal, name="journal")

TakeOver = Annotated[bool, typer.Option("--take-over", help="Although another engine may hold the run folder.")]


@journal.command()
def check(
    ctx: typer.Context,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="A backup; default: the journal.")] = None,
) -> None:
    """Look at every page, row and event; an engine may be at work meanwhile."""
    from migrate.journal.check import check as look
    from migrate.journal.opening import FILE_NAME, REPAIR

    session: Session = ctx.obj
    path = file or session.folder() / FILE_NAME
    found = look(path)
    session.result({"sound": found.sound, "events": found.events, "studies": found.studies, "problems": found.problems})
    for problem in found.problems:
        session.tell(f"! {problem}")
    session.tell(f"{found.events:,} events, {found.studies:,} studies: {'sound' if found.sound else 'DAMAGED'}")
    if not found.sound:
        raise JournalError("the journal is damaged", REPAIR, journal=path, problems=len(found.problems))


@journal.command()
def backup(
    ctx: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Default: journal-TIME.sqlite beside it.")
    ] = None,
) -> None:
    """Copy the journal durably and check the copy; an engine may be at work meanwhile."""
    from migrate.journal.backup import backup as copy

    session: Session = ctx.obj
    target = file or session.folder() / f"journal-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.sqlite"
    size_bytes = copy(session.folder(), target)
    session.exported(target)
    session.result({"file": str(target), "size_bytes": size_bytes})
    session.tell(f"wrote {target}, {size_bytes:,} bytes, checked")


@journal.command()
def export(
    ctx: typer.Context, to: Annotated[Path | None, typer.Option(help="A file; default: stdout.")] = None
) -> None:
    """Every event as one line of JSON, oldest first; no patient identity is in it."""
    from migrate.journal.backup import exported

    session: Session = ctx.obj
    if to is None:
        for line in exported(session.folder()):
            typer.echo(line)
        return
    count = 0
    with to.open("w", encoding="utf-8") as file:
        for line in exported(session.folder()):
            file.write(line + "\n")
            count += 1
    session.exported(to)
    session.result({"file": str(to), "events": count})
    session.tell(f"wrote {count:,} events to {to}")


@journal.command()
def rebuild(ctx: typer.Context, take_over: TakeOver = False) -> None:
    """Make a new journal from the manifests; what was verified stays verified, the old file is kept."""
    from migrate.engine.rebuilding import rebuild_journal

    session: Session = ctx.obj
    done = rebuild_journal(session.folder(), take_over=take_over)
    kept = str(done.kept) if done.kept else None
    session.result({"verified": done.verified, "found": done.found, "salvaged": done.salvaged, "kept": kept})
    session.tell(f"{done.verified:,} studies are proven by the tables; {done.found:,} go round again")
    session.tell(f"from the old journal: {done.salvaged:,} rows; it is now {kept}" if kept else "there was no journal")
    session.tell("next: migrate plan, then migrate run")
