"""The crawl under the journal's lease, and what it found as rows of the journal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from migrate.audit.recorder import Recorder
from migrate.config import Config
from migrate.engine.auditing import AuditedFinder
from migrate.engine.following import follow_deltas
from migrate.engine.hours import zone
from migrate.engine.place import doorstep
from migrate.engine.planning import register_found
from migrate.errors import UsageError
from migrate.journal.read import states
from migrate.journal.states import State
from migrate.journal.store import Journal
from migrate.manifest.place import Manifests
from migrate.manifest.read import count_rows
from migrate.manifest.study_list import StudyList
from migrate.model import Level
from migrate.sources import open_source
from migrate.stages.crawl.close import plausible_cap
from migrate.stages.crawl.crawl import crawl
from migrate.stages.crawl.request import CrawlRequest, CrawlResult, DeltaTerms, Progress

# No PACS is known that cuts answers of fewer rows than this without a word; `source.result_cap` overrides it.
SMALLEST_SILENT_CAP = 50
NOT_YET_MOVED = frozenset({State.FOUND, State.PLANNED, State.EXCLUDED})


@dataclass(frozen=True, kw_only=True, slots=True)
class CrawlOrder:
    """What is asked for; None means as the configuration says.

    `delta_days` makes it a delta crawl, which lists studies of so many last days again, or all when
    `thorough`. `against` is a list of studies that should be there.
    """

    run_folder: Path
    config: Config
    first: date | None = None
    last: date | None = None
    level: str | None = None
    delta_days: int | None = None
    thorough: bool = False
    against: StudyList | None = None


def run_crawl(order: CrawlOrder, watch: Callable[[Progress], None], stopping: Callable[[], bool]) -> CrawlResult:
    """Crawl, publish the tables, register every study found.

    Raises:
        UsageError: Studies have been moved, and what has gone since would be forgotten.
        MigrateError: See `crawl`; the same call goes on where it stopped.
    """
    config, folder = order.config, order.run_folder
    door = doorstep(config, folder, 0, receiving=False)
    with Journal(folder) as journal, Recorder(folder, config) as recorder:
        _refuse_to_forget(order)
        follow_deltas(journal, folder, config)
        today = datetime.now(zone(config.run.timezone)).date()
        found = crawl(
            CrawlRequest(
                manifests=Manifests(folder, config.run.source),
                db=journal.db,
                open_finder=lambda: AuditedFinder(open_source(door), recorder),
                first=order.first or config.crawl.from_date,
                last=order.last or config.crawl.to_date or today,
                whole=not (order.first or order.last or config.crawl.to_date),
                level=Level(order.level or config.crawl.level),
                result_cap=open_source(door).features.result_cap,
                smallest_silent_cap=SMALLEST_SILENT_CAP,
                plausible_cap=plausible_cap,
                associations=config.limits.source_associations,
                called_ae_title=config.source.ae_title,
                progress=watch,
                stopping=stopping,
                delta=_delta(order, today),
                against=order.against,
            )
        )
        follow_deltas(journal, folder, config)
        register_found(journal, folder)
    return found


def _refuse_to_forget(order: CrawlOrder) -> None:
    """A crawl from nothing replaces the tables: what was moved and has gone since would vanish from the books."""
    moving = states(order.run_folder).keys() - NOT_YET_MOVED
    if order.delta_days is None and moving and count_rows(order.run_folder, "studies"):
        hint = "migrate crawl --delta keeps what has gone; with --thorough it lists every study again"
        raise UsageError(
            "studies have been moved: a crawl from nothing would forget those that the source deleted", hint
        )


def _delta(order: CrawlOrder, today: date) -> DeltaTerms | None:
    if order.delta_days is None:
        return None
    return DeltaTerms(today=today, days=order.delta_days, thorough=order.thorough)
