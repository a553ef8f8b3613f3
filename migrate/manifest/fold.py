"""Sightings folded by Study Instance UID: one row per study, sorted, in bounded memory.

Windows overlap and axes repeat each other, so a study is seen several times. The first value that
is not absent counts; studies whose answers differ are named, and which axes' closed windows
returned each study is kept: it is the evidence for the certificate.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from migrate.manifest.patients import KEYED, with_patient_keys
from migrate.manifest.place import Manifests
from migrate.manifest.read import arrow_batches
from migrate.manifest.schema import RAW, TABLES
from migrate.manifest.sightings import (
    IDENTITY_TEXTS,
    STUDY_COUNTS,
    STUDY_TEXTS,
    crawl_folder,
    work_parts,
    work_writer,
    write_work_part,
)
from migrate.manifest.spill import Spill, buckets_for, by_range, part_batches, range_bounds
from migrate.manifest.write import PartWriter
from migrate.model import ExceptionClass, Level

AXES = ("date", "patient", "accession", "list")
DRAFT = pa.schema([*TABLES["studies"], *(pa.field(name, pa.string()) for name in IDENTITY_TEXTS), pa.field("raw", RAW)])
_SEEN_BEFORE = pa.schema([pa.field("study_instance_uid", pa.string()), pa.field("first_seen_at", pa.string())])
_COMPARED = (*STUDY_TEXTS[1:], *IDENTITY_TEXTS)
_MOST_DOUBTS = 500
_DOUBT_COLUMNS = ("study_date", "study_time", "patient_id", "accession_number", "modalities_in_study")


@dataclass(frozen=True, kw_only=True, slots=True)
class FoldTerms:
    """What to fold and how to judge it.

    Args:
        manifests: The tables of the run.
        crawl_id: Whose sightings.
        axis_of_window: Window ordinal -> index in `AXES` of a closed leaf (or of what was asked for by
            itself), or -1.
        doubtful: Says of a study (its columns, plus one boolean per axis) whether an axis that did
            not return it should have.
    """

    manifests: Manifests
    crawl_id: str
    axis_of_window: list[int]
    doubtful: Callable[[Mapping[str, Any]], bool]


@dataclass(slots=True)
class FoldStats:
    """What the folded sightings add up to. `doubts` are the first 500 studies that need a second look."""

    rows: int = 0
    studies: int = 0
    undated: int = 0
    by_axis: list[int] = field(default_factory=lambda: [0] * len(AXES))
    by_date_and_second: int = 0
    by_second: int = 0
    differing: int = 0
    doubts: list[dict[str, Any]] = field(default_factory=list)
    doubt_count: int = 0


def fold(terms: FoldTerms) -> FoldStats:
    """Write the drafts of `studies` and `identities` into the crawl's work folder.

    A repeat replaces what an interrupted fold left.

    Raises:
        ManifestDamaged: A part of the sightings cannot be read.
        LocalError: The disk is full.
    """
    place, crawl_id = terms.manifests, terms.crawl_id
    shutil.rmtree(crawl_folder(place, crawl_id) / "draft", ignore_errors=True)
    parts = work_parts(place, crawl_id, "sightings")
    rows = sum(batch.num_rows for batch in part_batches(parts, ["window"]))
    bounds = range_bounds(parts, "study_instance_uid", rows) if buckets_for(rows) > 1 else []
    sorter = by_range("study_instance_uid", bounds)
    folder, buckets = crawl_folder(place, crawl_id), len(bounds) + 1
    stats, defects = FoldStats(rows=rows), _Defects(crawl_id)
    with (
        Spill(folder / "before", _SEEN_BEFORE, buckets, sorter) as before,
        Spill(folder / "sorted", KEYED, buckets, sorter) as spill,
    ):
        for batch in arrow_batches(place.run_folder, "studies", _SEEN_BEFORE.names):
            before.add(batch.cast(_SEEN_BEFORE))
        for table in with_patient_keys(place, parts, rows):
            for batch in table.to_batches():
                spill.add(batch)
        for bucket, (old, new) in enumerate(zip(before.tables(), spill.tables(), strict=True)):
            folded = _folded(new, terms.axis_of_window)
            _count(folded, terms, stats, defects)
            path = folder / "draft" / f"part-{bucket:06d}.parquet"
            with PartWriter(path, DRAFT, place.work_folder) as writer:
                writer.write(_draft(folded, _first_seen(old), crawl_id))
    write_work_part(work_writer(place, crawl_id, "crawl_defects", "fold"), defects.columns)
    return stats


def draft_batches(manifests: Manifests, crawl_id: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The folded studies of an unfinished crawl, sorted by Study Instance UID."""
    yield from part_batches(work_parts(manifests, crawl_id, "draft"), columns)


@lru_cache(maxsize=32_768)
def study_day(text: str | None) -> date | None:
    """A study date as a date; ACR-NEMA `YYYY.MM.DD` counts, what is no date is None (PS3.5 6.2)."""
    digits = (text or "").strip().replace(".", "")
    if len(digits) != 8 or not digits.isdecimal() or not digits.isascii():
        return None
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None


def _folded(rows: pa.Table, axis_of_window: list[int]) -> pa.Table:
    axes = pa.array(axis_of_window, pa.int8()).take(rows["window"].combine_chunks())
    for number, axis in enumerate(AXES):
        rows = rows.append_column(f"by_{axis}", pc.equal(axes, number))
    rows = rows.append_column("row", pa.array(range(rows.num_rows), pa.int64()))
    present = pc.ScalarAggregateOptions(skip_nulls=True)
    wanted: list[tuple[str, str, Any]] = [(name, "first", present) for name in (*_COMPARED, "patient_key")]
    wanted += [(name, "count_distinct", pc.CountOptions(mode="only_valid")) for name in (*_COMPARED, "patient_key")]
    wanted += [(name, how, present) for name in STUDY_COUNTS for how in ("first", "min", "max")]
    wanted += [("seen_at", "min", present), ("seen_at", "max", present), ("row", "min", present)]
    wanted += [("row", "count", pc.CountOptions(mode="all"))]
    wanted += [(f"by_{axis}", "max", present) for axis in AXES]
    found = rows.group_by("study_instance_uid", use_threads=False).aggregate(wanted)
    found = found.append_column("raw", rows["raw"].take(found["row_min"]))
    return found.sort_by("study_instance_uid").combine_chunks()


def _first_seen(old: pa.Table) -> dict[str, str]:
    return dict(zip(old["study_instance_uid"].to_pylist(), old["first_seen_at"].to_pylist(), strict=True))


def _draft(folded: pa.Table, first_seen: Mapping[str, str], crawl_id: str) -> pa.RecordBatch:
    uids = folded["study_instance_uid"].to_pylist()
    seen = zip(uids, folded["seen_at_min"].to_pylist(), strict=True)
    flags = zip(*(folded[f"by_{axis}_max"].to_pylist() for axis in AXES), strict=True)
    columns: dict[str, Any] = {name: folded[f"{name}_first"] for name in (*_COMPARED, *STUDY_COUNTS, "patient_key")}
    columns |= {
        "study_instance_uid": folded["study_instance_uid"],
        "crawl_id": pa.repeat(crawl_id, len(uids)),
        "first_seen_at": [first_seen.get(uid) or now for uid, now in seen],
        "last_seen_at": folded["seen_at_max"],
        "study_day": _days_of(folded),
        "answers": folded["row_count"],
        "found_by": list(map(_names, flags)),
        "raw": folded["raw"],
    }
    # What was not asked for here (counts of listed series and instances) is filled in when the tables are published.
    missing = pa.nulls(len(uids))
    arrays = [_array(columns.get(field.name, missing), field.type) for field in DRAFT]
    return pa.RecordBatch.from_arrays(arrays, schema=DRAFT)


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        return values.cast(kind).combine_chunks()
    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, kind)


def _days_of(folded: pa.Table) -> list[date | None]:
    return [study_day(text) for text in folded["study_date_first"].to_pylist()]


@lru_cache(maxsize=64)
def _names(found: tuple[bool, ...]) -> str:
    return ",".join(axis for axis, by in zip(AXES, found, strict=True) if by)


def _count(folded: pa.Table, terms: FoldTerms, stats: FoldStats, defects: _Defects) -> None:
    by = [folded[f"by_{axis}_max"] for axis in AXES]
    second = pc.or_(by[1], by[2])
    stats.studies += folded.num_rows
    stats.undated += _days_of(folded).count(None)
    stats.by_axis = [old + (pc.sum(flags).as_py() or 0) for old, flags in zip(stats.by_axis, by, strict=True)]
    stats.by_second += pc.sum(second).as_py() or 0
    stats.by_date_and_second += pc.sum(pc.and_(by[0], second)).as_py() or 0
    _doubt(folded.filter(pc.invert(pc.and_(by[0], pc.and_(by[1], by[2])))), terms, stats)
    stats.differing += _differences(folded, defects)


def _doubt(rows: pa.Table, terms: FoldTerms, stats: FoldStats) -> None:
    names = {f"{name}_first": name for name in _DOUBT_COLUMNS}
    names |= {f"by_{axis}_max": f"by_{axis}" for axis in AXES} | {"study_instance_uid": "study_instance_uid"}
    for batch in rows.select(list(names)).rename_columns(list(names.values())).to_batches(10_000):
        for row in batch.to_pylist():
            if terms.doubtful(row):
                stats.doubt_count += 1
                if len(stats.doubts) < _MOST_DOUBTS:
                    stats.doubts.append(row)


def _differences(folded: pa.Table, defects: _Defects) -> int:
    differing = pa.array([False] * folded.num_rows, pa.bool_())
    for name in (*_COMPARED, "patient_key"):
        differing = pc.or_(differing, pc.greater(folded[f"{name}_count_distinct"], 1))
    for name in STUDY_COUNTS:
        changed = pc.not_equal(folded[f"{name}_min"], folded[f"{name}_max"])
        differing = pc.or_(differing, pc.fill_null(changed, fill_value=False))
    rows = folded.filter(differing).to_pylist()
    for row in rows:
        _name_difference(row, defects)
    return len(rows)


def _name_difference(row: Mapping[str, Any], defects: _Defects) -> None:
    uid = row["study_instance_uid"]
    changed = [name for name in _COMPARED if row[f"{name}_count_distinct"] > 1]
    counted = [name for name in STUDY_COUNTS if row[f"{name}_min"] != row[f"{name}_max"]]
    if row["patient_key_count_distinct"] > 1:
        defects.add(uid, ExceptionClass.PATIENT_CONFLICT, "the source gave this study to different patients")
    if changed:
        defects.add(uid, ExceptionClass.DUPLICATE, f"returned with different values of {', '.join(changed)}")
    if counted:
        defects.add(uid, ExceptionClass.DELTA_CHANGED, f"changed during the crawl: {', '.join(counted)}")


class _Defects:
    """Columns of `crawl_defects`."""

    def __init__(self, crawl_id: str) -> None:
        self._crawl_id = crawl_id
        self.columns: dict[str, list[str]] = {name: [] for name in TABLES["crawl_defects"].names}

    def add(self, uid: str, exception_class: ExceptionClass, detail: str) -> None:
        row = (uid, Level.STUDY.value, uid, exception_class.value, detail, self._crawl_id)
        for values, value in zip(self.columns.values(), row, strict=True):
            values.append(value)
