"""One object on its way out: byte ranges straight to the socket, never a data set in memory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from migrate.errors import LocalError


@dataclass(frozen=True, slots=True)
class FileRange:
    """`length` bytes of a file from `offset`."""

    path: Path
    offset: int
    length: int


Segment = bytes | FileRange


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """What a C-STORE sends: the segments one after another are the data set.

    Attributes:
        segments: Of even length in all; the caller sees to that.
        tap: Sees all bytes, in order, just before they are sent.
        move_originator: AE title and message id of the C-MOVE this belongs to, if it does.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    segments: tuple[Segment, ...]
    tap: Callable[[memoryview], object] | None = None
    move_originator: tuple[str, int] | None = None

    @property
    def size_bytes(self) -> int:
        """Length of the data set."""
        return sum(one.length if isinstance(one, FileRange) else len(one) for one in self.segments)


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """What the peer answered to one C-STORE; `status` None says that no answer came: unknown."""

    status: int | None
    error_comment: str | None = None
    offending_element: tuple[int, ...] = ()


def blocks(item: Outgoing, buffer: memoryview) -> Iterator[memoryview]:
    """The data set in blocks that fill `buffer`, the last one excepted; `item.tap` sees each.

    A block is only good until the next one is asked for.

    Raises:
        LocalError: A file cannot be read or is too short.
    """
    filled = 0
    try:
        for piece in _pieces(item.segments):
            while len(piece):
                filled += piece.copy_to(buffer[filled:])
                if filled == len(buffer):
                    yield _tapped(item, buffer)
                    filled = 0
    except OSError as error:
        raise LocalError("a file to be sent cannot be read", errno=error.errno) from None
    if filled:
        yield _tapped(item, buffer[:filled])


def _tapped(item: Outgoing, block: memoryview) -> memoryview:
    if item.tap is not None:
        item.tap(block)
    return block


class _Piece(Protocol):
    def __len__(self) -> int: ...

    def copy_to(self, room: memoryview) -> int: ...


class _BytesPiece:
    def __init__(self, value: bytes) -> None:
        self._left = memoryview(value)

    def __len__(self) -> int:
        return len(self._left)

    def copy_to(self, room: memoryview) -> int:
        taken = min(len(room), len(self._left))
        room[:taken] = self._left[:taken]
        self._left = self._left[taken:]
        return taken


class _FilePiece:
    def __init__(self, fd: int, piece: FileRange) -> None:
        self._fd = fd
        self._at = piece.offset
        self._end = piece.offset + piece.length

    def __len__(self) -> int:
        return self._end - self._at

    def copy_to(self, room: memoryview) -> int:
        taken = os.preadv(self._fd, [room[: len(self)]], self._at)
        if taken == 0:
            raise LocalError("a file became shorter while it was sent")
        self._at += taken
        return taken


def _pieces(segments: Iterable[Segment]) -> Iterator[_Piece]:
    """Open each file once, however many of its ranges are sent one after another."""
    with contextlib.ExitStack() as files:
        opened: dict[Path, int] = {}
        for segment in segments:
            if isinstance(segment, bytes):
                yield _BytesPiece(segment)
                continue
            if segment.path not in opened:
                fd = os.open(segment.path, os.O_RDONLY)
                files.callback(os.close, fd)
                opened[segment.path] = fd
            yield _FilePiece(opened[segment.path], segment)
