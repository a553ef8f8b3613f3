"""Where the tables of a run folder lie, and how a file or folder there comes to be durable."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from migrate.errors import UsageError

_PART_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
_PARTITION = "source="


@dataclass(frozen=True, slots=True)
class Manifests:
    """The tables of one source in one run folder."""

    run_folder: Path
    source: str

    @property
    def work_folder(self) -> Path:
        """Where unfinished files stand: outside of every table, on the same filesystem."""
        return self.run_folder / "manifests" / ".work"

    def table_folder(self, table: str) -> Path:
        """`manifests/<table>/source=<NAME>`."""
        return self.run_folder / "manifests" / table / f"{_PARTITION}{quote(self.source, safe='')}"

    def part_path(self, table: str, part_id: str) -> Path:
        """The file of one part; the same `part_id` always gives the same file.

        Raises:
            UsageError: `part_id` is not made of letters, digits, dot, dash and underscore.
        """
        if not _PART_ID.fullmatch(part_id):
            raise UsageError("a part id has letters, digits, dot, dash, underscore only", table=table)
        return self.table_folder(table) / f"part-{part_id}.parquet"


def sources_of(run_folder: Path, table: str) -> list[str]:
    """Names of the sources that have a folder for this table."""
    folder = run_folder / "manifests" / table
    if not folder.is_dir():
        return []
    names = (entry.name for entry in folder.iterdir() if entry.name.startswith(_PARTITION))
    return sorted(unquote(name.removeprefix(_PARTITION)) for name in names)


def private_folder(folder: Path) -> None:
    """Make a folder and its missing parents, readable by the owner alone, durable."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
        sync_folder(each.parent)


def sync_folder(folder: Path) -> None:
    """Make renames inside a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
