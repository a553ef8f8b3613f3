"""What the crawl tests share: one crawl of an archive that lives in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from migrate.demo.misbehaviour import FindMisbehaviours
from migrate.demo.rows import Catalogue
from migrate.demo.simulated import SimulatedSource
from migrate.journal.windows import prepare
from migrate.manifest.fold import draft_batches
from migrate.manifest.place import Manifests
from migrate.manifest.read import read_table
from migrate.model import Level
from migrate.stages.crawl import CrawlRequest, CrawlResult, Finder, crawl
from migrate.stages.crawl.sweeping import Sweeping, Swept

FIRST, LAST = date(2020, 1, 1), date(2020, 3, 31)


def no_pause(_: float) -> None:
    """Tests do not wait."""


@contextmanager
def journal(run_folder: Path) -> Iterator[sqlite3.Connection]:
    """A connection as the journal store gives it."""
    path = run_folder / "journal.sqlite"
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        yield db
    finally:
        db.close()


def request(run_folder: Path, db: sqlite3.Connection, open_finder: Callable[[], Finder], **terms: Any) -> CrawlRequest:
    """A crawl of the first quarter of 2020, at STUDY level, on one association."""
    asked = CrawlRequest(
        manifests=Manifests(run_folder, "TEST"),
        db=db,
        open_finder=open_finder,
        first=FIRST,
        last=LAST,
        level=Level.STUDY,
        pause=no_pause,
    )
    return replace(asked, **terms)


def crawled(
    run_folder: Path, archive: Catalogue, orders: FindMisbehaviours | None = None, **terms: Any
) -> tuple[CrawlResult, SimulatedSource]:
    """Crawl an archive that misbehaves as ordered; gives the result and the source that was asked."""
    source = SimulatedSource(archive, orders or FindMisbehaviours())
    with journal(run_folder) as db:
        return crawl(request(run_folder, db, lambda: source, **terms)), source


def swept(
    run_folder: Path, archive: Catalogue, orders: FindMisbehaviours, **terms: Any
) -> tuple[Swept, set[str], SimulatedSource]:
    """The sweeps alone, nothing published: what they prove, the studies found, the source that was asked."""
    source = SimulatedSource(archive, orders)
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    prepare(db)
    asked = request(run_folder, db, lambda: source, **terms)
    result = Sweeping(asked, "1").run()
    batches = draft_batches(asked.manifests, "1", ["study_instance_uid"])
    found = {uid for batch in batches for uid in batch["study_instance_uid"].to_pylist()}
    db.close()
    return result, found, source


def column(run_folder: Path, table: str, name: str) -> list[Any]:
    """One column of a published table."""
    values: list[Any] = read_table(run_folder, table, [name])[name].to_pylist()
    return values
