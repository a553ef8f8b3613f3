"""`migrate exceptions`: the register, its owners and its decisions. A waiver never removes a line from the balance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from migrate.cli.app import Session, app
from migrate.errors import UsageError

register = typer.Typer(no_args_is_help=True, help="Studies that need a person, and what people decided.")
app.add_typer(register, name="exceptions")

Studies = Annotated[list[str] | None, typer.Argument(metavar="[STUDY_UID]...", help="None: every study of --class.")]
Class = Annotated[str, typer.Option("--class", help="Only this exception class.")]
Reason = Annotated[str, typer.Option(help="Why; it stays in the register.")]
By = Annotated[str, typer.Option(help="Who decides; left out: the account.")]


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
        session.tell(_line(row))
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
    from migrate.journal.operators import here

    told = here(by).told
    _decide(
        ctx.obj,
        _chosen(ctx.obj, study_uids, class_),
        lambda uid: Retried(study_instance_uid=uid, by=told, reason=reason),
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
    from migrate.journal.operators import here

    session: Session = ctx.obj
    _refuse_same_eyes(session, by)
    told = here(by).told
    _decide(
        session,
        _chosen(session, study_uids, class_),
        lambda uid: Waived(study_instance_uid=uid, by=told, reason=reason),
    )


@register.command()
def assign(
    ctx: typer.Context,
    study_uids: Studies = None,
    class_: Class = "",
    owner: Annotated[str | None, typer.Option(help="Who sees to it; empty takes the owner away.")] = None,
    due: Annotated[str | None, typer.Option(help="Until when: YYYY-MM-DD; empty takes the date away.")] = None,
    by: By = "",
) -> None:
    """Give exceptions an owner, a due date, or both."""
    from migrate.checks.register import is_day
    from migrate.journal.events import Assigned
    from migrate.journal.operators import here

    session: Session = ctx.obj
    if owner is None and due is None:
        raise UsageError("nothing to assign", "give --owner, --due, or both")
    if due and not is_day(due):
        raise UsageError("--due is no date", "write YYYY-MM-DD", due=due)
    chosen = set(_chosen(session, study_uids, class_))
    events = [
        Assigned(
            study_instance_uid=row["study_instance_uid"],
            uid=row["uid"],
            exception_class=row["exception_class"],
            owner=(row["owner"] or "") if owner is None else owner,
            due=(row["due"] or "") if due is None else due,
            by=here(by).told,
        )
        for row in _rows(session, class_, everything=True)
        if row["study_instance_uid"] in chosen
    ]
    _append(session, events)
    session.result({"lines": len(events)})
    session.tell(f"assigned {len(events):,} lines of the register")


@register.command()
def export(
    ctx: typer.Context, to: Annotated[Path, typer.Option(help="A .csv or .xlsx file.")] = Path("exceptions.csv")
) -> None:
    """The whole register as a spreadsheet, to be worked on and imported again."""
    from migrate.checks.register import HEADS
    from migrate.report.sheet import as_rows, write_sheet

    session: Session = ctx.obj
    rows = as_rows(_rows(session, "", everything=True), HEADS)
    write_sheet(to, rows, HEADS)
    session.exported(to)
    session.result({"file": str(to), "rows": len(rows)})
    session.tell(f"wrote {len(rows):,} rows to {to}")


@register.command(name="import")
def import_(
    ctx: typer.Context,
    sheet: Annotated[Path, typer.Argument(help="The edited .csv or .xlsx file.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check it, change nothing.")] = False,
) -> None:
    """Take the owners, due dates and decisions of an edited export; all of it or, with one wrong row, nothing."""
    from migrate.checks.register import KEY, edits
    from migrate.report.sheet import read_sheet

    session: Session = ctx.obj
    lines = read_sheet(sheet, KEY)
    found = edits(((line.number, line.values) for line in lines), _standing(session))
    if found.complaints:
        raise UsageError(
            f"nothing was imported: {len(found.complaints):,} rows are wrong",
            "; ".join(f"row {number}: {told}" for number, told in found.complaints[:MOST_COMPLAINTS]),
            rows=" ".join(str(number) for number, _ in found.complaints[:MOST_COMPLAINTS]),
        )
    if not dry_run:
        _append(session, found.events)
    kinds = Counter(type(event).__name__ for event in found.events)
    counts = {name: kinds[kind] for name, kind in IMPORTED.items()}
    session.result({**counts, "unchanged": found.unchanged, "dry_run": dry_run})
    told = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    session.tell(f"{'would import' if dry_run else 'imported'}: {told}; {found.unchanged:,} unchanged")


IMPORTED = {"assigned": "Assigned", "retry": "Retried", "accepted": "Waived", "excluded": "Excluded"}
MOST_COMPLAINTS = 20


def _standing(session: Session) -> Any:
    from migrate.checks.register import Standing
    from migrate.journal.operators import runs
    from migrate.journal.read import exceptions, study_states

    folder = session.folder()
    register = list(exceptions(folder))
    studies = {row["study_instance_uid"] for row in register}
    rows = study_states(folder)
    return Standing(
        register=register,
        states={row["study_instance_uid"]: row["state"] for row in rows if row["study_instance_uid"] in studies},
        runs=runs(folder),
        four_eyes=session.config().acceptance.four_eyes,
    )


def _refuse_same_eyes(session: Session, by: str) -> None:
    from migrate.checks.register import same_eyes
    from migrate.journal.operators import here, runs

    if session.config().acceptance.four_eyes and same_eyes(here(by), runs(session.folder())):
        hint = "[acceptance] four_eyes = true: let somebody else decide, with --by and their name"
        raise UsageError("who accepts must be another person than who ran", hint, by=by)


def _append(session: Session, events: Sequence[Any]) -> None:
    from migrate.engine.flush import flush_ended
    from migrate.journal.store import Journal

    with Journal(session.folder()) as journal:
        flush_ended(journal, session.folder(), session.config())
        journal.append(events)


def _rows(session: Session, class_: str, *, everything: bool) -> list[dict[str, Any]]:
    from migrate.checks.register import age_days, overdue
    from migrate.journal.read import exceptions

    today = datetime.now(UTC)
    return [
        {**row, "age_days": age_days(row, today), "overdue": overdue(row, today)}
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
    from migrate.engine.flush import flush_ended
    from migrate.journal.states import State
    from migrate.journal.store import Journal

    with Journal(session.folder()) as journal:
        flush_ended(journal, session.folder(), session.config())
        held = [uid for uid, state in journal.states_of(studies).items() if state is State.QUARANTINED]
        journal.append([event(uid) for uid in held])
    session.result({"studies": len(held)})
    session.tell(f"{len(held):,} studies" + ("; next: migrate run" if held else " are in quarantine: nothing to do"))


def _line(row: dict[str, Any]) -> str:
    told = f"{row['first_seen_at'][:19]}  {row['exception_class']:<18} {row['level']:<6} {row['uid']}  {row['detail']}"
    owner = f"  owner {row['owner']}" if row["owner"] else ""
    due = f"  {'OVERDUE since' if row['overdue'] else 'due'} {row['due']}" if row["due"] else ""
    return f"{told}{owner}{due}"
