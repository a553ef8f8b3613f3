"""Reading tables: page checksums verified, newer formats refused, damage named.

`scan` is for analysts and the report; `batches` gives plain Python columns to everybody who has no
business with Arrow. Reading works while a run writes: a part is there whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from migrate.errors import FormatTooNew, ManifestDamaged
from migrate.manifest.place import Manifests, sources_of
from migrate.manifest.schema import FORMAT_KEY, FORMAT_VERSION, schema_of
from migrate.manifest.swap import recover_folder

ROWS_PER_BATCH = 32_768
_REPAIR = "restore the file from a copy, or move it away and run the command that wrote the table again"


def scan(run_folder: Path, table: str, source: str | None = None) -> ds.Dataset:
    """A table as a dataset, all sources or one; a table nobody wrote yet is empty.

    The partition column `source` is added, except to `balance`, which has a column of that name.
    Errors while the dataset is read are Arrow's own; `read_table` and `batches` translate them.

    Raises:
        FormatTooNew: A file was written by a newer version.
        ManifestDamaged: A file's footer cannot be read.
        UsageError: There is no such table.
    """
    schema = schema_of(table)
    names = sources_of(run_folder, table) if source is None else [source]
    parts = [part for name in names for part in parts_of(Manifests(run_folder, name), table)]
    partitioning = None
    if "source" not in schema.names:
        schema = schema.append(pa.field("source", pa.string(), metadata={"doc": "the source, from the folder name"}))
        partitioning = ds.partitioning(pa.schema([("source", pa.string())]), flavor="hive")
    if not parts:
        return ds.dataset(schema.empty_table())
    base = str(run_folder / "manifests" / table)
    return ds.dataset(
        [str(part) for part in parts],
        schema=schema,
        format=checked_format(),
        partitioning=partitioning,
        partition_base_dir=base,
    )


def checked_format() -> ds.ParquetFileFormat:
    """Parquet with page checksums verified: without it one flipped bit changes data silently."""
    return ds.ParquetFileFormat(
        default_fragment_scan_options=ds.ParquetFragmentScanOptions(page_checksum_verification=True)
    )


def parts_of(manifests: Manifests, table: str) -> list[Path]:
    """The files of one table of one source, in order, each with a readable footer of our format.

    Raises:
        FormatTooNew: A file was written by a newer version.
        ManifestDamaged: A file's footer cannot be read.
    """
    folder = manifests.table_folder(table)
    recover_folder(manifests.work_folder, folder)
    if not folder.is_dir():
        return []
    parts = sorted(path for path in folder.iterdir() if path.suffix == ".parquet")
    for part in parts:
        _check_footer(part)
    return parts


def _check_footer(part: Path) -> None:
    with readable(part):
        metadata = pq.read_schema(part).metadata or {}
    version = metadata.get(FORMAT_KEY, b"0")
    if not version.isdigit() or int(version) > FORMAT_VERSION:
        raise FormatTooNew(
            "a table was written by a newer version", "use that version", file=part.name, format=version.decode()
        )


@contextmanager
def readable(part: Path) -> Iterator[None]:
    """Turn Arrow's and the system's errors about one file or table into `ManifestDamaged`."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise ManifestDamaged("a table cannot be read", _REPAIR, file=_guilty(part)) from error


def _guilty(part: Path) -> str:
    """The first damaged file of a table's folder, or the file itself."""
    for candidate in sorted(part.rglob("*.parquet")) if part.is_dir() else []:
        if not is_sound(candidate):
            return str(candidate.relative_to(part.parent))
    return part.name


def is_sound(part: Path) -> bool:
    """Whether every page of a Parquet file agrees with its checksum."""
    try:
        with pq.ParquetFile(part, page_checksum_verification=True) as file:
            for _ in file.iter_batches(batch_size=ROWS_PER_BATCH):
                pass
    except (pa.ArrowException, OSError):
        return False
    return True


def read_table(
    run_folder: Path, table: str, columns: Sequence[str] | None = None, where: ds.Expression | None = None
) -> pa.Table:
    """A table, or some of its columns and rows, in memory.

    Raises:
        FormatTooNew: A file was written by a newer version.
        ManifestDamaged: A file cannot be read; its name is in the facts.
    """
    dataset = scan(run_folder, table)
    with readable(run_folder / "manifests" / table):
        return dataset.to_table(columns=list(columns) if columns is not None else None, filter=where)


def arrow_batches(run_folder: Path, table: str, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """A table batch by batch, in the order of its parts; memory holds one batch and what it was decoded from.

    A dataset's own scanner reads ahead of a slow consumer, up to whole parts.

    Raises:
        FormatTooNew: A file was written by a newer version.
        ManifestDamaged: A file cannot be read; its name is in the facts.
    """
    schema = schema_of(table)
    if "source" not in schema.names:
        schema = schema.append(pa.field("source", pa.string()))
    wanted = pa.schema([schema.field(name) for name in columns or schema.names])
    for source in sources_of(run_folder, table):
        for part in parts_of(Manifests(run_folder, source), table):
            with readable(part), pq.ParquetFile(part, page_checksum_verification=True) as file:
                held = [name for name in wanted.names if name in file.schema_arrow.names]
                for batch in file.iter_batches(batch_size=ROWS_PER_BATCH, columns=held, use_threads=False):
                    yield _fitted(batch, wanted, source)


def _fitted(batch: pa.RecordBatch, wanted: pa.Schema, source: str) -> pa.RecordBatch:
    """With every column that is wanted: those of an older format are null, the source is that of the folder."""
    columns = []
    for field in wanted:
        if field.name in batch.schema.names:
            columns.append(batch[field.name].cast(field.type))
        else:
            value = source if field.name == "source" else None
            columns.append(pa.repeat(pa.scalar(value, field.type), batch.num_rows))
    return pa.RecordBatch.from_arrays(columns, schema=wanted)


def batches(run_folder: Path, table: str, columns: Sequence[str] | None = None) -> Iterator[dict[str, list[Any]]]:
    """A table as batches of plain Python columns (`{name: values}`), in the order of its parts.

    Raises:
        FormatTooNew: A file was written by a newer version.
        ManifestDamaged: A file cannot be read; its name is in the facts.
    """
    for batch in arrow_batches(run_folder, table, columns):
        yield batch.to_pydict()


def count_rows(run_folder: Path, table: str) -> int:
    """Rows of a table, from the footers."""
    return int(scan(run_folder, table).count_rows())


def rows_of_studies(
    run_folder: Path, table: str, studies: Iterable[str], columns: Sequence[str] | None = None
) -> dict[str, list[Any]]:
    """The rows of some studies as plain Python columns; only matching row groups are read.

    Raises:
        FormatTooNew: A file was written by a newer version.
        ManifestDamaged: A file cannot be read; its name is in the facts.
    """
    where = ds.field("study_instance_uid").isin(pa.array(studies, pa.string()))  # typed: there may be none
    found: dict[str, list[Any]] = read_table(run_folder, table, columns, where).to_pydict()
    return found


def study_of_instance(run_folder: Path, sop_instance_uid: str) -> str | None:
    """The study in which the crawl listed an instance; None when it did not.

    Raises:
        FormatTooNew: A file was written by a newer version.
        ManifestDamaged: A file cannot be read; its name is in the facts.
    """
    where = ds.field("sop_instance_uid") == sop_instance_uid
    found = read_table(run_folder, "instances", ["study_instance_uid"], where)["study_instance_uid"].to_pylist()
    return str(found[0]) if found else None
