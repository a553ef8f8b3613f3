"""Letting the value of one bulk element pass by, native or in fragments (PS3.5 section 8, A.4)."""

from __future__ import annotations

from struct import Struct
from typing import Final, Protocol

from migrate.dicom.dictionary import tag_text
from migrate.dicom.walk import ITEM, SEQUENCE_DELIMITATION, UNDEFINED, Head, Walker

_HEAD_BYTES: Final = 8
_PEEK_BYTES: Final = 4


class BulkSink(Protocol):
    """Where bulk bytes go, element after element; the parser keeps none of them."""

    def begin(self, head: Head, *, little_endian: bool, significant: int | None) -> None:
        """The value of an element starts; in little endian words only its first `significant` bytes count."""
        ...

    def update(self, view: memoryview) -> None:
        """The next bytes of the value: without item heads and offset table."""
        ...

    def end(self) -> None:
        """The value is complete."""
        ...


class NoSink:
    """Lets bulk bytes fall."""

    def begin(self, head: Head, *, little_endian: bool, significant: int | None) -> None:
        """Nothing to prepare."""

    def update(self, view: memoryview) -> None:
        """Nothing to keep."""

    def end(self) -> None:
        """Nothing to finish."""


class Passing(Protocol):
    """A bulk value under way."""

    done: bool

    def feed(self, view: memoryview) -> memoryview:
        """Take bytes of the value; returns those that come after it or after what could be used at once."""
        ...

    @property
    def left(self) -> int:
        """Bytes that are certain to be payload."""
        ...

    def skip(self, count: int) -> None:
        """Let `count` bytes, fewer than `left`, pass unseen."""
        ...


class NativePassing:
    """A value of known length."""

    def __init__(self, sink: BulkSink, length: int) -> None:
        self._sink = sink
        self._left = length
        self.done = length == 0

    @property
    def left(self) -> int:
        """Bytes of the value still to come."""
        return self._left

    def skip(self, count: int) -> None:
        """Let `count` bytes pass unseen."""
        self._left -= count

    def feed(self, view: memoryview) -> memoryview:
        """Take bytes of the value; returns those behind it."""
        taken = min(self._left, len(view))
        self._sink.update(view[:taken])
        self._left -= taken
        self.done = self._left == 0
        return view[taken:]


class FragmentsPassing:
    """Fragments up to the sequence delimiter; only their payload counts, and no offset table.

    The first item is the Basic Offset Table when it is empty, or has 32 bit words of which the first is 0
    (the offset of the first frame). Some writers left the table out: then the first item is payload.
    """

    def __init__(self, sink: BulkSink, walker: Walker, offset: int, *, little_endian: bool) -> None:
        self._sink = sink
        self._walker = walker
        self._offset = offset
        self._heads = Struct("<HHI" if little_endian else ">HHI")
        self._pending = bytearray()
        self._needed = _HEAD_BYTES
        self._count = 0
        self._left = 0
        self._counts = True
        self.done = False

    @property
    def left(self) -> int:
        """Bytes of the fragment still to come."""
        return self._left

    def skip(self, count: int) -> None:
        """Let `count` bytes of the fragment pass unseen."""
        self._left -= count
        self._offset += count

    def feed(self, view: memoryview) -> memoryview:
        """Take some bytes of the value; returns the rest, to be fed again unless `done`."""
        if not self._left and not self._pending and self._count:
            view = self._whole(view)
        taken = min(self._left or self._needed - len(self._pending), len(view))
        piece = view[:taken]
        self._offset += taken
        if self._left:
            self._left -= taken
            if self._counts:
                self._sink.update(piece)
        else:
            self._pending += piece
            if len(self._pending) == self._needed:
                self._open()
        return view[taken:]

    def _whole(self, view: memoryview) -> memoryview:
        """Take fragments as long as they are whole and even, which is what most of the bytes are."""
        pos, end = 0, len(view)
        limits = self._walker.limits
        while pos + _HEAD_BYTES <= end and self._count < limits.fragments:
            group, element, length = self._heads.unpack_from(view, pos)
            stop = pos + _HEAD_BYTES + length
            if group << 16 | element != ITEM or stop > end or length & 1:
                break
            if not length:
                self._walker.count_item(self._offset + pos - self._walker.base)
            self._sink.update(view[pos + _HEAD_BYTES : stop])
            self._count += 1
            pos = stop
        self._offset += pos
        return view[pos:]

    def _open(self) -> None:
        """A whole item head is there, and for the first item the first word of its value."""
        group, element, length = self._heads.unpack_from(self._pending)
        tag = group << 16 | element
        if tag == SEQUENCE_DELIMITATION:
            self.done = True
            return
        if tag != ITEM or length == UNDEFINED:
            self._walker.refuse_at("not a fragment", self._offset - len(self._pending), tag=tag_text(tag))
        if self._count == 0 and length >= _PEEK_BYTES and self._needed == _HEAD_BYTES:
            self._needed = _HEAD_BYTES + _PEEK_BYTES
            return
        self._start(length, bytes(self._pending[_HEAD_BYTES:]))

    def _start(self, length: int, peeked: bytes) -> None:
        table = self._count == 0 and length % _PEEK_BYTES == 0 and not any(peeked)
        if self._count == 0 and not table:
            self._walker.note("encapsulated data without an offset table")
        if length & 1:
            self._walker.note("fragment of odd length")
        self._counts = not table
        if peeked and not table:
            self._sink.update(memoryview(peeked))
        self._left = length - len(peeked)
        self._pending.clear()
        self._needed = _HEAD_BYTES
        self._count += 1
        walker = self._walker
        if not length:
            walker.count_item(self._offset - walker.base)
        if self._count > walker.limits.fragments:
            walker.refuse_at("too many fragments", self._offset, limit=walker.limits.fragments)
