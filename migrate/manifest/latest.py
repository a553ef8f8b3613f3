"""Only the latest attempt of each instance, of tables where an instance may stand several times."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from migrate.manifest.read import read_table

_WHEN = {"evidence": "received_at", "uploads": "sent_at", "verification": "verified_at"}
_SLICES = 16


def latest(run_folder: Path, table: str) -> Iterator[pa.Table]:
    """The latest attempt per study and instance of `evidence`, `uploads` or `verification`.

    Yields tables, each sorted by study and SOP Instance UID; an instance of a study is in exactly
    one of them. Memory holds one slice of the studies at a time.

    Raises:
        FormatTooNew: A file was written by a newer version.
        ManifestDamaged: A file cannot be read.
    """
    studies = pc.unique(read_table(run_folder, table, ["study_instance_uid"])["study_instance_uid"])
    step = max(1, -(-len(studies) // _SLICES))
    for start in range(0, len(studies), step):
        where = ds.field("study_instance_uid").isin(studies[start : start + step])
        yield keep_latest(read_table(run_folder, table, where=where), _WHEN[table])


def keep_latest(rows: pa.Table, when: str) -> pa.Table:
    """One row per study and SOP Instance UID: the highest attempt, then the latest time in column `when`."""
    keys = ["study_instance_uid", "sop_instance_uid"]
    order = [(key, "ascending") for key in keys]
    rows = rows.sort_by([*order, ("attempt", "descending"), (when, "descending")]).combine_chunks()
    if rows.num_rows == 0:
        return rows
    after, before = rows.slice(1), rows.slice(0, rows.num_rows - 1)
    fresh = pc.or_(*(pc.not_equal(after[key], before[key]) for key in keys))
    return rows.filter(pa.chunked_array([pa.array([True]), *fresh.chunks]))
