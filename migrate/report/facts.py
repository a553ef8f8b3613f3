"""Everything a report says, as plain values: the sections read this and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from migrate.model import BY_CONTENT
from migrate.report.freeze import Cutover

BOOKS = ("migrated", "excluded", "failed", "pending")
LEVELS = ("STUDY", "SERIES", "IMAGE", "BYTES")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One line of the balance. Empty `year`, `modality` or `facility` means that nobody knows."""

    year: str
    modality: str
    facility: str
    level: str
    source: int
    migrated: int
    excluded: int
    failed: int
    pending: int

    @property
    def balances(self) -> bool:
        """Source = migrated + excluded + failed + pending."""
        return self.source == self.migrated + self.excluded + self.failed + self.pending


@dataclass(frozen=True, kw_only=True, slots=True)
class Exceptional:
    """One study that needs a person, or that stays behind."""

    exception_class: str
    study_instance_uid: str
    state: str
    facility: str
    detail: str
    since: str
    age_days: int
    disposition: str = "open"
    owner: str = ""
    due: str = ""
    overdue: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """One run: who, from which account, which stages, with which version and rule packs."""

    at: str
    operator: str
    os_user: str
    stages: str
    version: str
    packs: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """What there is of one kind (a modality, a transfer syntax, a SOP class)."""

    key: str
    name: str
    studies: int | None = None
    series: int | None = None
    instances: int | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """The windows of one crawl axis."""

    axis: str
    windows: int
    closed: int
    capped: int
    matches: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Crawl:
    """The crawl certificate. `estimate` is (estimate, low, high) or None when none was made.

    `doubts` are sentences about what the peer did that a count alone does not show.
    """

    axes: Sequence[Axis] = ()
    open_windows: Sequence[tuple[str, str, str, str, int | None]] = ()
    closed: bool = False
    started_at: str | None = None
    finished_at: str | None = None
    studies: int = 0
    series: int = 0
    instances: int = 0
    undated_studies: int = 0
    doubts: Sequence[str] = ()
    estimate: tuple[float, float, float] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Acceptance:
    """What was compared by content, and the share of all studies that this leaves in doubt."""

    studies: int
    compared: int
    defective: int
    confidence: float
    bound: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Fidelity:
    """How instances were proven: (method, outcome) -> instances, and the ones that differ.

    `census`: kind, instances at the source, instances at the destination. `lookalikes`: kind, policy, pairs.
    `keeps_outside`: the source's product, where it is known to keep annotations outside DICOM; "" where not.
    """

    proofs: Mapping[tuple[str, str], int] = field(default_factory=dict)
    differing: Sequence[tuple[str, str, str]] = ()
    more_differing: int = 0
    acceptance: Acceptance | None = None
    census: Sequence[tuple[str, int, int]] = ()
    lookalikes: Sequence[tuple[str, str, int]] = ()
    keeps_outside: str = ""

    @property
    def proven(self) -> int:
        """Instances of which content was compared and is the same."""
        return sum(self.proofs.get((method, "match"), 0) for method in BY_CONTENT)

    def with_outcome(self, outcome: str) -> int:
        """Instances whose last check had this outcome, whatever the method."""
        return sum(n for (_, found), n in self.proofs.items() if found == outcome)


@dataclass(frozen=True, kw_only=True, slots=True)
class Changed:
    """What one rule did to one attribute."""

    rule: str
    pack: str
    pack_version: str
    keyword: str
    instances: int
    identifying: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Differences:
    """The findings of the reconciliation: (level, outcome) -> lines, and the lines themselves."""

    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    lines: Sequence[tuple[str, str, str, str, str]] = ()
    more_lines: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """How much had been found, received, sent and verified by then (instances, cumulative)."""

    at: str
    found: int
    received: int
    uploaded: int
    verified: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """What was moved on one day (UTC): instances, and the bytes that were received.

    `closed_s` and `slowed_s`: how long the calendar or the throttle held a run up.
    """

    day: str
    received: int
    size_bytes: int
    uploaded: int
    verified: int
    closed_s: float = 0.0
    slowed_s: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """How fast a stage was while it worked: minutes in which it did something."""

    stage: str
    instances: int
    size_bytes: int | None
    active_minutes: int

    @property
    def per_minute(self) -> int:
        """Instances in an average active minute, rounded down."""
        return self.instances // max(self.active_minutes, 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlap:
    """Studies that several sources hold (names joined -> studies), and repeated exams (modality -> studies).

    `lines` are (study, the one before it, modality, days between).
    """

    days: int = 0
    shared: Mapping[str, int] = field(default_factory=dict)
    repeated: Mapping[str, int] = field(default_factory=dict)
    lines: Sequence[tuple[str, str, str, int]] = ()
    more_lines: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Predicted:
    """When the run will end: dates by quantile, hours of work in the median, and what holds it up.

    `busy` is the share of its places that each stage keeps busy; the rest says what was assumed.
    """

    ends: Mapping[str, str]
    work_hours: float
    studies: int
    learnt_from: int
    open_hours_a_week: float
    source_associations: int
    destination_associations: int
    bottleneck: str
    busy: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Digest:
    """The fingerprint of one table's files."""

    table: str
    files: int
    rows: int
    xxh3: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """One run, as a report sees it. Times are ISO 8601."""

    name: str
    source: str
    destination: str
    generated_at: str
    balance: Sequence[Entry] = ()
    states: Mapping[str, int] = field(default_factory=dict)
    exceptions: Sequence[Exceptional] = ()
    held: Sequence[Held] = ()
    syntaxes: Sequence[Held] = ()
    sop_classes: Sequence[Held] = ()
    crawl: Crawl = field(default_factory=Crawl)
    fidelity: Fidelity = field(default_factory=Fidelity)
    changes: Sequence[Changed] = ()
    differences: Differences = field(default_factory=Differences)
    flow: Sequence[Flow] = ()
    rates: Sequence[Rate] = ()
    days: Sequence[Day] = ()
    config: Sequence[tuple[str, str]] = ()
    versions: Sequence[tuple[str, str]] = ()
    digests: Sequence[Digest] = ()
    started_at: str | None = None
    ended_at: str | None = None
    cutover: Cutover = field(default_factory=Cutover)
    runs: Sequence[Ran] = ()
    four_eyes: bool = False
    overlap: Overlap = field(default_factory=Overlap)
    forecast: Predicted | None = None

    def total(self, level: str) -> Entry:
        """The sum of the balance at one level."""
        return summed([entry for entry in self.balance if entry.level == level], level)

    @property
    def balanced(self) -> bool:
        """There is a balance and every line of it adds up."""
        return bool(self.balance) and all(entry.balances for entry in self.balance)

    @property
    def stale(self) -> bool:
        """The run went on after the books were made: the journal says other numbers."""
        study = self.total("STUDY")
        said = (study.migrated, study.excluded, study.failed)
        now = tuple(self.states.get(state, 0) for state in ("VERIFIED", "EXCLUDED", "QUARANTINED"))
        return bool(self.states) and said != now

    @property
    def open_exceptions(self) -> list[Exceptional]:
        """Studies that are not migrated and that nobody chose to leave behind."""
        return [line for line in self.exceptions if line.state != "EXCLUDED"]


def summed(entries: Iterable[Entry], level: str) -> Entry:
    """Add balance lines together."""
    lines = list(entries)
    return Entry(
        level=level,
        year="",
        modality="",
        facility="",
        source=sum(line.source for line in lines),
        migrated=sum(line.migrated for line in lines),
        excluded=sum(line.excluded for line in lines),
        failed=sum(line.failed for line in lines),
        pending=sum(line.pending for line in lines),
    )
