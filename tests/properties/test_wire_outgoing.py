"""The bytes that go out are the segments one after another, whatever their sizes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrate.errors import LocalError
from migrate.wire.dimse.outgoing import FileRange, Outgoing, Segment, blocks

CONTENT = bytes(range(256)) * 4

ranges = st.tuples(st.integers(0, len(CONTENT)), st.integers(0, len(CONTENT))).map(sorted)


def item(segments: list[Segment], seen: list[bytes]) -> Outgoing:
    return Outgoing(
        sop_class_uid="1",
        sop_instance_uid="2",
        transfer_syntax_uid="3",
        segments=tuple(segments),
        tap=lambda view: seen.append(bytes(view)),
    )


@given(
    parts=st.lists(st.binary(max_size=200) | ranges, max_size=6),
    buffer_bytes=st.integers(1, 700),
)
def test_blocks_and_tap_give_all_segments_in_order(parts: list[bytes | list[int]], buffer_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "content"
        path.write_bytes(CONTENT)
        segments: list[Segment] = []
        expected = b""
        for part in parts:
            if isinstance(part, bytes):
                segments.append(part)
                expected += part
            else:
                segments.append(FileRange(path, part[0], part[1] - part[0]))
                expected += CONTENT[part[0] : part[1]]
        seen: list[bytes] = []
        wanted = item(segments, seen)
        got = [bytes(block) for block in blocks(wanted, memoryview(bytearray(buffer_bytes)))]
    assert b"".join(got) == b"".join(seen) == expected
    assert wanted.size_bytes == len(expected)
    assert all(len(block) == buffer_bytes for block in got[:-1])


def test_a_range_beyond_the_end_of_its_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "content"
    path.write_bytes(CONTENT)
    with pytest.raises(LocalError, match="shorter"):
        list(blocks(item([FileRange(path, 1000, 100)], []), memoryview(bytearray(64))))
