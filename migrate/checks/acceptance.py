"""From the tables to a sample, and from what was compared to the bound that it proves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from migrate.checks.balance import heading_of, is_proven
from migrate.checks.march import march
from migrate.checks.sampling import Reached, Stratum, allocation, choose, counted, reached, sample_size
from migrate.journal.read import study_states
from migrate.manifest.place import Manifests
from migrate.manifest.sides import StudySide, study_sides
from migrate.manifest.write import replace_table
from migrate.model import BY_CONTENT, Outcome

VERIFIED = "VERIFIED"
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


@dataclass(slots=True)
class Compared:
    """Counts studies one by one, for all of them and for each stratum.

    Studies count that are VERIFIED or were set aside by a comparison; one was compared when every
    instance that arrived was compared by content.
    """

    _whole: _Count = field(default_factory=_Count)
    _strata: dict[Stratum, _Count] = field(default_factory=dict)

    def add(self, side: StudySide, state: str | None) -> None:
        """Count one study; `state` is the journal's."""
        bad, by_content = _looked_at(side)
        if bad or state == VERIFIED:
            for count in (self._whole, self._strata.setdefault(_stratum(side), _Count())):
                count.studies, count.compared = count.studies + 1, count.compared + (bad or by_content)
                count.defective += bad

    def write(self, manifests: Manifests, terms: tuple[float, float]) -> Reached:
        """Write the table `acceptance` anew; the result for all studies.

        Raises:
            LocalError: The disk is full or not writable; the old table stays.
        """
        rate, confidence = terms
        lines = [("all", Stratum(None, None, None, None), self._whole.reached(confidence))]
        lines += [("stratum", one, count.reached(confidence)) for one, count in sorted(self._strata.items(), key=str)]
        columns: dict[str, list[object]] = {"scope": [scope for scope, _, _ in lines]}
        columns |= {name: [getattr(one, name) for _, one, _ in lines] for name in Stratum._fields}
        columns |= {name: [getattr(found, name) for _, _, found in lines] for name in RESULT}
        replace_table(manifests, "acceptance", [columns | {"max_defect_rate": [rate] * len(lines)}])
        return lines[0][2]


def write_acceptance(manifests: Manifests, terms: tuple[float, float]) -> Reached:
    """Write the table `acceptance` anew: what content comparisons prove, for all studies and for each stratum.

    The bound presumes that studies were not chosen for what is in them.

    Args:
        manifests: Whose run.
        terms: The defect rate to stay below, and the confidence.

    Returns:
        The result for all studies.

    Raises:
        ManifestDamaged, JournalError, LocalError: The run folder cannot be read or written.
    """
    found = Compared()
    for side, state in _with_state(manifests.run_folder):
        found.add(side, state)
    return found.write(manifests, terms)


def _looked_at(side: StudySide) -> tuple[bool, bool]:
    """Some instance was found to differ or to be missing; every instance was compared by content."""
    arrived = [one for one in ((side.alike,) if side.alike else side.instances) if one.received]
    bad = any(one.outcome in BAD for one in arrived)
    return bad, bool(arrived) and all(is_proven(one, BY_CONTENT) for one in arrived)


def _verified(run_folder: Path) -> Iterator[tuple[str, Stratum]]:
    for side, state in _with_state(run_folder):
        if state == VERIFIED:
            yield side.study_instance_uid, _stratum(side)


def _with_state(run_folder: Path) -> Iterator[tuple[StudySide, str | None]]:
    """Every study that the tables know with its state; two sorted sides, one walk."""
    sides = ((side.study_instance_uid, side) for side in study_sides(run_folder))
    for step in march(sides, ((row["study_instance_uid"], row["state"]) for row in study_states(run_folder))):
        if step.source is not None:
            yield step.source, step.destination


def _stratum(side: StudySide) -> Stratum:
    return Stratum(*heading_of(side), side.transfer_syntax_uid)
