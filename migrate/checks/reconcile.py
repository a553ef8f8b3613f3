"""Both sides walked together: findings, and the balance.

The source side is what the crawl listed and what arrived; the destination side is what it answers
now. An instance that the destination did not name is asked for again, its study alone, before it is
called missing. Content was compared when the instance was verified; here that proof is joined with
what the destination says today.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from migrate.checks import acceptance
from migrate.checks.balance import BOOKS, PROOFS, REJECTED, BalanceLine, Books
from migrate.checks.findings import CHECKS, Compared, Finding, Seen, seen_of
from migrate.checks.march import Tally, march
from migrate.checks.sampling import Reached
from migrate.journal import read as journal
from migrate.manifest.place import Manifests
from migrate.manifest.sides import StudySide, study_sides
from migrate.manifest.write import replace_table
from migrate.model import Outcome

Held = Iterable[tuple[str, AbstractSet[str]]]
ROWS_PER_BATCH = 10_000
# From these states on the destination may hold the study, so a gap is asked for again.
DUE = frozenset({"UPLOADED", "VERIFIED", "QUARANTINED", "CHANGED"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Destination:
    """What the destination says.

    Args:
        held: (Study Instance UID, SOP Instance UIDs held), rising; studies it does not hold may be left out.
        holds: Asks again about one study, for what `held` did not name.
    """

    held: Held
    holds: Callable[[str], AbstractSet[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReconcileOptions:
    """How to reconcile.

    Args:
        destination: What the destination says; None: nobody asked it.
        proofs: What proves an instance.
        terms: The defect rate to stay below, and the confidence: what the table `acceptance` is about.
    """

    destination: Destination | None = None
    proofs: frozenset[str] = PROOFS
    terms: tuple[float, float] = (0.001, 0.95)


@dataclass(slots=True)
class Reconciliation:
    """What came out. `unexplained` counts findings that no exception, exclusion or open work explains."""

    balanced: bool = True
    studies: dict[str, int] = field(default_factory=dict)
    series: dict[str, int] = field(default_factory=dict)
    instances: dict[str, int] = field(default_factory=dict)
    size_bytes: dict[str, int] = field(default_factory=dict)
    findings: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    unexplained: int = 0
    acceptance: Reached | None = None

    def to_json(self) -> dict[str, Any]:
        """The object of `reconcile --json`: findings counts instances (and extra studies' instances)."""
        return {
            "balanced": self.balanced,
            "studies": self.studies,
            "instances": self.instances,
            "findings": self.findings,
            "rejected": self.rejected,
        }


def reconcile(run_folder: Path, source: str, options: ReconcileOptions | None = None) -> Reconciliation:
    """Walk both sides once, write the tables `findings`, `balance` and `acceptance`, and say what came out.

    Args:
        run_folder: The run folder.
        source: Name of the source: the partition that the tables are written to.
        options: The destination's answers and what proves an instance.

    Raises:
        LocalError: The books do not balance, or a side is not sorted; the old tables stay.
        ManifestDamaged: A table cannot be read.
    """
    walk = _Walk(run_folder, options or ReconcileOptions())
    manifests = Manifests(run_folder, source)
    replace_table(manifests, "findings", _finding_batches(walk.findings()))
    lines = list(walk.books.lines())
    replace_table(manifests, "balance", [_balance_columns(lines)])
    return replace(walk.result(), acceptance=walk.compared.write(manifests, walk.options.terms))


@dataclass(slots=True)
class _Walk:
    """One pass over all studies: counts what it yields."""

    run_folder: Path
    options: ReconcileOptions
    books: Books = field(init=False)
    tally: Tally = field(default_factory=Tally)
    compared: acceptance.Compared = field(default_factory=acceptance.Compared)
    unexplained: int = 0
    unknown_studies: int = 0
    _at_source: int = 0
    _at_destination: int = 0

    def __post_init__(self) -> None:
        self.books = Books(proofs=self.options.proofs)

    def findings(self) -> Iterator[Finding]:
        """Everything that is not a plain match, study by study.

        Raises:
            LocalError: An instance of either side was not accounted for.
        """
        for seen in self._studies():
            compared = seen.compared()
            self._count(seen, compared)
            for check in CHECKS.values():
                for finding in check(seen, compared):
                    self.unexplained += not finding.explained
                    yield finding
        self.tally.check(self._at_source, self._at_destination)

    def _studies(self) -> Iterator[Seen]:
        """Source, journal and destination side by side: three sorted sides, two marches."""
        rows = ((row["study_instance_uid"], row) for row in journal.study_states(self.run_folder))
        known = march(((side.study_instance_uid, side) for side in study_sides(self.run_folder)), rows)
        destination = self.options.destination
        answered = march(((step.key, step) for step in known), destination.held if destination else ())
        for step in answered:
            side, row = (step.source.source, step.source.destination) if step.source else (None, None)
            held = self._held(step.key, side, row, step.destination) if destination else None
            yield replace(seen_of(side, row, held, self.options.proofs), study_instance_uid=step.key)

    def _held(
        self, uid: str, side: StudySide | None, row: Mapping[str, Any] | None, named: AbstractSet[str] | None
    ) -> AbstractSet[str]:
        """What the destination holds of a study; asked again, alone, for what it did not name."""
        held = named or frozenset()
        destination = self.options.destination
        due = side is not None and row is not None and row["state"] in DUE
        if destination and side and due and any(i.sop_instance_uid not in held for i in side.instances):
            return held | destination.holds(uid)
        return held

    def _count(self, seen: Seen, compared: Compared) -> None:
        if seen.side is not None:
            self.books.add(seen.side, seen.state)
            self.compared.add(seen.side, seen.state)
        self.unknown_studies += seen.state is not None and (seen.side is None or not seen.side.in_crawl)
        outcomes = compared.outcomes()
        for outcome, times in outcomes.items():
            self.tally.add(outcome, times)
        self._at_source += compared.source
        self._at_destination += len(compared) - outcomes[Outcome.MISSING] if seen.held is None else len(seen.held)

    def result(self) -> Reconciliation:
        """The totals; unbalanced when the journal knows a study that no crawl listed."""
        totals, rejected = self.books.totals(), self.books.rejected()
        return Reconciliation(
            balanced=not self.unknown_studies,
            studies=totals["STUDY"],
            series=totals["SERIES"],
            instances=totals["IMAGE"],
            size_bytes=totals["BYTES"],
            findings={outcome.value: self.tally.outcomes[outcome] for outcome in Outcome},
            unexplained=self.unexplained,
            rejected={"studies": rejected["STUDY"], "instances": rejected["IMAGE"]},
        )


def _finding_batches(findings: Iterator[Finding]) -> Iterator[dict[str, list[Any]]]:
    names = ("level", "uid", "outcome", "exception_class", "detail", "study_instance_uid")
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for finding in findings:
        for name in names:
            columns[name].append(getattr(finding, name))
        if len(columns["uid"]) >= ROWS_PER_BATCH:
            yield columns
            columns = {name: [] for name in names}
    yield columns


def _balance_columns(lines: list[BalanceLine]) -> dict[str, list[Any]]:
    heads = {name: [getattr(line.heading, name) for line in lines] for name in ("year", "modality", "facility")}
    counts = {name: [getattr(line, name) for line in lines] for name in ("level", "source", *BOOKS, REJECTED)}
    return {**heads, **counts}
