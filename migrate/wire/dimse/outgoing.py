"""One object on its way out: byte ranges straight to the socket, never a data set in memory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from migrate.errors import LocalError
from migrate.wire.dimse.command import CommandSet, encode
from migrate.wire.dimse.dialogue import Dialogue

_BLOCK_BYTES: Final = 262_144


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


class ObjectSender:
    """Sends data sets over one association with one reused buffer."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        values = max(1, _BLOCK_BYTES // dialogue.value_bytes)
        self._buffer = memoryview(bytearray(values * dialogue.value_bytes))

    def send(self, context_id: int, command: CommandSet, item: Outgoing) -> None:
        """Send command set and data set.

        Raises:
            PeerUnavailable: The connection was lost or the peer stopped reading.
            LocalError: A file cannot be read or is too short. The association is aborted.
        """
        parts = self._dialogue.values(context_id, memoryview(encode(command)), is_command=True, ends=True)
        left = item.size_bytes
        try:
            for block in _blocks(item.segments, self._buffer):
                if item.tap is not None:
                    item.tap(block)
                left -= len(block)
                parts += self._dialogue.values(context_id, block, is_command=False, ends=left == 0)
                self._dialogue.send_values(parts)
                parts = []
        except OSError as error:
            self._dialogue.abort()
            raise LocalError("a file to be sent cannot be read", errno=error.errno) from None
        except BaseException:
            # Half an object has gone out: nothing but an abort can follow.
            self._dialogue.abort()
            raise


def _blocks(segments: Iterable[Segment], buffer: memoryview) -> Iterator[memoryview]:
    """The bytes of all segments in blocks that fill `buffer`, the last one excepted."""
    filled = 0
    for piece in _pieces(segments):
        while len(piece):
            taken = piece.copy_to(buffer[filled:])
            filled += taken
            if filled == len(buffer):
                yield buffer
                filled = 0
    if filled:
        yield buffer[:filled]


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
