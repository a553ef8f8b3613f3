"""`migrate plan`: which studies move, in which order, what stays behind and why."""

from __future__ import annotations

from typing import Annotated

import typer

from migrate.cli.app import Session, app
from migrate.errors import UsageError


@app.command()
def plan(
    ctx: typer.Context,
    explain: Annotated[str, typer.Option(metavar="STUDY_UID", help="Why is this study where it is?")] = "",
) -> None:
    """Order the studies found, leave out what [plan] excludes."""
    session: Session = ctx.obj
    if explain:
        _explain(session, explain)
        return
    from migrate.engine.planning import make_plan
    from migrate.journal.read import states
    from migrate.journal.store import Journal

    folder, config = session.folder(), session.config()
    with Journal(folder) as journal:
        counts = make_plan(journal, folder, config)
    after = states(folder)
    session.result({**counts, "states": after})
    session.tell(f"planned {counts['planned']:,} studies, excluded {counts['excluded']:,}")
    if not after:
        session.tell("nothing was found yet; first: migrate crawl")


def _explain(session: Session, study_instance_uid: str) -> None:
    from migrate.manifest.read import rows_of_studies
    from migrate.stages.plan import COLUMNS, predicates, rank

    config = session.config()
    columns = rows_of_studies(session.folder(), "studies", [study_instance_uid], list(COLUMNS))
    if not columns["study_instance_uid"]:
        raise UsageError("no such study in the manifest", "look in the studies table", study=study_instance_uid)
    row = {name: values[0] for name, values in columns.items()}
    reasons = [p.text for p in predicates(config.plan.exclude) if p.holds(row)]
    where = rank(row, config.plan.order)
    session.result({"study_instance_uid": study_instance_uid, "rank": where, "excluded_by": reasons})
    session.tell(
        f"excluded by: {'; '.join(reasons)}" if reasons else f"moves with rank {where} (order {config.plan.order})"
    )
