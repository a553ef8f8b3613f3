"""What the tests of delta crawls share."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import date
from pathlib import Path

from migrate.manifest.place import Manifests
from migrate.model import Level
from migrate.stages.crawl import CrawlRequest, Finder


def no_pause(_: float) -> None:
    """Tests do not wait."""


def delta_request(run_folder: Path, db: sqlite3.Connection, open_finder: Callable[[], Finder]) -> CrawlRequest:
    """A whole crawl down to single instances, of a source whose cap is known and far away."""
    return CrawlRequest(
        manifests=Manifests(run_folder, "TEST"),
        db=db,
        open_finder=open_finder,
        first=date(2020, 1, 1),
        last=date(2020, 3, 31),
        level=Level.IMAGE,
        result_cap=1_000,
        flush_s=1e9,
        alphabet="123APN",
        small_archive=0,
        pause=no_pause,
    )
