"""`migrate exceptions`: list, show, retry, waive, export. A waiver never removes a line from the balance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from migrate.cli.app import Session, app
from migrate.errors import UsageError

register = typer.Typer(no_args_is_help=True, help="Studies that need a person: list, show, retry, waive, export.")
app.add_typer(register, name="exceptions")

Studies = Annotated[list[str] | None, typer.Argument(metavar="[STUDY_UID]...", help="None: every study of --class.")]
Class = Annotated[str, typer.Option("--class", help="Only this exception class.")]
Reason = Annotated[str, typer.Option(help="Why; it stays in the register.")]
By = Annotated[str, typer.Option(help="Who decides.")]


@register.command(name="list")
def list_(
    ctx: typer.Context,
    class_: Class = "",
    everything: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
) -> None:
    """What is open, oldest first."""
    session: Session = ctx.obj
    rows = _rows(session, class_, everything=everything)
    session.result({"exceptions": rows})
    for row in rows:
        session.tell(
            f"{row['first_seen_at'][:19]}  {row['exception_class']:<18} {row['level']:<6} {row['uid']}  {row['detail']}"
        )
    session.tell(f"{len(rows):,} in all" if rows else "none")


@register.command()
def show(ctx: typer.Context, study_uid: Annotated[str, typer.Argument(metavar="STUDY_UID")]) -> None:
    """Everything about one study's exceptions."""
    session: Session = ctx.obj
    rows = [row for row in _rows(session, "", everything=True) if row["study_instance_uid"] == study_uid]
    if not rows:
        raise UsageError("no exception for this study", "see: migrate exceptions list", study=study_uid)
    session.result({"exceptions": rows})
    for row in rows:
        for name, value in row.items():
            session.tell(f"{name:<20} {value if value is not None else ''}")
        session.tell("")


@register.command()
def retry(ctx: typer.Context, study_uids: Studies = None, class_: Class = "", reason: Reason = "", by: By = "") -> None:
    """Send quarantined studies round again; what is verified is not moved twice."""
    from migrate.journal.events import Retried

    _decide(
        ctx.obj, _chosen(ctx.obj, study_uids, class_), lambda uid: Retried(study_instance_uid=uid, by=by, reason=reason)
    )


@register.command()
def waive(
    ctx: typer.Context,
    reason: Annotated[str, typer.Option(help="Why this is accepted.")],
    by: Annotated[str, typer.Option(help="Who accepts it.")],
    study_uids: Studies = None,
    class_: Class = "",
) -> None:
    """Accept exceptions, with reason and name; they stay in the balance as failed."""
    from migrate.journal.events import Waived

    _decide(
        ctx.obj, _chosen(ctx.obj, study_uids, class_), lambda uid: Waived(study_instance_uid=uid, by=by, reason=reason)
    )


@register.command()
def export(ctx: typer.Context, to: Annotated[Path, typer.Option(help="A .csv file.")] = Path("exceptions.csv")) -> None:
    """The whole register as CSV."""
    from migrate.report.tables import write_csv

    session: Session = ctx.obj
    rows = _rows(session, "", everything=True)
    write_csv(to, rows)
    session.result({"file": str(to), "rows": len(rows)})
    session.tell(f"wrote {len(rows):,} rows to {to}")


def _rows(session: Session, class_: str, *, everything: bool) -> list[dict[str, Any]]:
    from migrate.journal.read import exceptions

    return [
        row
        for row in exceptions(session.folder())
        if (everything or row["disposition"] == "open") and (not class_ or row["exception_class"] == class_)
    ]


def _chosen(session: Session, study_uids: list[str] | None, class_: str) -> list[str]:
    known = {row["study_instance_uid"] for row in _rows(session, class_, everything=True)}
    if not study_uids and not class_:
        raise UsageError("which studies?", "give Study Instance UIDs, or --class CLASS")
    unknown = [uid for uid in study_uids or () if uid not in known]
    if unknown:
        raise UsageError("no exception for this study", "see: migrate exceptions list", study=unknown[0])
    return sorted(study_uids or known)


def _decide(session: Session, studies: list[str], event: Any) -> None:
    from migrate.journal.states import State
    from migrate.journal.store import Journal

    with Journal(session.folder()) as journal:
        held = [uid for uid, state in journal.states_of(studies).items() if state is State.QUARANTINED]
        journal.append([event(uid) for uid in held])
    session.result({"studies": len(held)})
    session.tell(f"{len(held):,} studies" + ("; next: migrate run" if held else " are in quarantine: nothing to do"))
