"""`migrate audit`: is the trail whole, and what waits for the collector."""

from __future__ import annotations

import typer

from migrate.cli.app import Session, app
from migrate.errors import ConfigError, LocalError, PeerUnavailable

audit = typer.Typer(no_args_is_help=True, help="The audit trail: verify, send.")
app.add_typer(audit, name="audit")


@audit.command()
def verify(ctx: typer.Context) -> None:
    """Look for gaps, altered messages and a missing end."""
    from migrate.audit.check import check
    from migrate.audit.syslog import cursor
    from migrate.audit.trail import FOLDER

    session: Session = ctx.obj
    folder = session.folder()
    found = check(folder)
    sent = cursor(folder / FOLDER).seq
    session.result(
        {"whole": found.whole, "messages": found.messages, "last": found.last, "sent": sent, "problems": found.problems}
    )
    for problem in found.problems:
        session.tell(f"! {problem}")
    session.tell(f"{found.messages:,} messages, the last is {found.last:,}, sent up to {sent:,}")
    if not found.whole:
        hint = "compare with the collector's copy; the files are never repaired"
        raise LocalError("the audit trail is not whole", hint, problems=len(found.problems))


@audit.command()
def send(ctx: typer.Context) -> None:
    """Send what waits in the spool to the collector of [audit] syslog."""
    from migrate.audit.recorder import collector_of
    from migrate.audit.syslog import drain

    session: Session = ctx.obj
    collector = collector_of(session.config(), session.folder())
    if collector is None:
        raise ConfigError("no collector is configured", 'add [audit] syslog = "host:port"')
    try:
        sent = drain(session.folder(), collector)
    except OSError as error:
        hint = "what was not taken stays in the spool; see that host, port and [audit] ca are right"
        reason = type(error).__name__
        raise PeerUnavailable("the collector did not take the messages", hint, reason=reason) from None
    session.result({"sent": sent})
    session.tell(f"sent {sent:,} messages")
