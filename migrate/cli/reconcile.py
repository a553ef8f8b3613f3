"""`migrate reconcile`: both sides side by side, findings and the balance."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import asdict
from typing import Annotated

import typer

from migrate.cli.app import Session, app
from migrate.cli.bars import Bars

DIFFER = 4
QUARANTINED = 3


@app.command()
def reconcile(
    ctx: typer.Context,
    offline: Annotated[bool, typer.Option(help="Use what was verified; do not ask the destination again.")] = False,
) -> None:
    """Walk source and destination, write findings and balance."""
    from migrate.checks.balance import PROOFS
    from migrate.checks.forensics import write_forensics
    from migrate.checks.reconcile import Destination, ReconcileOptions
    from migrate.checks.reconcile import reconcile as walk
    from migrate.engine.asking import ask_destination
    from migrate.journal.read import states, study_states
    from migrate.manifest.place import Manifests

    session: Session = ctx.obj
    folder, config = session.folder(), session.config()
    due = (row["study_instance_uid"] for row in study_states(folder) if row["state"] in DUE)
    with Bars(quiet=session.quiet) as bars:
        bars.add("asked", sum(count for state, count in states(folder).items() if state in DUE))
        # Who orders `verify = "c-find"` has chosen to believe a list of UIDs.
        proofs = PROOFS | {"uid"} if config.destination.verify == "c-find" else PROOFS
        destination = None
        if not offline:
            held, again = ask_destination(folder, config, due)
            destination = Destination(held=_told(held, bars), holds=again)
        terms = (config.acceptance.max_defect_rate, config.acceptance.confidence)
        options = ReconcileOptions(destination=destination, proofs=proofs, terms=terms)
        result = walk(folder, config.run.source, options)
    alike = write_forensics(Manifests(folder, config.run.source))
    reached = asdict(result.acceptance) if result.acceptance else None
    session.result({**result.to_json(), "lookalikes": alike, "acceptance": reached})
    for level, counts in (("studies", result.studies), ("instances", result.instances)):
        session.tell(f"{level}: " + ", ".join(f"{n:,} {name}" for name, n in counts.items()))
    if any(result.rejected.values()):
        behind = " and ".join(f"{n:,} {name}" for name, n in result.rejected.items())
        session.tell(f"of what is excluded, the source has rejected or hidden: {behind}")
    session.tell("findings: " + ", ".join(f"{n:,} {name}" for name, n in result.findings.items()))
    if any(alike.values()):
        session.tell("look-alikes: " + ", ".join(f"{n:,} {kind}" for kind, n in alike.items() if n))
    session.tell("balanced: " + ("yes" if result.balanced else "no"))
    if not result.balanced or result.unexplained:
        raise typer.Exit(DIFFER)
    if result.studies.get("failed"):
        raise typer.Exit(QUARANTINED)


DUE = frozenset({"UPLOADED", "VERIFIED", "QUARANTINED", "CHANGED"})


def _told(held: Iterator[tuple[str, AbstractSet[str]]], bars: Bars) -> Iterator[tuple[str, AbstractSet[str]]]:
    for study, uids in held:
        bars.step("asked")
        yield study, uids
