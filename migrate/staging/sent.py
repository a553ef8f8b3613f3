"""The data set of a staged object as it will be sent: new bytes and untouched ranges, block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from migrate.errors import IllegalDicom

BLOCK_BYTES = 262_144

Segments = Iterable[bytes | tuple[int, int]]


def sent_blocks(path: Path, dataset_offset: int, segments: Segments) -> Iterator[memoryview]:
    """The bytes of each segment in order; a range is (offset, length) within the data set.

    Each block is only good until the next one is asked for.

    Raises:
        IllegalDicom: The file is shorter than the ranges.
        OSError: It cannot be read.
    """
    buffer = memoryview(bytearray(BLOCK_BYTES))
    with path.open("rb", buffering=0) as file:
        for segment in segments:
            if isinstance(segment, bytes):
                yield memoryview(segment)
                continue
            file.seek(dataset_offset + segment[0])
            left = segment[1]
            while left:
                count = file.readinto(buffer[: min(BLOCK_BYTES, left)])
                if not count:
                    raise IllegalDicom("a staged file is truncated", file=path.name, missing_bytes=left)
                yield buffer[:count]
                left -= count
