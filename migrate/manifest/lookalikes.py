"""Instances that share a UID or their pixels with another one: found by digests, a range of them at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from migrate.manifest.ranges import Ranges, by_ends, range_folder
from migrate.manifest.read import arrow_batches, count_rows
from migrate.manifest.schema import schema_of

COLUMNS = (
    *("study_instance_uid", "sop_instance_uid", "sop_class_uid", "bulk_xxh3", "dataset_xxh3"),
    *("attempt", "received_at"),
)
ROWS_AT_ONCE = 200_000
SOP, BULK = "sop_instance_uid", "bulk_xxh3"
# Rows that are alike in these are the very same object, received again.
_OBJECT = ("source", "study_instance_uid", "sop_instance_uid", "bulk_xxh3", "dataset_xxh3")


class Received(NamedTuple):
    """One row of `evidence`; the names of its columns."""

    source: str
    study_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    bulk_xxh3: str | None
    dataset_xxh3: str
    attempt: int
    received_at: str


def sharing(run_folder: Path, column: str, rows_at_once: int = ROWS_AT_ONCE) -> Iterator[list[Received]]:
    """Rows of `evidence` that share their SOP Instance UID (`SOP`) or their bulk data (`BULK`), group by group.

    Every group has at least two rows, oldest first. Repeats of the very same object at another
    attempt are one row. Memory holds about `rows_at_once` rows.

    Raises:
        FormatTooNew: A file was written by a newer version.
        ManifestDamaged: A file cannot be read.
        LocalError: The disk is full or not writable.
    """
    evidence = schema_of("evidence")
    schema = pa.schema([*(evidence.field(name) for name in COLUMNS), pa.field("source", pa.string())])
    ranges = -(-count_rows(run_folder, "evidence") // rows_at_once)
    with range_folder(run_folder) as folder:
        laid = Ranges(folder / column, schema, column, by_ends(ranges))
        laid.add(_held(run_folder, column, schema.names))
        for place in range(ranges):
            yield from _groups(_shared(laid.take(place), column), column)


def _held(run_folder: Path, column: str, names: list[str]) -> Iterator[pa.RecordBatch]:
    """The rows that have a value in the column."""
    for batch in arrow_batches(run_folder, "evidence", names):
        yield batch.filter(pc.is_valid(batch[column]))


def _shared(rows: pa.Table, column: str) -> pa.Table:
    """The rows whose value another object has, too."""
    counts = rows.group_by(column).aggregate([([], "count_all")])
    repeated = counts.filter(pc.greater(counts["count_all"], 1))[column]
    rows = rows.filter(pc.is_in(rows[column], value_set=repeated.combine_chunks()))
    objects = rows.group_by(list(_OBJECT)).aggregate([])
    counts = objects.group_by(column).aggregate([([], "count_all")])
    several = counts.filter(pc.greater(counts["count_all"], 1))[column]
    return rows.filter(pc.is_in(rows[column], value_set=several.combine_chunks()))


def _groups(rows: pa.Table, column: str) -> Iterator[list[Received]]:
    ordered = rows.sort_by([(column, "ascending"), ("received_at", "ascending"), ("study_instance_uid", "ascending")])
    for _, members in groupby(_rows(ordered), key=itemgetter(column)):
        group: dict[tuple[Any, ...], Received] = {}
        for row in members:
            group.setdefault(tuple(row[name] for name in _OBJECT), Received(**row))
        yield list(group.values())


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=10_000):
        yield from batch.to_pylist()
