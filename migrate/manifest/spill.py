"""Rows by the million in bounded memory: spilled into buckets on disk, then taken bucket by bucket."""

from __future__ import annotations

import shutil
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from migrate.manifest.place import private_folder
from migrate.manifest.read import ROWS_PER_BATCH, readable

ROWS_PER_BUCKET = 20_000
_ROWS_PER_ROUND = 65_536
# Each bucket has an open file, and two spills are open at a time: together below the usual limit of 1024.
_MOST_BUCKETS = 400
_SAMPLES_PER_BUCKET = 32

Sorter = Callable[[pa.RecordBatch], list[int]]


class Spill:
    """Buckets of rows in a folder that is deleted at the end of the block.

    Args:
        folder: Made for this purpose, for the owner alone.
        schema: Columns of every batch.
        buckets: How many.
        sorter: Says for each row of a batch which bucket it belongs to.
    """

    def __init__(self, folder: Path, schema: pa.Schema, buckets: int, sorter: Sorter) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        private_folder(folder)
        self._folder, self._schema, self._sorter = folder, schema, sorter
        self._buckets = buckets
        self._writers: dict[int, pa.ipc.RecordBatchStreamWriter] = {}
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting, self._waiting_rows = [], 0
        self._close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, batch: pa.RecordBatch) -> None:
        """Give each row of a batch to its bucket; the order of rows in a bucket is kept.

        Rows wait until there are enough for every bucket to get more than a few: tiny pieces cost more
        than the rows in them, once for each bucket.
        """
        if self._buckets == 1:
            self._writer(0).write_batch(batch)
            return
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        if self._waiting_rows >= _ROWS_PER_ROUND:
            self._sort_out()

    def _sort_out(self) -> None:
        if not self._waiting_rows:
            return
        places: dict[int, list[int]] = {}
        first = 0
        for batch in self._waiting:
            for row, bucket in enumerate(self._sorter(batch), start=first):
                places.setdefault(bucket, []).append(row)
            first += batch.num_rows
        rows = pa.Table.from_batches(self._waiting, schema=self._schema).combine_chunks()
        self._waiting, self._waiting_rows = [], 0
        for bucket, chosen in places.items():
            self._writer(bucket).write_table(rows.take(pa.array(chosen, pa.int64())))

    def _writer(self, bucket: int) -> pa.ipc.RecordBatchStreamWriter:
        if bucket not in self._writers:
            options = pa.ipc.IpcWriteOptions(compression="lz4")
            path = str(self._folder / f"{bucket:04d}")
            self._writers[bucket] = pa.ipc.new_stream(path, self._schema, options=options)
        return self._writers[bucket]

    def _close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def tables(self) -> Iterator[pa.Table]:
        """The buckets in order, each in memory as a whole; nothing can be added any more."""
        self._sort_out()
        self._close()
        for bucket in range(self._buckets):
            path = self._folder / f"{bucket:04d}"
            if not path.exists():
                yield self._schema.empty_table()
                continue
            with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as stream:
                yield stream.read_all()
            pa.default_memory_pool().release_unused()


def buckets_for(rows: int) -> int:
    """How many buckets keep one bucket in memory small."""
    return min(_MOST_BUCKETS, max(1, -(-rows // ROWS_PER_BUCKET)))


def by_checksum(column: str, buckets: int) -> Sorter:
    """Equal values of a column into the same bucket."""
    return lambda batch: [zlib.crc32((text or "").encode()) % buckets for text in batch[column].to_pylist()]


def by_range(column: str, bounds: list[str]) -> Sorter:
    """Buckets in the order of the values: bucket n holds what lies between bounds n-1 and n."""
    return lambda batch: [bisect_right(bounds, text or "") for text in batch[column].to_pylist()]


def range_bounds(parts: Iterable[Path], column: str, rows: int) -> list[str]:
    """Values that cut a text column into buckets of about equal size."""
    buckets = buckets_for(rows)
    step = max(1, rows // (buckets * _SAMPLES_PER_BUCKET))
    sample = sorted(text or "" for batch in part_batches(parts, [column]) for text in batch[column].to_pylist()[::step])
    return [sample[len(sample) * n // buckets] for n in range(1, buckets)] if sample else []


def part_batches(parts: Iterable[Path], columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Some Parquet files batch by batch, page checksums verified.

    Raises:
        ManifestDamaged: A file cannot be read; its name is in the facts.
    """
    for part in parts:
        with readable(part), pq.ParquetFile(part, page_checksum_verification=True) as file:
            yield from file.iter_batches(batch_size=ROWS_PER_BATCH, columns=columns, use_threads=False)
