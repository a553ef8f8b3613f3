"""`migrate assess`: is everything in place, and what can the peers do?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from migrate.cli.app import Session, app

if TYPE_CHECKING:
    from migrate.stages.assess import Assessed, Check


@app.command()
def assess(
    ctx: typer.Context,
    queries: Annotated[int | None, typer.Option(min=1, help="C-FINDs at most at the source; 60 when left out.")] = None,
    answers: Annotated[int | None, typer.Option(min=10, help="Answers after which a C-FIND is cancelled.")] = None,
) -> None:
    """Check this machine and both peers; learn their profiles; say what to fix.

    Exits with the code of the first failure, after everything that can still run has run.
    """
    from migrate.stages.assess import announced
    from migrate.stages.assess import assess as run

    session: Session = ctx.obj
    asked = {name: value for name, value in (("queries", queries), ("answers", answers)) if value}
    assessment = _assessment(session.folder(), session.config(), asked)
    session.tell(announced(assessment))
    found = run(assessment, lambda one: _tell(session, one))
    session.result(to_json(found))
    if found.exit_code:
        raise typer.Exit(found.exit_code)


def to_json(found: Assessed) -> dict[str, Any]:
    """The object of `assess --json`."""
    return {
        "checks": [one.to_json() for one in found.checks],
        "profiles": {side: _facts(profile) for side, profile in found.profiles.items()},
    }


def _assessment(folder: Path, config: Any, asked: dict[str, int]) -> Any:
    from migrate.engine.place import tls_files
    from migrate.stages.assess import Assessment

    return Assessment(config=config, run_folder=folder, tls=tls_files(config, folder), **asked)


def _facts(profile: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for name, fact in profile.learnt.items():
        facts[name] = {"value": fact.value, "how": fact.how, "when": fact.when}
        if fact.override is not None:
            facts[name]["override"] = fact.override
    return facts


def _tell(session: Session, one: Check) -> None:
    session.tell(f"{one.result:<4}  {one.name}: {one.fact}")
    if one.hint:
        session.tell(f"      hint: {one.hint}")
