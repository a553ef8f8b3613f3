"""A run folder as an analyst sees it: tables to read, nothing to write.

    import migrate

    run = migrate.open_run("R")
    run.tables()
    run.polars("studies")        # or .pandas, .duckdb, .dask, .table (Arrow), .scan (an Arrow dataset)
    run.doc("studies")           # what each column means, and its unit

Reading works while a run is on: a part of a table is there whole or not at all.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from migrate import config
from migrate.errors import ConfigError, UsageError
from migrate.journal import read as journal
from migrate.manifest.read import read_table, scan
from migrate.manifest.schema import TABLES, schema_of

# Tables that hold direct identifiers; reports never read them.
IDENTIFYING = frozenset({"identities", "identity_changes", "identities_xwalk"})
STATES_SCHEMA = pa.schema(
    [
        ("study_instance_uid", pa.string()),
        ("state", pa.string()),
        ("exception_class", pa.string()),
        ("detail", pa.string()),
        ("attempts", pa.int64()),
        ("updated_at", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Run:
    """One run folder, read-only."""

    path: Path

    def tables(self) -> list[str]:
        """Names of the tables that have been written so far."""
        return [name for name in TABLES if (self.path / "manifests" / name).is_dir()]

    def scan(self, table: str) -> ds.Dataset:
        """A table as an Arrow dataset: nothing is read yet. A table nobody wrote is empty.

        Raises:
            UsageError: There is no such table.
            FormatTooNew: Written by a newer version.
            ManifestDamaged: A file's footer cannot be read.
        """
        return scan(self.path, table)

    def table(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """A table in memory (Arrow). Raises what `scan` raises."""
        return read_table(self.path, table, columns)

    def doc(self, table: str) -> dict[str, str]:
        """Column -> what it means, with its unit in brackets."""
        return {field.name: _doc(field) for field in schema_of(table)}

    def states(self) -> pa.Table:
        """Every study's state now, from the journal: the columns of `STATES_SCHEMA`."""
        return pa.Table.from_pylist(list(journal.study_states(self.path)), schema=STATES_SCHEMA)

    def events(self) -> Iterator[dict[str, Any]]:
        """Every event of the journal, oldest first."""
        return journal.events(self.path)

    def config(self) -> config.Config | None:
        """The configuration; None when the folder has none (a copy of the manifests alone)."""
        try:
            return config.load(self.path / config.FILE_NAME)
        except ConfigError:
            return None

    def polars(self, table: str) -> Any:
        """A table as a Polars DataFrame."""
        return _extra("polars").from_arrow(self.table(table))

    def pandas(self, table: str) -> Any:
        """A table as a pandas DataFrame."""
        _extra("pandas")
        return self.table(table).to_pandas()

    def duckdb(self, table: str) -> Any:
        """A table as a DuckDB relation over the files: DuckDB reads what a query needs."""
        return _extra("duckdb").from_arrow(self.scan(table))

    def dask(self, table: str) -> Any:
        """A table as a Dask DataFrame, one partition for each file."""
        _extra("pandas")
        return _extra("dask.dataframe").read_parquet(self._files(table), engine="pyarrow")

    def _files(self, table: str) -> list[str]:
        dataset = self.scan(table)
        if not isinstance(dataset, ds.FileSystemDataset):
            raise UsageError("nobody has written this table yet", f"there are: {', '.join(self.tables())}", table=table)
        return list(dataset.files)


def open_run(path: str | Path) -> Run:
    """Open a run folder for reading.

    Raises:
        UsageError: There are no manifests in this folder.
    """
    folder = Path(path)
    if not (folder / "manifests").is_dir():
        raise UsageError(
            "this is not a run folder: it has no manifests", "give the folder of migration.toml", path=folder
        )
    return Run(folder)


def _doc(field: pa.Field) -> str:
    said: dict[str, str] = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
    unit = f" [{said['unit']}]" if said.get("unit") else ""
    return said.get("doc", "") + unit


def _extra(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        name = module.partition(".")[0]
        hint = "pip install 'cdi-migrate[notebook]'"
        raise UsageError(f"this needs {name}, which is not installed", hint, package=name) from None
