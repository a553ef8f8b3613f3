"""Only the latest attempt of each instance, of tables where an instance may stand several times."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


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
