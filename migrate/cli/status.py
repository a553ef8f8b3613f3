"""`migrate status`: where the run stands; `--watch`; `--story`."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from migrate.cli.app import Session, app
from migrate.cli.standing import lines, watcher

EVERY_S = 2.0


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
    look = watcher(session.folder(), session.config())
    while True:
        found = look()
        session.result(found)
        if watch and sys.stdout.isatty() and not session.as_json:
            typer.echo("\x1b[2J\x1b[H", nl=False)
        for line in lines(found):
            session.tell(line)
        if not watch:
            return
        session.tell("")
        time.sleep(EVERY_S)


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
