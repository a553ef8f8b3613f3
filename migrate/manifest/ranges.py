"""Rows of a table sorted out into many ranges on disk, and taken back one range at a time.

Whatever a comparison needs side by side (the rows of a study, of a patient, of one digest) lies in one
range, so memory holds a range and never a table. No file stays open, so there may be any number of
ranges; what a kill leaves is in the work folder and goes with the other leftovers.
"""

from __future__ import annotations

import contextlib
import os
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc

from migrate.errors import LocalError
from migrate.manifest.leftovers import unfinished_folder
from migrate.manifest.place import Manifests

ROWS_PER_HEAP = 262_144
_END_SIGNS = 3

Placer = Callable[[pa.Array], pa.Array]


@contextlib.contextmanager
def range_folder(run_folder: Path) -> Iterator[Path]:
    """A folder in the run folder for ranges; it and what is in it goes at the end of the block."""
    folder = Manifests(run_folder, "").work_folder / f"ranges-{uuid.uuid4().hex}"
    with unfinished_folder(folder):
        yield folder


class Ranges:
    """One table's rows, by range.

    Args:
        stem: Path and beginning of the names of the files.
        schema: Columns of every batch.
        column: What decides.
        placer: Number of the range for each value of that column.
    """

    def __init__(self, stem: Path, schema: pa.Schema, column: str, placer: Placer) -> None:
        self._stem, self._schema, self._column, self._placer = stem, schema, column, placer
        self._options = pa.ipc.IpcWriteOptions(compression="lz4")

    def add(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Lay down every row.

        Raises:
            LocalError: The disk is full or not writable.
        """
        for rows in heaps(batches, self._schema):
            for place, part in parted(rows, self._column, self._placer):
                self._append(self._path(place), part)

    def take(self, place: int) -> pa.Table:
        """The rows of one range, in the order in which they came; they are not kept."""
        path = self._path(place)
        if not path.exists():
            return self._schema.empty_table()
        pieces = []
        with pa.OSFile(str(path)) as file:
            size = file.size()
            while file.tell() < size:
                with pa.ipc.open_stream(file) as stream:
                    pieces.append(stream.read_all())
        path.unlink()
        pa.default_memory_pool().release_unused()
        return pa.concat_tables(pieces)

    def _path(self, place: int) -> Path:
        return self._stem.with_name(f"{self._stem.name}.{place}")

    def _append(self, path: Path, rows: pa.Table) -> None:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self._schema, options=self._options) as stream:
            stream.write_table(rows)
        try:
            with path.open("ab") as file:
                file.write(sink.getvalue())
        except OSError as error:
            hint = "free space in the run folder: what is compared is sorted there first"
            reason = os.strerror(error.errno) if error.errno else "unknown"
            raise LocalError("cannot sort a table on disk", hint, table=self._stem.name, reason=reason) from error


def heaps(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Many batches as one table: hundreds of ranges get pieces worth a write, and each row is moved once."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch.cast(schema))
        rows += batch.num_rows
        if rows >= ROWS_PER_HEAP:
            yield pa.Table.from_batches(waiting).combine_chunks()
            waiting, rows = [], 0
    if waiting:
        yield pa.Table.from_batches(waiting).combine_chunks()


def parted(rows: pa.Table, column: str, placer: Placer) -> Iterator[tuple[int, pa.Table]]:
    """(range, its rows) for every range that has some; rows of a range keep their order."""
    if not rows.num_rows:
        return
    places = pa.concat_arrays([placer(chunk) for chunk in rows[column].chunks])
    ordered = rows.take(pc.sort_indices(places))
    at = 0
    for place, count in sorted((one["values"], one["counts"]) for one in pc.value_counts(places).to_pylist()):
        yield place, ordered.slice(at, count)
        at += count


def by_bounds(bounds: Sequence[str]) -> Placer:
    """How many bounds are not above a value: ranges in the order of the values, absent ones first."""
    if not hasattr(pc, "search_sorted"):
        return lambda values: places_compared(pc.fill_null(values, ""), bounds)
    sought = pa.array(bounds, pa.string())
    return lambda values: pc.search_sorted(sought, pc.fill_null(values, ""), side="right")


def places_compared(values: pa.Array, bounds: Sequence[str]) -> pa.Array:
    """The same with what the oldest Arrow that we allow can do."""
    places = pa.array([0] * len(values), type=pa.uint64())
    for bound in bounds:
        places = pc.add(places, pc.greater_equal(values, bound).cast(pa.uint64()))
    return places


def by_ends(ranges: int) -> Placer:
    """Equal values into the same range, by their last signs: UIDs and digests differ there."""

    def places(values: pa.Array) -> pa.Array:
        ends = pc.utf8_slice_codeunits(pc.fill_null(values, ""), -_END_SIGNS).dictionary_encode()
        numbers = [zlib.crc32(end.encode()) % ranges for end in ends.dictionary.to_pylist()]
        return pa.array(numbers, pa.uint64()).take(ends.indices)

    return places
