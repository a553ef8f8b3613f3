"""What `verify --again`, `verify --sample` and `normalize --undo-check` show: proofs long after the move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import typer

from migrate.cli.app import Session
from migrate.cli.bars import Bars

DIFFER = 4
STUDIES_PER_WRITE = 50


def verify_again(session: Session, studies: Sequence[str]) -> Counter[str]:
    """Read verified studies back and compare with the tables; counts instances by outcome."""
    from migrate.engine.again import Looked, keep, look_again
    from migrate.journal.store import Journal
    from migrate.manifest.place import Manifests

    folder, config = session.folder(), session.config()
    manifests, waiting, aside = Manifests(folder, config.run.source), list[Looked](), 0
    outcomes: Counter[str] = Counter()
    with Bars(quiet=session.quiet) as bars, Journal(folder) as journal:
        bars.add("looked at", len(studies))
        for looked in look_again(folder, config, studies):
            bars.step("looked at")
            outcomes.update(one.outcome.value for one in looked.checked)
            waiting.append(looked)
            if len(waiting) == STUDIES_PER_WRITE:
                aside, waiting = aside + keep(journal, manifests, waiting), []
        aside += keep(journal, manifests, waiting)
    session.tell(f"looked at {len(studies):,} studies: " + (_told(outcomes) or "no instances"))
    if aside:
        session.tell(f"{aside:,} studies differ from what was proven; look at them with: migrate exceptions list")
    return outcomes


def verify_chosen(session: Session, only: str, limit: int | None, *, sample: bool) -> None:
    """All verified studies, those named, or a sample by strata; with a sample also the bound that it proves."""
    from dataclasses import asdict

    from migrate.checks.acceptance import stratified_sample, write_acceptance
    from migrate.manifest.place import Manifests

    terms, manifests = session.config().acceptance, Manifests(session.folder(), session.config().run.source)
    rates = terms.max_defect_rate, terms.confidence
    studies = verified_studies(session, only)
    if sample:
        drawn = stratified_sample(session.folder(), rates, session.config().run.name, each=terms.each_stratum)
        studies = sorted(set(drawn).intersection(studies))
    studies = studies[:limit]
    outcomes = verify_again(session, studies)
    found = write_acceptance(manifests, rates)
    session.result({"studies": len(studies), "instances": dict(outcomes), "acceptance": asdict(found)})
    session.tell(
        f"compared by content: {found.compared:,} of {found.studies:,} studies, {found.defective:,} differ; with "
        f"{found.confidence:.0%} confidence at most {found.bound:.4%} of all differ"
    )
    if outcomes["differs"] or outcomes["missing"]:
        raise typer.Exit(DIFFER)


def verified_studies(session: Session, only: str) -> list[str]:
    """The studies that stand as VERIFIED, all or those named, by rising UID."""
    from migrate.errors import UsageError
    from migrate.journal.read import study_states

    named = {uid.strip() for uid in only.split(",") if uid.strip()}
    verified = [row["study_instance_uid"] for row in study_states(session.folder()) if row["state"] == "VERIFIED"]
    if unknown := sorted(named.difference(verified)):
        raise UsageError("this study is not verified", "see: migrate status --story STUDY_UID", study=unknown[0])
    return [uid for uid in verified if not named or uid in named]


def undo_check(session: Session, sample: int) -> None:
    """Rebuild originals from the ledger; exit 4 when one does not come back."""
    from migrate.engine.undoing import undo_check as check

    found = check(session.folder(), session.config(), sample)
    session.result(
        {"reversible": len(found.reversible), "irreversible": found.irreversible, "not_comparable": found.other}
    )
    session.tell(f"{len(found.reversible):,} originals came back from the ledger, {len(found.irreversible):,} did not")
    for uid in found.irreversible:
        session.tell(f"  does not come back: {uid}")
    if found.other:
        session.tell(f"{len(found.other):,} are not held as they were sent, so nothing can be said of them")
    if found.irreversible:
        raise typer.Exit(DIFFER)


def _told(outcomes: Counter[str]) -> str:
    return ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(outcomes.items()))
