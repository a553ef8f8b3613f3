"""Sums over whole tables, a slice of the studies at a time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from migrate.manifest.latest import keep_latest, latest
from migrate.manifest.read import read_table

STATIONS = ("received", "uploaded", "verified")


def totals(run_folder: Path) -> dict[str, int]:
    """source, received(_bytes), uploaded(_bytes), verified(_bytes): instances, each counted once."""
    listed = read_table(run_folder, "studies", ["instance_count"])["instance_count"]
    found: Counter[str] = Counter({"source": pc.sum(listed).as_py() or 0})
    found.update(dict.fromkeys((*STATIONS, *(f"{name}_bytes" for name in STATIONS)), 0))
    for evidence in latest(run_folder, "evidence"):
        found.update(_of_slice(run_folder, evidence))
    return dict(found)


def _of_slice(run_folder: Path, evidence: pa.Table) -> Counter[str]:
    where = ds.field("study_instance_uid").isin(pc.unique(evidence["study_instance_uid"]))
    sent = keep_latest(read_table(run_folder, "uploads", where=where), "sent_at")
    checked = keep_latest(read_table(run_folder, "verification", where=where), "verified_at")
    proven = checked.filter(pc.equal(checked["outcome"], "match"))
    counts: Counter[str] = Counter()
    for name, rows in zip(STATIONS, (evidence, sent, proven), strict=True):
        at_station = evidence.filter(pc.is_in(evidence["sop_instance_uid"], value_set=rows["sop_instance_uid"]))
        counts[name] = rows.num_rows
        counts[f"{name}_bytes"] = pc.sum(at_station["size_bytes"]).as_py() or 0
    return counts
