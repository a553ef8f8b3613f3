"""Several tables at once, some consecutive studies at a time, in bounded memory.

Tables are in the order in which they were written. What compares tables study by study needs them
in the order of the studies: the studies are cut into ranges, each table is read once and its rows
laid down by range, and the ranges are given one after the other, each in slices. Small run folders
fit in one range and touch no disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from migrate.manifest.ranges import Ranges, by_bounds, parted, range_folder
from migrate.manifest.read import arrow_batches, count_rows
from migrate.manifest.schema import schema_of

KEY = "study_instance_uid"
# Rows of all tables together: what is compared at once, and how many such slices a file on disk holds.
ROWS_PER_SLICE = 100_000
SLICES_PER_RANGE = 5
# The cuts are those of a sample: slices are about equal, and the sample does not grow with the archive.
SAMPLED_STUDIES = 200_000

Slice = Mapping[str, pa.Table]


def by_study(
    run_folder: Path, wanted: Mapping[str, Sequence[str]], rows_per_slice: int = ROWS_PER_SLICE
) -> Iterator[Slice]:
    """Every row of some tables, slice after slice of Study Instance UIDs in rising order.

    Args:
        run_folder: The run folder.
        wanted: Table -> columns besides `study_instance_uid`.
        rows_per_slice: About how many rows of all tables are given at once.

    Yields:
        Table -> the rows of the studies of one slice, unsorted. No study is in two slices.

    Raises:
        FormatTooNew: A file was written by a newer version.
        ManifestDamaged: A file cannot be read.
        LocalError: The disk is full or not writable.
    """
    rows = sum(count_rows(run_folder, table) for table in wanted)
    bounds = _bounds(run_folder, -(-rows // rows_per_slice))
    coarse = bounds[SLICES_PER_RANGE - 1 :: SLICES_PER_RANGE]
    if not coarse:
        whole = {table: _whole(run_folder, table, columns) for table, columns in wanted.items()}
        yield from _slices(whole, bounds)
        return
    with range_folder(run_folder) as folder:
        laid = {}
        for table, columns in wanted.items():
            laid[table] = Ranges(folder / table, _schema(table, columns), KEY, by_bounds(coarse))
            laid[table].add(arrow_batches(run_folder, table, [KEY, *columns]))
        for ordinal in range(len(coarse) + 1):
            within = bounds[ordinal * SLICES_PER_RANGE : (ordinal + 1) * SLICES_PER_RANGE - 1]
            yield from _slices({table: ranges.take(ordinal) for table, ranges in laid.items()}, within)


def _slices(rows: Slice, bounds: Sequence[str]) -> Iterator[Slice]:
    """The rows of one range, cut at the bounds."""
    if not bounds:
        yield rows
        return
    cut = {table: dict(parted(one, KEY, by_bounds(bounds))) for table, one in rows.items()}
    empty = {table: one.schema.empty_table() for table, one in rows.items()}
    del rows
    for place in range(len(bounds) + 1):
        yield {table: parts.pop(place, empty[table]) for table, parts in cut.items()}


def _schema(table: str, columns: Sequence[str]) -> pa.Schema:
    schema = schema_of(table)
    return pa.schema([schema.field(name) for name in (KEY, *columns)])


def _whole(run_folder: Path, table: str, columns: Sequence[str]) -> pa.Table:
    schema = _schema(table, columns)
    batches = [batch.cast(schema) for batch in arrow_batches(run_folder, table, schema.names)]
    return pa.Table.from_batches(batches, schema=schema)


def _bounds(run_folder: Path, slices: int) -> list[str]:
    """The UIDs at which a new slice begins: about equal numbers of studies in each."""
    if slices < 2:
        return []
    step = max(1, count_rows(run_folder, "studies") // SAMPLED_STUDIES)
    parts = [batch[KEY][::step] for batch in arrow_batches(run_folder, "studies", [KEY])]
    uids = pc.unique(pa.chunked_array(parts, type=pa.string()))
    uids = uids.take(pc.sort_indices(uids))
    places = sorted({len(uids) * part // slices for part in range(1, slices)} - {0})
    return [uids[place].as_py() for place in places]


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
