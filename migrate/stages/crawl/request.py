"""What a crawl is asked to do, and what it answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Protocol

from migrate.manifest.place import Manifests
from migrate.manifest.study_list import StudyList
from migrate.model import Level
from migrate.peers import FindEnd, Match
from migrate.stages.crawl.windows import ALPHABET


class Finder(Protocol):
    """The part of `migrate.peers.Source` that a crawl needs."""

    def find(self, level: Level, keys: Mapping[str, str], on_match: Callable[[Match], None]) -> FindEnd:
        """Ask one query; see `migrate.peers.Source.find`."""
        ...

    def close(self) -> None:
        """Release the association."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """Where a crawl stands: `windows` decided, `open_windows` known to be left, `answers` so far."""

    phase: str
    windows: int = 0
    open_windows: int = 0
    answers: int = 0
    listed_studies: int = 0
    studies: int | None = None
    where: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeltaTerms:
    """What a delta crawl lists again besides what changed: studies of the last `days` days, or all.

    `today` is the day from which `days` count back.
    """

    today: date
    days: int = 30
    thorough: bool = False


def now() -> str:
    """The time for people, ISO 8601 in UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True, kw_only=True, slots=True)
class CrawlRequest:
    """A crawl to order.

    Args:
        manifests: Where the tables go.
        db: The journal's connection, in autocommit mode; used by one thread at a time.
        open_finder: Makes one association; called once per worker.
        first: First day of the range that is cut year by year.
        last: Last day of it; today when everything is asked for.
        whole: Everything the source holds: days before and after the range, and studies without a
            date by a second axis. False: the range only, and no certificate for the rest.
        level: How deep: `STUDY`, `SERIES` or `IMAGE`.
        result_cap: The peer's result cap as configured or learnt; None when unknown.
        relational: The peer answers IMAGE queries without a Series Instance UID.
        smallest_silent_cap: An answer of fewer rows is whole when it ends with success.
        plausible_cap: Whether a count may be a silent cap. Of others the universal answer is believed,
            if it holds every study that any closed window showed.
        associations: How many queries at once.
        called_ae_title: Who is asked; recorded with every window.
        attempts: How often one query is tried before it counts as unanswered.
        answer_limit: Answers after which one query counts as endless.
        stale_answers: Answers without a new UID after which one query counts as endless.
        most_windows: Windows after which a crawl that cannot be closed gives up.
        flush_rows: Rows after which what was found is made durable.
        flush_s: Seconds after which it is made durable.
        recheck_share: Share of the closed windows that is asked again at the end.
        small_archive: Up to so many answers a third axis costs nothing worth saving.
        alphabet: Letters that a text key is asked for at each place, besides those that were seen.
        progress: Told where the crawl stands, about once per window.
        stopping: Says that somebody asked to stop.
        pause: Waits so many seconds before the same query is asked again.
        clock: The time for people.
        delta: Compare with the tables of the crawl before, and list only what may have changed.
        against: A list of studies that should be there; what was not found is asked for by itself.
    """

    manifests: Manifests
    db: Any
    open_finder: Callable[[], Finder]
    first: date
    last: date
    whole: bool = True
    level: Level = Level.IMAGE
    result_cap: int | None = None
    relational: bool = False
    smallest_silent_cap: int = 1
    plausible_cap: Callable[[int], bool] = lambda _: True
    associations: int = 1
    called_ae_title: str = ""
    attempts: int = 4
    answer_limit: int = 5_000_000
    stale_answers: int = 50_000
    most_windows: int = 1_000_000
    flush_rows: int = 5_000
    flush_s: float = 20.0
    recheck_share: float = 0.02
    small_archive: int = 10_000
    alphabet: str = ALPHABET
    progress: Callable[[Progress], None] = lambda _: None
    stopping: Callable[[], bool] = lambda: False
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], str] = now
    delta: DeltaTerms | None = None
    against: StudyList | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """How many studies neither axis found, with a 95 % confidence interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ListOutcome:
    """How a list and the crawl agree.

    Args:
        name: The file.
        rows: Lines of the list that name a study.
        invalid_rows: (line, why) of lines that name none; the first hundred.
        repeated_rows: Lines that name a study once more.
        found_by_crawl: Studies of the list that the sweeps had found.
        added: Studies of the list that the source gave when asked for them alone.
        missing: Lines that the source knows nothing of, or gave no answer to.
        estimate: What neither the sweeps nor the list name.
    """

    name: str
    rows: int
    invalid_rows: tuple[tuple[int, str], ...]
    repeated_rows: int
    found_by_crawl: int
    added: int
    missing: int
    estimate: Estimate


@dataclass(frozen=True, kw_only=True, slots=True)
class DeltaOutcome:
    """What has changed since the crawl before.

    Args:
        round: 1 for the first delta crawl after a whole one.
        kinds: Kind -> studies.
        listed_again: Studies whose series and instances were asked for again.
        fixed_point: Nothing has changed, and the crawl is closed.
    """

    round: int
    kinds: Mapping[str, int]
    listed_again: int
    fixed_point: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class CrawlResult:
    """What a crawl found, and whether it can prove that this is all.

    `doubts` are sentences: why it is not closed. `open_windows` are names fit for people.
    `covered_windows` were not proven themselves, and lie in windows that are closed all the same.
    """

    crawl_id: str
    closed: bool
    windows: int
    capped_windows: int
    studies: int
    series: int
    instances: int
    undated_studies: int
    estimated_undiscovered: Estimate | None
    open_windows: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    defects: Mapping[str, int] = field(default_factory=dict)
    by_axis: Mapping[str, int] = field(default_factory=dict)
    rechecked_windows: int = 0
    sins: Mapping[str, int] = field(default_factory=dict)
    against: ListOutcome | None = None
    delta: DeltaOutcome | None = None
    covered_windows: int = 0
