"""Writing tables: a part is written under another name, synced, renamed, and its folder synced.

A part's name is given by the caller, so a flush that is repeated after a kill replaces itself.
Column batches go in, never row objects, and memory is bounded by one row group.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from migrate.errors import LocalError, MigrateError
from migrate.manifest.leftovers import open_unfinished, unfinished_folder
from migrate.manifest.place import Manifests, private_folder, sync_folder
from migrate.manifest.schema import dictionary_coded, prefix_coded, schema_of
from migrate.manifest.swap import exchange_folder

Columns = Mapping[str, Sequence[Any]]

ROWS_PER_GROUP = 65_536
ROWS_PER_PART = 1_000_000


def give_memory_back() -> None:
    """For a process that writes small parts for months: Arrow's own pool keeps what it once had, this one does not."""
    pa.set_memory_pool(pa.system_memory_pool())


def to_batch(schema: pa.Schema, columns: Columns | pa.RecordBatch) -> pa.RecordBatch:
    """One record batch of `schema`; columns that are not given are null.

    Raises:
        ValueError: A column is not in the schema, or columns have different lengths.
    """
    if isinstance(columns, pa.RecordBatch):
        return columns.select(schema.names).cast(schema)
    unknown = set(columns) - set(schema.names)
    lengths = {len(values) for values in columns.values()}
    if unknown or len(lengths) > 1:
        raise ValueError(f"columns do not fit the table: unknown {sorted(unknown)}, lengths {sorted(lengths)}")
    rows = lengths.pop() if lengths else 0
    arrays = [
        pa.array(columns[field.name], type=field.type) if field.name in columns else pa.nulls(rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


class PartWriter:
    """Streams batches into one Parquet file that appears whole when the block ends, or not at all.

    Args:
        path: The final file; replaced if it exists.
        schema: Columns; its metadata goes into the file.
        work_folder: Where the file grows; must be on the same filesystem.

    Raises:
        LocalError: The disk is full or not writable (on any method).
    """

    def __init__(self, path: Path, schema: pa.Schema, work_folder: Path) -> None:
        self.path = path
        self.rows = 0
        self._schema = schema
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._temporary = work_folder / f"{uuid.uuid4().hex}.tmp"
        try:
            private_folder(work_folder)
            private_folder(path.parent)
            descriptor = open_unfinished(self._temporary)
        except OSError as error:
            raise _cannot_write(path, error) from error
        self._file = os.fdopen(descriptor, "wb")
        self._writer = pq.ParquetWriter(
            self._file,
            schema,
            compression="zstd",
            use_dictionary=dictionary_coded(schema) or False,
            column_encoding=dict.fromkeys(prefix_coded(schema), "DELTA_BYTE_ARRAY"),
            write_page_checksum=True,
        )

    def write(self, columns: Columns | pa.RecordBatch) -> None:
        """Add one batch of columns of equal length."""
        batch = to_batch(self._schema, columns)
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        self.rows += batch.num_rows
        if self._waiting_rows >= ROWS_PER_GROUP:
            self._write_group()

    def _write_group(self) -> None:
        if not self._waiting_rows:
            return
        table = pa.Table.from_batches(self._waiting, schema=self._schema)
        self._waiting, self._waiting_rows = [], 0
        try:
            self._writer.write_table(table.combine_chunks(), row_group_size=ROWS_PER_GROUP)
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._publish()
        finally:
            self._writer.is_open = False
            with contextlib.suppress(OSError):  # a full disk refuses again what is given up
                self._file.close()
            self._temporary.unlink(missing_ok=True)

    def _publish(self) -> None:
        self._write_group()
        try:
            self._writer.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._temporary.replace(self.path)
            sync_folder(self.path.parent)
        except OSError as error:
            raise _cannot_write(self.path, error) from error


class TableWriter(PartWriter):
    """One part of one table of a run folder.

    Raises:
        UsageError: There is no such table, or the part id is not allowed.
    """

    def __init__(self, manifests: Manifests, table: str, part_id: str) -> None:
        super().__init__(manifests.part_path(table, part_id), schema_of(table), manifests.work_folder)


def write_part(manifests: Manifests, table: str, part_id: str, columns: Columns) -> Path:
    """Write one part in one go; durable when this returns.

    Raises:
        LocalError: The disk is full or not writable.
        UsageError: There is no such table, or the part id is not allowed.
    """
    with TableWriter(manifests, table, part_id) as writer:
        writer.write(columns)
    return writer.path


def replace_table(manifests: Manifests, table: str, batches: Iterable[Columns | pa.RecordBatch]) -> int:
    """Put new content in the place of a whole table, in one step; gives the number of rows.

    Readers see the old table or the new one. Parts hold about a million rows, in the order given.

    Raises:
        LocalError: The disk is full or not writable; the old table stays.
    """
    fresh = manifests.work_folder / f"{table}-{uuid.uuid4().hex}"
    with unfinished_folder(fresh):
        rows = _write_parts(manifests, fresh, schema_of(table), iter(batches))
        exchange_folder(fresh, manifests.table_folder(table))
    return rows


def _write_parts(
    manifests: Manifests, folder: Path, schema: pa.Schema, batches: Iterator[Columns | pa.RecordBatch]
) -> int:
    rows, ordinal, more = 0, 0, True
    while more:
        with PartWriter(folder / f"part-{ordinal:06d}.parquet", schema, manifests.work_folder) as writer:
            more = _fill(writer, batches)
        rows, ordinal = rows + writer.rows, ordinal + 1
    return rows


def _fill(writer: PartWriter, batches: Iterator[Columns | pa.RecordBatch]) -> bool:
    """Write until the part is full; whether there may be more."""
    for batch in batches:
        writer.write(batch)
        if writer.rows >= ROWS_PER_PART:
            return True
    return False


def _cannot_write(path: Path, error: OSError) -> MigrateError:
    reason = os.strerror(error.errno) if error.errno else "unknown"
    return LocalError(
        "cannot write a table", "check free space and permissions of the run folder", file=path.name, reason=reason
    )
