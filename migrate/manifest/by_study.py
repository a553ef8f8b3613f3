"""Several tables at once, some consecutive studies at a time, in bounded memory.

Tables are in the order in which they were written. What compares tables study by study needs them
in the order of the studies: the studies are cut into ranges, each table is read once and its rows
laid down by range, and the ranges are given one after the other. Small run folders fit in one range
and touch no disk.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc

from migrate.manifest.read import arrow_batches, count_rows
from migrate.manifest.schema import schema_of

KEY = "study_instance_uid"
ROWS_PER_RANGE = 1_000_000
# One file is open for each range: well below the usual limit of 1024.
MOST_RANGES = 500
ROWS_PER_HEAP = 262_144

Slice = Mapping[str, pa.Table]


def by_study(
    run_folder: Path, wanted: Mapping[str, Sequence[str]], rows_per_range: int = ROWS_PER_RANGE
) -> Iterator[Slice]:
    """Every row of some tables, range after range of Study Instance UIDs in rising order.

    Args:
        run_folder: The run folder.
        wanted: Table -> columns besides `study_instance_uid`.
        rows_per_range: About how many rows of all tables are in memory at once.

    Yields:
        Table -> the rows of the studies of one range, unsorted. No study is in two ranges.

    Raises:
        FormatTooNew: A file was written by a newer version.
        ManifestDamaged: A file cannot be read.
    """
    rows = sum(count_rows(run_folder, table) for table in wanted)
    bounds = _bounds(run_folder, min(MOST_RANGES, -(-rows // rows_per_range)))
    if not bounds:
        yield {table: _whole(run_folder, table, columns) for table, columns in wanted.items()}
        return
    with tempfile.TemporaryDirectory(dir=run_folder / "manifests", prefix=".ranges-") as folder:
        for table, columns in wanted.items():
            _lay_down(
                arrow_batches(run_folder, table, [KEY, *columns]), _schema(table, columns), Path(folder) / table, bounds
            )
        for ordinal in range(len(bounds) + 1):
            yield {table: _taken(Path(folder) / f"{table}.{ordinal}") for table in wanted}


def _schema(table: str, columns: Sequence[str]) -> pa.Schema:
    schema = schema_of(table)
    return pa.schema([schema.field(name) for name in (KEY, *columns)])


def _whole(run_folder: Path, table: str, columns: Sequence[str]) -> pa.Table:
    schema = _schema(table, columns)
    batches = [batch.cast(schema) for batch in arrow_batches(run_folder, table, schema.names)]
    return pa.Table.from_batches(batches, schema=schema)


def _bounds(run_folder: Path, ranges: int) -> list[str]:
    """The UIDs at which a new range begins: equal numbers of studies in each."""
    if ranges < 2:
        return []
    parts = [batch[KEY] for batch in arrow_batches(run_folder, "studies", [KEY])]
    uids = pc.unique(pa.chunked_array(parts, type=pa.string()))
    uids = uids.take(pc.sort_indices(uids))
    places = sorted({len(uids) * part // ranges for part in range(1, ranges)} - {0})
    return [uids[place].as_py() for place in places]


def _lay_down(batches: Iterator[pa.RecordBatch], schema: pa.Schema, stem: Path, bounds: Sequence[str]) -> None:
    options = pyarrow.ipc.IpcWriteOptions(compression="lz4")
    with ExitStack() as stack:
        writers = [
            stack.enter_context(pyarrow.ipc.new_file(f"{stem}.{ordinal}", schema, options=options))
            for ordinal in range(len(bounds) + 1)
        ]
        for rows in _heaps(batches, schema):
            for place, part in _by_place(rows, bounds):
                writers[place].write_table(part)


def _heaps(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Many batches as one: hundreds of ranges get pieces worth a write, and each row is moved once."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch.cast(schema))
        if sum(one.num_rows for one in waiting) >= ROWS_PER_HEAP:
            yield pa.Table.from_batches(waiting).combine_chunks()
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting).combine_chunks()


def _by_place(rows: pa.Table, bounds: Sequence[str]) -> Iterator[tuple[int, pa.Table]]:
    """(range, its rows) for every range that has some."""
    places = pa.concat_arrays([_places(chunk, bounds) for chunk in rows[KEY].chunks])
    ordered = rows.take(pc.sort_indices(places))
    at = 0
    for place, count in sorted((one["values"], one["counts"]) for one in pc.value_counts(places).to_pylist()):
        yield place, ordered.slice(at, count)
        at += count


def _places(uids: pa.Array, bounds: Sequence[str]) -> pa.Array:
    """The range of each UID: how many bounds are not above it."""
    if hasattr(pc, "search_sorted"):
        return pc.search_sorted(pa.array(bounds), uids, side="right")
    return places_compared(uids, bounds)


def places_compared(uids: pa.Array, bounds: Sequence[str]) -> pa.Array:
    """The same with what the oldest Arrow that we allow can do."""
    places = pa.array([0] * len(uids), type=pa.uint64())
    for bound in bounds:
        places = pc.add(places, pc.greater_equal(uids, bound).cast(pa.uint64()))
    return places


def _taken(path: Path) -> pa.Table:
    with pyarrow.ipc.open_file(path) as reader:
        table = reader.read_all()
    path.unlink()
    return table


def first_of(rows: pa.Table, keys: Sequence[str], order: Sequence[tuple[str, str]] = ()) -> pa.Table:
    """One row for each value of `keys`: the first one in `order`; sorted by the keys."""
    rows = rows.sort_by([*((key, "ascending") for key in keys), *order]).combine_chunks()
    if rows.num_rows < 2:
        return rows
    fresh = [pc.not_equal(after, before) for after, before in _neighbours(rows, keys)]
    begins = fresh[0]
    for column in fresh[1:]:
        begins = pc.or_(begins, column)
    return rows.filter(pa.concat_arrays([pa.array([True]), begins]))


def one_of(rows: pa.Table, keys: Sequence[str], order: Sequence[tuple[str, str]] = ()) -> pa.Table:
    """The same rows as `first_of`, in no order; only the rows of studies that have a key twice are sorted.

    `keys` begin with the Study Instance UID.
    """
    counts = rows.group_by(list(keys)).aggregate([([], "count_all")])
    if counts.num_rows == rows.num_rows:
        return rows
    repeated = pc.unique(counts.filter(pc.greater(counts["count_all"], 1))[KEY])
    again = pc.is_in(rows[KEY], value_set=repeated)
    return pa.concat_tables([rows.filter(pc.invert(again)), first_of(rows.filter(again), keys, order)])


def _neighbours(rows: pa.Table, keys: Sequence[str]) -> Iterator[tuple[pa.Array, pa.Array]]:
    for key in keys:
        column = rows[key].chunk(0)
        yield column.slice(1), column.slice(0, len(column) - 1)


__all__ = ["KEY", "Slice", "by_study", "first_of", "one_of", "places_compared"]
