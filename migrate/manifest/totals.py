"""Sums over whole tables, a slice of the studies at a time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from migrate.manifest.by_study import KEY, Slice, by_study, one_of
from migrate.manifest.read import arrow_batches

STATIONS = ("received", "uploaded", "verified")
SOP = "sop_instance_uid"
WANTED = {
    "evidence": (SOP, "size_bytes", "attempt", "received_at"),
    "uploads": (SOP, "attempt", "sent_at"),
    "verification": (SOP, "outcome", "attempt", "verified_at"),
}


def totals(run_folder: Path) -> dict[str, int]:
    """source, received(_bytes), uploaded(_bytes), verified(_bytes): instances, each counted once.

    Raises:
        FormatTooNew: A file was written by a newer version.
        ManifestDamaged: A file cannot be read.
        LocalError: The disk is full or not writable.
    """
    found: Counter[str] = Counter(dict.fromkeys((*STATIONS, *(f"{name}_bytes" for name in STATIONS)), 0))
    counted = (batch["instance_count"] for batch in arrow_batches(run_folder, "studies", ["instance_count"]))
    found["source"] = sum(pc.sum(column).as_py() or 0 for column in counted)
    for rows in by_study(run_folder, WANTED):
        found.update(_of_slice(rows))
    return dict(found)


def _of_slice(rows: Slice) -> Counter[str]:
    evidence = _latest(rows["evidence"], "received_at")
    checked = _latest(rows["verification"], "verified_at")
    proven = checked.filter(pc.equal(checked["outcome"], "match"))
    counts: Counter[str] = Counter()
    for name, found in zip(STATIONS, (evidence, _latest(rows["uploads"], "sent_at"), proven), strict=True):
        at_station = evidence.join(found.select([KEY, SOP]), [KEY, SOP], join_type="left semi")
        counts[name] = found.num_rows
        counts[f"{name}_bytes"] = pc.sum(at_station["size_bytes"]).as_py() or 0
    return counts


def _latest(rows: pa.Table, when: str) -> pa.Table:
    return one_of(rows, [KEY, SOP], [("attempt", "descending"), (when, "descending")])
