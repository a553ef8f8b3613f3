"""From the tables to a sample, and from what was compared to the bound that it proves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from migrate.checks.balance import heading_of, is_proven
from migrate.checks.sampling import Reached, Stratum, allocation, choose, counted, reached, sample_size
from migrate.journal.read import study_states
from migrate.manifest.place import Manifests
from migrate.manifest.sides import StudySide
from migrate.manifest.strata import studies_with_syntax
from migrate.manifest.write import replace_table
from migrate.model import BY_CONTENT, Outcome

RESULT = ("studies", "compared", "defective", "confidence", "bound")
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


@dataclass(slots=True)
class _Count:
    """Studies that moved, were compared by content, differ."""

    studies: int = 0
    compared: int = 0
    defective: int = 0

    def reached(self, confidence: float) -> Reached:
        return reached(self.studies, self.compared, self.defective, confidence)


def write_acceptance(manifests: Manifests, terms: tuple[float, float]) -> Reached:
    """Write the table `acceptance` anew: what content comparisons prove, for all studies and for each stratum.

    Studies count that are VERIFIED or were set aside by a comparison; one was compared when every
    instance that arrived was compared by content. The bound presumes that studies were not chosen
    for what is in them.

    Args:
        manifests: Whose run.
        terms: The defect rate to stay below, and the confidence.

    Returns:
        The result for all studies.

    Raises:
        ManifestDamaged, JournalError, LocalError: The run folder cannot be read or written.
    """
    whole, strata = _Count(), dict[Stratum, _Count]()
    verified = _uids(manifests.run_folder)
    for side, syntax in studies_with_syntax(manifests.run_folder):
        bad, by_content = _looked_at(side)
        if bad or side.study_instance_uid in verified:
            for count in (whole, strata.setdefault(_stratum(side, syntax), _Count())):
                count.studies, count.compared = count.studies + 1, count.compared + (bad or by_content)
                count.defective += bad
    rate, confidence = terms
    lines = [("all", Stratum(None, None, None, None), whole.reached(confidence))]
    lines += [("stratum", one, count.reached(confidence)) for one, count in sorted(strata.items(), key=str)]
    columns: dict[str, list[object]] = {"scope": [scope for scope, _, _ in lines]}
    columns |= {name: [getattr(one, name) for _, one, _ in lines] for name in Stratum._fields}
    columns |= {name: [getattr(found, name) for _, _, found in lines] for name in RESULT}
    replace_table(manifests, "acceptance", [columns | {"max_defect_rate": [rate] * len(lines)}])
    return lines[0][2]


def _looked_at(side: StudySide) -> tuple[bool, bool]:
    """Some instance was found to differ or to be missing; every instance was compared by content."""
    arrived = [one for one in side.instances if one.received]
    bad = any(one.outcome in BAD for one in arrived)
    return bad, bool(arrived) and all(is_proven(one, BY_CONTENT) for one in arrived)


def _verified(run_folder: Path) -> Iterator[tuple[str, Stratum]]:
    verified = _uids(run_folder)
    for side, syntax in studies_with_syntax(run_folder):
        if side.study_instance_uid in verified:
            yield side.study_instance_uid, _stratum(side, syntax)


def _stratum(side: StudySide, syntax: str | None) -> Stratum:
    return Stratum(*heading_of(side), syntax)


def _uids(run_folder: Path) -> frozenset[str]:
    return frozenset(row["study_instance_uid"] for row in study_states(run_folder) if row["state"] == "VERIFIED")
