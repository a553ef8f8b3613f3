"""The last step of a crawl: its work becomes the tables that everybody reads."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator

import pyarrow as pa

from migrate.errors import ManifestDamaged
from migrate.manifest.carry import FINAL, carried, counts, gone, is_decided
from migrate.manifest.fold import draft_batches
from migrate.manifest.place import Manifests
from migrate.manifest.schema import schema_of
from migrate.manifest.sightings import crawl_folder, work_parts
from migrate.manifest.spill import part_batches
from migrate.manifest.write import Columns, TableWriter, replace_table


def publish(manifests: Manifests, crawl_id: str, windows: Iterable[Columns]) -> dict[str, int]:
    """Put a finished crawl's tables in the place of the last one's; gives rows by table.

    Each table changes in one step, `studies` last; a repeat after a kill gives the same tables.
    `windows` and `deltas` are kept per crawl.

    Raises:
        ManifestDamaged: What the crawl wrote cannot be read any more.
        LocalError: The disk is full or not writable.
    """
    rows = {"identities": replace_table(manifests, "identities", _identities(manifests, crawl_id))}
    for table in ("series", "instances"):
        rows[table] = replace_table(manifests, table, carried(manifests, crawl_id, table))
    defects = part_batches(work_parts(manifests, crawl_id, "crawl_defects"))
    rows["crawl_defects"] = replace_table(manifests, "crawl_defects", defects)
    if is_decided(manifests, crawl_id, FINAL):
        with TableWriter(manifests, "deltas", crawl_id) as writer:
            for batch in part_batches(work_parts(manifests, crawl_id, FINAL)):
                writer.write(batch)
    with TableWriter(manifests, "windows", crawl_id) as writer:
        for columns in windows:
            writer.write(columns)
    rows["windows"] = writer.rows
    rows["studies"] = replace_table(manifests, "studies", _studies(manifests, crawl_id))
    return rows


def forget_work(manifests: Manifests, crawl_id: str) -> None:
    """Delete what a published crawl, and any crawl before it, left in the work folder."""
    shutil.rmtree(crawl_folder(manifests, crawl_id), ignore_errors=True)
    for folder in manifests.work_folder.glob("crawl-*"):
        shutil.rmtree(folder, ignore_errors=True)


def _identities(manifests: Manifests, crawl_id: str) -> Iterator[pa.RecordBatch]:
    for batch in draft_batches(manifests, crawl_id):
        yield batch.select(schema_of("identities").names)
    yield from gone(manifests, crawl_id, "identities")


def _studies(manifests: Manifests, crawl_id: str) -> Iterator[pa.RecordBatch]:
    schema = schema_of("studies")
    listed = _Counts(manifests, crawl_id)
    for batch in draft_batches(manifests, crawl_id):
        columns = {name: batch[name] for name in schema.names}
        columns |= listed.next(batch["study_instance_uid"])
        yield pa.RecordBatch.from_arrays([columns[name] for name in schema.names], names=schema.names)
    yield from gone(manifests, crawl_id, "studies")


class _Counts:
    """The listed counts, in the order of the draft; nulls when nothing was listed."""

    def __init__(self, manifests: Manifests, crawl_id: str) -> None:
        self._listed = bool(work_parts(manifests, crawl_id, "counts")) or is_decided(manifests, crawl_id)
        self._batches = counts(manifests, crawl_id)
        self._waiting: pa.Table | None = None

    def next(self, uids: pa.Array) -> dict[str, pa.Array]:
        if not self._listed:
            return {}
        while self._waiting is None or self._waiting.num_rows < len(uids):
            batch = next(self._batches, None)
            if batch is None:
                break
            table = pa.Table.from_batches([batch])
            self._waiting = table if self._waiting is None else pa.concat_tables([self._waiting, table])
        if self._waiting is None or not self._waiting["study_instance_uid"][: len(uids)].combine_chunks().equals(uids):
            raise ManifestDamaged("the counts of a crawl do not belong to its studies", "start a new crawl")
        taken, self._waiting = self._waiting[: len(uids)], self._waiting[len(uids) :]
        return {name: taken[name].combine_chunks() for name in ("series_count", "instance_count")}
