"""From the tables to a sample, and from what was compared to the bound that it proves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from migrate.checks.balance import heading_of, is_proven
from migrate.checks.sampling import Reached, Stratum, allocation, choose, counted, reached, sample_size
from migrate.journal.read import study_states
from migrate.manifest.sides import StudySide
from migrate.manifest.strata import studies_with_syntax
from migrate.model import Outcome

CONTENT = frozenset({"content"})
BAD = frozenset({Outcome.DIFFERS, Outcome.MISSING})


def stratified_sample(run_folder: Path, terms: tuple[float, float], seed: str, *, each: bool = False) -> list[str]:
    """VERIFIED studies to be compared by content, drawn by stratum.

    Args:
        run_folder: The run folder.
        terms: The defect rate to stay below, and the confidence.
        seed: Name of the run: the same run draws the same studies.
        each: Prove the rate for each stratum by itself, not only for all together.

    Raises:
        ManifestDamaged, JournalError: The run folder cannot be read.
    """
    strata = counted(_verified(run_folder))
    size = sample_size(*terms)
    wanted = {one: min(count, size) for one, count in strata.items()} if each else allocation(strata, size)
    return choose(_verified(run_folder), wanted, seed)


def bound_reached(run_folder: Path, confidence: float) -> Reached:
    """What content comparisons prove about all studies that moved (VERIFIED, or set aside by a comparison).

    A study counts as compared when every instance that arrived was compared by content; the bound
    presumes that studies were not chosen for what is in them.

    Raises:
        ManifestDamaged, JournalError: The run folder cannot be read.
    """
    studies = compared = defective = 0
    verified = _uids(run_folder)
    for side, _ in studies_with_syntax(run_folder):
        arrived = [one for one in side.instances if one.received]
        by_content = [one for one in arrived if one.method in CONTENT and one.outcome in {*BAD, Outcome.MATCH}]
        bad = any(one.outcome in BAD for one in by_content)
        if not bad and side.study_instance_uid not in verified:
            continue
        whole = bool(arrived) and all(is_proven(one, CONTENT) for one in arrived)
        studies, compared, defective = studies + 1, compared + (bad or whole), defective + bad
    return reached(studies, compared, defective, confidence)


def _verified(run_folder: Path) -> Iterator[tuple[str, Stratum]]:
    verified = _uids(run_folder)
    for side, syntax in studies_with_syntax(run_folder):
        if side.study_instance_uid in verified:
            yield side.study_instance_uid, _stratum(side, syntax)


def _stratum(side: StudySide, syntax: str | None) -> Stratum:
    return Stratum(*heading_of(side), syntax)


def _uids(run_folder: Path) -> frozenset[str]:
    return frozenset(row["study_instance_uid"] for row in study_states(run_folder) if row["state"] == "VERIFIED")
