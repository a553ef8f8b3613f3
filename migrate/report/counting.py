"""What the manifests count up to: one pass over the instance tables, some studies at a time.

A study counts once however often it was crawled, an instance once however often it was received,
sent or verified: the latest crawl and the latest attempt speak. Every figure here can be counted
again from the Parquet files alone; a test does that with DuckDB.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from migrate.manifest.by_study import KEY, ROWS_PER_SLICE, Slice, by_study, one_of

SOP = "sop_instance_uid"
SERIES = "series_instance_uid"
MOST_DIFFERING = 50_000
DAY, MINUTE, SECOND = len("2026-03-04"), len("2026-03-04T17:15"), len("2026-03-04T17:15:00")
# A stage that worked in more seconds than this is counted by the minute: its picture loses nothing.
MOST_SECONDS = 20_000
WANTED: Mapping[str, Sequence[str]] = {
    "studies": (
        *("study_day", "crawl_id", "first_seen_at"),
        *("instance_count", "number_of_study_related_instances"),
    ),
    "series": (SERIES, "modality", "crawl_id"),
    "instances": (SOP, SERIES, "sop_class_uid"),
    "evidence": (SOP, SERIES, "sop_class_uid", "transfer_syntax_uid", "size_bytes", "attempt", "received_at"),
    "uploads": (SOP, "status", "attempt", "sent_at"),
    "verification": (SOP, "method", "outcome", "differs", "attempt", "verified_at"),
    "changes": (SOP, "keyword", "rule", "pack", "pack_version", "identifying"),
}
# Success, and the warnings under which the object is stored (PS3.4 B.2.3).
STORED = pa.array(["0000", "B000", "B006", "B007"])


@dataclass(slots=True)
class Counts:
    """Sums over the whole run; keys are what the field's comment says."""

    totals: Counter[str] = field(default_factory=Counter)  # studies, undated, series, instances
    by_modality: Counter[tuple[str, str]] = field(default_factory=Counter)  # modality, what
    syntaxes: Counter[tuple[str, str]] = field(default_factory=Counter)  # UID, instances or bytes
    sop_classes: Counter[tuple[str, str]] = field(default_factory=Counter)  # UID, instances or bytes
    proofs: Counter[tuple[str, str]] = field(default_factory=Counter)  # method, outcome
    changes: Counter[tuple[str, str, str, str, bool]] = field(default_factory=Counter)  # rule to identifying
    times: dict[str, Counter[str]] = field(default_factory=dict)  # stage -> second or minute -> instances
    found: Counter[str] = field(default_factory=Counter)  # second or minute of the crawl -> instances
    received: Counter[str] = field(default_factory=Counter)  # day -> bytes
    differing: list[tuple[str, str, str]] = field(default_factory=list)  # SOP instance, outcome, tag paths


def count(run_folder: Path, rows_per_slice: int = ROWS_PER_SLICE) -> Counts:
    """Count everything the report says about studies, series and instances.

    Raises:
        FormatTooNew: A file was written by a newer version.
        ManifestDamaged: A file cannot be read.
    """
    counts = Counts()
    for rows in by_study(run_folder, WANTED, rows_per_slice):
        evidence = _latest(rows["evidence"], "received_at")
        _count_listed(counts, rows)
        _count_held(counts, rows, evidence)
        _count_moved(counts, rows, evidence)
        for key, n in _groups(rows["changes"], ["rule", "pack", "pack_version", "keyword", "identifying"]):
            counts.changes[key] += n
    return counts


def _latest(rows: pa.Table, when: str) -> pa.Table:
    return one_of(rows, [KEY, SOP], [("attempt", "descending"), (when, "descending")])


def _count_listed(counts: Counts, rows: Slice) -> None:
    studies = one_of(rows["studies"], [KEY], [("crawl_id", "descending")])
    series = one_of(rows["series"], [KEY, SERIES], [("crawl_id", "descending")])
    counts.totals["studies"] += studies.num_rows
    counts.totals["undated"] += studies["study_day"].null_count
    counts.totals["series"] += series.num_rows
    counts.totals["instances"] += one_of(rows["instances"], [KEY, SOP]).num_rows
    stated = pc.coalesce(studies["instance_count"], studies["number_of_study_related_instances"], 0)
    seen = pa.table({"at": pc.utf8_slice_codeunits(studies["first_seen_at"], 0, SECOND), "n": stated})
    for row in seen.group_by("at").aggregate([("n", "sum")]).to_pylist():
        counts.found[row["at"] or ""] += row["n_sum"] or 0
    if len(counts.found) > MOST_SECONDS:
        counts.found = by_minute(counts.found)
    for modality, n in _values(series, "modality"):
        counts.by_modality[modality, "series"] += n
    for modality, n in _values(one_of(series, [KEY, "modality"]), "modality"):
        counts.by_modality[modality, "studies"] += n


def _count_held(counts: Counts, rows: Slice, evidence: pa.Table) -> None:
    """Every instance that was listed or arrived, by modality of its series and by SOP class."""
    keys = [KEY, SOP]
    arrived = evidence.select([*keys, SERIES, "sop_class_uid", "size_bytes"])
    arrived = arrived.rename_columns({SERIES: "series_received", "sop_class_uid": "class_received"})
    held = one_of(rows["instances"], keys).join(arrived, keys, join_type="full outer")
    held = held.append_column("class", pc.coalesce(held["class_received"], held["sop_class_uid"]))
    held = held.append_column("of_series", pc.coalesce(held[SERIES], held["series_received"]))
    series = one_of(rows["series"], [KEY, SERIES], [("crawl_id", "descending")]).select([KEY, SERIES, "modality"])
    held = held.select([KEY, "of_series", "class", "size_bytes"])
    held = held.join(series, [KEY, "of_series"], right_keys=[KEY, SERIES], join_type="left outer")
    _count_and_weigh(counts.by_modality, held, "modality")
    _count_and_weigh(counts.sop_classes, held, "class")


def _count_moved(counts: Counts, rows: Slice, evidence: pa.Table) -> None:
    uploads, verified = _latest(rows["uploads"], "sent_at"), _latest_verification(rows["verification"])
    _count_and_weigh(counts.syntaxes, evidence, "transfer_syntax_uid")
    weighed = pa.table({"day": pc.utf8_slice_codeunits(evidence["received_at"], 0, DAY), "n": evidence["size_bytes"]})
    for row in weighed.group_by("day").aggregate([("n", "sum")]).to_pylist():
        counts.received[row["day"] or ""] += row["n_sum"] or 0
    for (method, outcome), n in _groups(verified, ["method", "outcome"], distinct=False):
        counts.proofs[method, outcome] += n
    matched = verified.filter(pc.equal(verified["outcome"], "match"))
    stored = uploads.filter(pc.is_in(uploads["status"], value_set=STORED))
    for stage, column in (
        ("retrieve", evidence["received_at"]),
        ("upload", stored["sent_at"]),
        ("verify", matched["verified_at"]),
    ):
        times = counts.times.setdefault(stage, Counter())
        for found in pc.value_counts(pc.utf8_slice_codeunits(column, 0, SECOND)).to_pylist():
            times[found["values"] or ""] += found["counts"]
        if len(times) > MOST_SECONDS:
            counts.times[stage] = by_minute(times)
    wrong = verified.filter(pc.not_equal(verified["outcome"], "match")).select([SOP, "outcome", "differs"])
    for row in wrong.slice(0, max(0, MOST_DIFFERING - len(counts.differing))).to_pylist():
        counts.differing.append((row[SOP], row["outcome"], row["differs"] or ""))


def by_minute(times: Counter[str]) -> Counter[str]:
    """The same counts by the minute."""
    found: Counter[str] = Counter()
    for at, n in times.items():
        found[at[:MINUTE]] += n
    return found


def _latest_verification(rows: pa.Table) -> pa.Table:
    place = rows.column_names.index("differs")
    flat = rows.set_column(place, "differs", pc.binary_join(rows["differs"], " "))
    return _latest(flat, "verified_at")


def _count_and_weigh(into: Counter[tuple[str, str]], rows: pa.Table, column: str) -> None:
    found = rows.group_by(column).aggregate([([], "count_all"), ("size_bytes", "sum")])
    for row in found.to_pylist():
        key = row[column] or ""
        into[key, "instances"] += row["count_all"]
        into[key, "bytes"] += row["size_bytes_sum"] or 0


def _values(rows: pa.Table, column: str) -> Iterator[tuple[str, int]]:
    for row in rows.group_by(column).aggregate([([], "count_all")]).to_pylist():
        yield row[column] or "", row["count_all"]


def _groups(rows: pa.Table, columns: Sequence[str], *, distinct: bool = True) -> Iterator[tuple[Any, int]]:
    """Groups and how many (distinct) instances each has."""
    what: tuple[Any, str] = (SOP, "count_distinct") if distinct else ([], "count_all")
    name = f"{SOP}_count_distinct" if distinct else "count_all"
    for row in rows.group_by(list(columns)).aggregate([what]).to_pylist():
        yield tuple(row[column] for column in columns), row[name]
