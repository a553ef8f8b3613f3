"""The fingerprint of each table: what an acceptance certificate rests on.

The digest of a table is xxh3_128 over one line for each of its files, in order of their paths:
`<xxh3_128 of the file>  <path below manifests/>`, each line ended by a line feed.
"""

from __future__ import annotations

import mmap
from pathlib import Path

import pyarrow.parquet as pq

from migrate.dicom.digest import xxh3
from migrate.errors import ManifestDamaged
from migrate.report.facts import Digest
from migrate.report.run import Run


def digests(run: Run) -> list[Digest]:
    """One line for each table that was written, tables with identifiers included (a digest tells nothing).

    Raises:
        ManifestDamaged: A file cannot be read.
    """
    return [_digest(run.path / "manifests", table) for table in run.tables()]


def _digest(manifests: Path, table: str) -> Digest:
    files = sorted((manifests / table).rglob("*.parquet"))
    try:
        lines = [f"{_of_file(path)}  {path.relative_to(manifests).as_posix()}\n" for path in files]
        rows = sum(pq.read_metadata(path).num_rows for path in files)
    except OSError as error:
        raise ManifestDamaged("a table cannot be read", table=table, reason=type(error).__name__) from None
    return Digest(table=table, files=len(files), rows=rows, xxh3=xxh3("".join(lines).encode()))


def _of_file(path: Path) -> str:
    if path.stat().st_size == 0:
        return xxh3(b"")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        view = memoryview(content)
        try:
            return xxh3(view)
        finally:
            view.release()
