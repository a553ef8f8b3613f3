"""A migration between two embedded peers, to order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.migration import Migrate, migrations


@pytest.fixture
def migration(tmp_path: Path) -> Iterator[Migrate]:
    """A function: recipes of the studies, settings over the quick ones, `legacy=` and `dir_=` orders."""
    with migrations(tmp_path) as start:
        yield start
