"""A landing area, and a disk so small that a test can fill it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from migrate.staging.area import LandingArea
from tests.peers.disk import small_disk_mounted


@pytest.fixture
def area(tmp_path: Path) -> Iterator[LandingArea]:
    landing = LandingArea(tmp_path / "staging")
    yield landing
    landing.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 4 MiB."""
    with small_disk_mounted(tmp_path / "small-disk") as folder:
        yield folder
