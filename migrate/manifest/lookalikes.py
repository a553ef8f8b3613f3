"""Instances that share a UID or their pixels with another one: found by digests, a slice of the table at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from migrate.manifest.read import arrow_batches, count_rows

COLUMNS = (
    *("source", "study_instance_uid", "sop_instance_uid", "sop_class_uid", "bulk_xxh3", "dataset_xxh3"),
    *("attempt", "received_at"),
)
ROWS_AT_ONCE = 4_000_000
SOP, BULK = "sop_instance_uid", "bulk_xxh3"
_LAST_SIGNS = {SOP: "0123456789", BULK: "0123456789abcdef"}


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


def sharing(run_folder: Path, column: str) -> Iterator[list[Received]]:
    """Rows of `evidence` that share their SOP Instance UID (`SOP`) or their bulk data (`BULK`), group by group.

    Every group has at least two rows, oldest first. Repeats of the very same object at another
    attempt are one row.

    Raises:
        FormatTooNew: A file was written by a newer version.
        ManifestDamaged: A file cannot be read.
    """
    signs: Sequence[str] = _LAST_SIGNS[column] if count_rows(run_folder, "evidence") > ROWS_AT_ONCE else ("",)
    for sign in signs:
        yield from _groups(_slice(run_folder, column, sign), column)


def _slice(run_folder: Path, column: str, sign: str) -> pa.Table:
    kept = [
        pa.Table.from_batches([batch]).filter(pc.ends_with(batch[column], sign))
        for batch in arrow_batches(run_folder, "evidence", COLUMNS)
    ]
    rows = pa.concat_tables(kept) if kept else pa.table({name: pa.array([], pa.string()) for name in COLUMNS})
    counts = rows.group_by(column).aggregate([([], "count_all")])
    shared = counts.filter(pc.greater(counts["count_all"], 1))[column]
    return rows.filter(pc.is_in(rows[column], value_set=shared.combine_chunks()))


def _groups(rows: pa.Table, column: str) -> Iterator[list[Received]]:
    ordered = rows.sort_by([(column, "ascending"), ("received_at", "ascending"), ("study_instance_uid", "ascending")])
    listed: list[dict[str, Any]] = ordered.to_pylist()
    for _, members in groupby(listed, key=itemgetter(column)):
        group: dict[tuple[Any, ...], Received] = {}
        for row in members:
            found = Received(**{name: row[name] for name in Received._fields})
            group.setdefault((*found[:3], found.bulk_xxh3, found.dataset_xxh3), found)
        if len(group) > 1:
            yield list(group.values())
