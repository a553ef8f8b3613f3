"""A crawl beside the tables of the one before: what is compared, and what is carried over unchanged.

A delta crawl lists only some studies again. The series, instances and counts of all others, and
every row of a study that the source no longer has, go over into the new tables as they are.
Everything that is decided here is durable in the crawl's work folder before a table changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from migrate.manifest.fold import DRAFT
from migrate.manifest.place import Manifests
from migrate.manifest.read import ROWS_PER_BATCH, readable, scan
from migrate.manifest.schema import TABLES
from migrate.manifest.sightings import COUNTS, WORK_SCHEMAS, crawl_folder, work_parts, work_writer
from migrate.manifest.spill import Spill, by_range, part_batches
from migrate.manifest.write import PartWriter

KEY = "study_instance_uid"
AGAIN, GONE_STUDIES, GONE_IDENTITIES, KNOWN_COUNTS, FIRST, FINAL = (
    *("again", "gone_studies", "gone_identities", "known_counts", "first_deltas", "deltas"),
)
_STUDIES_PER_RANGE, _LISTED_PER_RANGE, _MOST_RANGES = 10_000, 2_000, 500
_MEMBERS = pa.schema([pa.field(KEY, pa.string()), pa.field("uid", pa.string()), pa.field("new", pa.bool_())])

Row = dict[str, Any]


def old_batches(manifests: Manifests, table: str, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """One table of this source as it stands, in the columns of today's schema.

    Raises:
        FormatTooNew: A file was written by a newer version.
        ManifestDamaged: A file cannot be read.
    """
    names = list(columns) if columns is not None else TABLES[table].names
    dataset = scan(manifests.run_folder, table, manifests.source)
    schema = pa.schema([TABLES[table].field(name) for name in names])
    with readable(manifests.run_folder / "manifests" / table):
        for batch in dataset.to_batches(columns=names, batch_size=ROWS_PER_BATCH, fragment_readahead=1):
            yield batch.cast(schema)


def pairs(manifests: Manifests, crawl_id: str) -> Iterator[list[tuple[Row | None, Row | None]]]:
    """Each study of the tables and of the unfinished crawl, side by side, in the order of the draft.

    Rows have the columns of `studies` and `identities`. One list is one range of UIDs: memory holds
    one range.

    Raises:
        FormatTooNew, ManifestDamaged: The tables of the crawl before cannot be read.
    """
    parts = work_parts(manifests, crawl_id, "draft")
    bounds = _bounds(parts)
    sorter, folder, buckets = by_range(KEY, bounds), crawl_folder(manifests, crawl_id), len(bounds) + 1
    with ExitStack() as stack:

        def spilled(name: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
            spill = stack.enter_context(Spill(folder / f"pairs-{name}", schema, buckets, sorter))
            for batch in batches:
                spill.add(batch)
            return spill.tables()

        sides = (
            spilled("studies", TABLES["studies"], old_batches(manifests, "studies")),
            spilled("identities", TABLES["identities"], old_batches(manifests, "identities")),
            spilled("draft", DRAFT, part_batches(parts)),
        )
        for studies, identities, draft in zip(*sides, strict=True):
            yield _paired(studies, identities, draft)


def _bounds(parts: Sequence[Path]) -> list[str]:
    """UIDs that cut the draft, which is sorted, into ranges that are small as Python rows."""
    rows = sum(batch.num_rows for batch in part_batches(parts, [KEY]))
    step = max(_STUDIES_PER_RANGE, rows // _MOST_RANGES + 1)
    uids = (uid for batch in part_batches(parts, [KEY]) for uid in batch[KEY].to_pylist())
    return list(islice(uids, step, None, step))


def _paired(studies: pa.Table, identities: pa.Table, draft: pa.Table) -> list[tuple[Row | None, Row | None]]:
    people = {row[KEY]: row for row in identities.to_pylist()}
    before: dict[str, Row] = {row[KEY]: {**people.get(row[KEY], {}), **row} for row in studies.to_pylist()}
    after: dict[str, Row] = {row[KEY]: row for row in draft.to_pylist()}
    return [(before.get(uid), after.get(uid)) for uid in sorted({*before, *after})]


def absent(manifests: Manifests, crawl_id: str) -> Iterator[str]:
    """Studies of the tables that were there and that the unfinished crawl has not met."""
    for found in pairs(manifests, crawl_id):
        yield from (old[KEY] for old, new in found if old and new is None and old["gone_at"] is None)


class CarryWriter:
    """Writes what a comparison decides; it counts as decided when the block has ended."""

    def __init__(self, manifests: Manifests, crawl_id: str) -> None:
        kinds = (GONE_STUDIES, GONE_IDENTITIES, KNOWN_COUNTS, FIRST, AGAIN)
        self._writers = {kind: work_writer(manifests, crawl_id, kind, "0") for kind in kinds}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        # Left in reverse order: the list of what is asked again comes last and makes the rest count.
        for kind in (AGAIN, FIRST, KNOWN_COUNTS, GONE_IDENTITIES, GONE_STUDIES):
            self._stack.enter_context(self._writers[kind])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, kind: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows to one kind; columns that its schema does not have are left out."""
        write_rows(self._writers[kind], WORK_SCHEMAS[kind], rows)


def write_rows(writer: PartWriter, schema: pa.Schema, rows: Sequence[Mapping[str, Any]]) -> None:
    """Some rows as columns."""
    if rows:
        writer.write({name: [row.get(name) for row in rows] for name in schema.names})


def is_decided(manifests: Manifests, crawl_id: str, kind: str = AGAIN) -> bool:
    """Whether a kind of decision is durable already."""
    return bool(work_parts(manifests, crawl_id, kind))


def decided(manifests: Manifests, crawl_id: str, kind: str) -> Iterator[pa.RecordBatch]:
    """What was decided."""
    yield from part_batches(work_parts(manifests, crawl_id, kind))


def listed_again(manifests: Manifests, crawl_id: str) -> pa.Array | None:
    """The studies that are listed again, sorted; None when the crawl lists all."""
    if not is_decided(manifests, crawl_id):
        return None
    found = [batch[KEY] for batch in decided(manifests, crawl_id, AGAIN)]
    return pa.chunked_array(found, pa.string()).combine_chunks()


def members(manifests: Manifests, crawl_id: str, kind: str, again: pa.Array) -> Iterator[dict[str, list[set[str]]]]:
    """Study -> [UIDs known before, UIDs listed now], of the studies that were listed again, range by range.

    Args:
        manifests: The tables.
        crawl_id: The unfinished crawl.
        kind: `series` or `instances`.
        again: The studies, sorted.
    """
    uid = {"series": "series_instance_uid", "instances": "sop_instance_uid"}[kind]
    step = max(_LISTED_PER_RANGE, len(again) // _MOST_RANGES + 1)
    bounds = [again[place].as_py() for place in range(step, len(again), step)]
    folder = crawl_folder(manifests, crawl_id) / f"members-{kind}"
    with Spill(folder, _MEMBERS, len(bounds) + 1, by_range(KEY, bounds)) as spill:
        for batch in old_batches(manifests, kind, [KEY, uid]):
            spill.add(_member(batch.filter(pc.is_in(batch[KEY], value_set=again)), new=False))
        for batch in part_batches(work_parts(manifests, crawl_id, kind), [KEY, uid]):
            spill.add(_member(batch, new=True))
        for rows in spill.tables():
            found: dict[str, list[set[str]]] = {}
            for study, member, new in zip(*(rows[name].to_pylist() for name in _MEMBERS.names), strict=True):
                found.setdefault(study, [set(), set()])[new].add(member)
            yield found


def _member(batch: pa.RecordBatch, *, new: bool) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([*batch.columns, pa.array([new] * batch.num_rows, pa.bool_())], schema=_MEMBERS)


# --- into the new tables ------------------------------------------------------------------------------


def carried(manifests: Manifests, crawl_id: str, table: str) -> Iterator[pa.RecordBatch]:
    """`series` or `instances` as they will stand: old rows of studies not listed again, then the new rows."""
    again = listed_again(manifests, crawl_id)
    if again is not None:
        for batch in old_batches(manifests, table):
            yield batch.filter(pc.invert(pc.is_in(batch[KEY], value_set=again)))
    yield from part_batches(work_parts(manifests, crawl_id, table))


def gone(manifests: Manifests, crawl_id: str, table: str) -> Iterator[pa.RecordBatch]:
    """Rows of `studies` or `identities` of studies that the source no longer has."""
    kind = {"studies": GONE_STUDIES, "identities": GONE_IDENTITIES}[table]
    yield from decided(manifests, crawl_id, kind)


def counts(manifests: Manifests, crawl_id: str) -> Iterator[pa.RecordBatch]:
    """Listed counts of every study in the order of the draft: new ones where it was listed again."""
    fresh = part_batches(work_parts(manifests, crawl_id, "counts"))
    if not is_decided(manifests, crawl_id):
        yield from fresh
        return
    new = (row for batch in fresh for row in batch.to_pylist())
    following = next(new, None)
    for batch in decided(manifests, crawl_id, KNOWN_COUNTS):
        rows = batch.to_pylist()
        for place, row in enumerate(rows):
            if following is not None and following[KEY] == row[KEY]:
                rows[place], following = following, next(new, None)
        yield pa.RecordBatch.from_pylist(rows, schema=COUNTS)
