"""Parsing a data set while it arrives, in whatever pieces: elements are kept, bulk data passes through.

A push parser, so that the receiver's thread decides when to read and nothing is read twice. What it lets
pass is complete: a data set that was cut anywhere raises IllegalDicom when it is closed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import BinaryIO, Final

from migrate.dicom.bulk import BULK_ELEMENTS, LARGE_BYTES, PIXEL_ELEMENTS, expected_pixel_bytes, is_bulk
from migrate.dicom.charset import charset_terms
from migrate.dicom.dictionary import tag_text
from migrate.dicom.element import Element
from migrate.dicom.header import SPECIFIC_CHARACTER_SET, Header
from migrate.dicom.inflate import Inflater
from migrate.dicom.passing import BulkSink, FragmentsPassing, NativePassing, NoSink, Passing
from migrate.dicom.syntax import TransferSyntax, syntax_of
from migrate.dicom.walk import (
    ITEM_GROUP,
    LONG_VRS,
    SHORT_VRS,
    UNDEFINED,
    Bounds,
    Frame,
    Head,
    Incomplete,
    ParseLimits,
    Walker,
    is_vr_code,
)

DEFAULT_LIMITS: Final = ParseLimits()

_NOTHING: Final = memoryview(b"")
_NO_DIGESTS: Final[Mapping[int, str]] = {}
_PIXEL_DATA_PROVIDER_URL: Final = 0x00287FE0
_PIXELS: Final = frozenset({*PIXEL_ELEMENTS, _PIXEL_DATA_PROVIDER_URL})
_FIRST_GROUP: Final = 0x0008
_BELOW: Final = (_FIRST_GROUP << 16) - 1
_HEAD_BYTES: Final = 8
_FILE_BLOCK_BYTES: Final = 16_384  # most headers fit, and little of the pixels comes with them
_VRS: Final = frozenset(vr.encode() for vr in SHORT_VRS | LONG_VRS)
_ITEM_STARTS: Final = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")


class Tokenizer:
    """Turns the bytes of one data set into a `Header`.

    Args:
        transfer_syntax_uid: As negotiated or as the file meta information says.
        limits: What the object may cost.
        bulk: Gets the bytes of bulk elements.
    """

    def __init__(
        self, transfer_syntax_uid: str, limits: ParseLimits = DEFAULT_LIMITS, bulk: BulkSink | None = None
    ) -> None:
        self._uid = transfer_syntax_uid
        self._syntax = syntax_of(transfer_syntax_uid)
        self._limits = limits
        self._sink: BulkSink = bulk or NoSink()
        self._inflater = Inflater(limits) if self._syntax.deflated else None
        self._walker = Walker(limits)
        self._elements: dict[int, Element] = {}
        self._last = -1
        self._highest = _BELOW  # what is not above was seen, or is suspect
        self._base = 0  # data set offset of the first pending byte
        self._kept = 0
        self._pending = bytearray()
        self._needed = 0  # pending bytes before another attempt pays
        self._closing = False
        self._step: Callable[[memoryview], memoryview] = self._first
        self._passing: Passing | None = None
        self._bulk: Element | None = None

    def feed(self, view: memoryview) -> None:
        """Take the next bytes, any number of them.

        Raises:
            IllegalDicom: The bytes cannot be a data set in this syntax, or pass a limit.
        """
        if self._inflater is None:
            self._push(view)
            return
        for piece in self._inflater.feed(view):
            self._push(memoryview(piece))

    @property
    def skippable(self) -> int:
        """How many of the next bytes are bulk data that a reader of files need not read."""
        if self._passing is None or self._inflater is not None:
            return 0
        return max(0, self._passing.left - 1)

    def skip(self, count: int) -> None:
        """Let `count` bytes, at most `skippable`, pass unread. A bulk sink does not see them."""
        if self._passing is not None and count:
            self._passing.skip(count)
            self._base += count

    def close(self, bulk_xxh3: Mapping[int, str] = _NO_DIGESTS) -> Header:
        """End the data set.

        Args:
            bulk_xxh3: Digests of the bulk values by tag; becomes part of the header as it is.

        Raises:
            IllegalDicom: It ends inside an element, or without the pixels it describes.
        """
        if self._inflater is not None and self._inflater.close():
            self._walker.note("bytes after the deflated data set")
        self._closing = True
        self._push(_NOTHING)
        if self._passing is not None:
            self._walker.refuse_at("the data set ends inside an element", self._base)
        if not self._elements:
            self._walker.refuse("the data set is empty", 0)
        self._refuse_missing_pixels()
        character_set = self._elements.get(SPECIFIC_CHARACTER_SET)
        return Header(
            elements=self._elements,
            charset=charset_terms(character_set.value if character_set else None),
            little_endian=self._syntax.little_endian,
            transfer_syntax_uid=self._uid,
            syntax=self._syntax,
            size_bytes=self._base,
            deviations=tuple(self._walker.deviations),
            bulk_xxh3=bulk_xxh3,
        )

    def _push(self, view: memoryview) -> None:
        rest = self._step(view)
        while rest:
            rest = self._step(rest)

    # -- elements ------------------------------------------------------------------------------------------

    def _first(self, view: memoryview) -> memoryview:
        """Look at the first element: some writers use the other VR encoding than they declare."""
        if self._pending or len(view) < _HEAD_BYTES:
            self._pending += view
            if len(self._pending) < _HEAD_BYTES and not self._closing:
                return _NOTHING
            view = memoryview(bytes(self._pending))
            self._pending.clear()
        declared = self._syntax
        self._syntax = _as_written(declared, bytes(view[4:6]))
        if self._syntax != declared:
            self._walker.note(
                "explicit VR though declared implicit"
                if self._syntax.explicit
                else "implicit VR though declared explicit"
            )
        self._step = self._header
        return view

    def _header(self, view: memoryview) -> memoryview:
        """Parse complete elements; keep what is not complete; hand on what belongs to a bulk value."""
        if self._pending:
            self._pending += view
            if len(self._pending) < self._needed and not self._closing:
                return _NOTHING
            buffer = bytes(self._pending)
            self._pending.clear()  # a long value shall not be held three times
            behind = _NOTHING
        else:
            # Most headers end here: what follows is bulk data, which is not copied.
            buffer, behind = bytes(view[:_FILE_BLOCK_BYTES]), view[_FILE_BLOCK_BYTES:]
        self._walker.base = self._base
        used = self._parse(buffer)
        self._base += used
        if self._step != self._header:
            return memoryview(buffer)[used:] if not behind else view[used:]
        self._pending = bytearray(buffer[used:])
        if used == len(buffer):
            self._needed = 0
        if self._kept + max(len(self._pending), self._needed) > self._limits.header_bytes:
            self._walker.refuse("the header is too long", used, limit=self._limits.header_bytes)
        return behind

    def _parse(self, buffer: bytes) -> int:
        """Read elements until the buffer is used up, an element is incomplete or bulk data starts.

        Returns:
            How many bytes of the buffer are done with.
        """
        walker = self._walker
        syntax = self._syntax
        end = len(buffer)
        frame = Frame(end, bounded=self._closing, explicit=syntax.explicit, little=syntax.little_endian, depth=0)
        pos = 0
        while pos < end:
            plain, after = walker.run(buffer, pos, frame, Bounds(self._highest, BULK_ELEMENTS, LARGE_BYTES))
            if plain:
                self._elements.update([(element[0], element) for element in plain])
                self._last = self._highest = plain[-1].tag
                self._kept += after - pos
                pos = after
                continue
            counted = walker.elements, walker.items
            try:
                head = walker.head(buffer, pos, frame)
                if is_bulk(head) and not self._holds_items(buffer, head, frame):
                    self._begin_bulk(head, self._base + pos, self._base + head.start)
                    return head.start
                element = walker.body(buffer, pos, head, frame)
            except Incomplete as incomplete:
                walker.elements, walker.items = counted
                self._wait(incomplete, pos, end)
                return pos
            self._keep(element)
            pos = element.value_offset + element.length - walker.base
        return pos

    def _wait(self, incomplete: Incomplete, pos: int, end: int) -> None:
        """Say how many bytes the next attempt needs.

        Inside a sequence of undefined length each attempt starts anew, so it must pay: four times the bytes.
        """
        wanted = incomplete.wanted - pos
        if not incomplete.exact:
            wanted = max(wanted, min(4 * (end - pos), self._limits.header_bytes - self._kept))
        self._needed = wanted

    @staticmethod
    def _holds_items(buffer: bytes, head: Head, frame: Frame) -> bool:
        """Whether a large value of unknown VR is a sequence, which is no bulk data."""
        if head.tag in BULK_ELEMENTS:
            return False
        if head.start + 4 > frame.end and not frame.bounded:
            raise Incomplete(head.start + 4, exact=True)
        return buffer[head.start : head.start + 4] in _ITEM_STARTS

    def _keep(self, element: Element) -> None:
        """File one element; the order must rise and no tag may come twice (PS3.5 7.1)."""
        tag = element.tag
        walker = self._walker
        at = element.offset - walker.base
        if tag and (tag <= self._last or tag in self._elements):
            if tag in self._elements:
                walker.refuse("a tag comes twice", at, tag=tag_text(tag))
            walker.note(f"order of tags at {tag_text(tag)}")
        if tag == 0:
            walker.refuse("bytes after the last element", at)
        if tag >> 16 < _FIRST_GROUP:
            walker.note(f"group {tag >> 16:04x} inside the data set")
        elif tag >> 16 == ITEM_GROUP:
            walker.refuse("an item outside of a sequence", at, tag=tag_text(tag))
        walker.count_element(at)
        self._elements[tag] = element
        self._last = tag
        self._highest = max(self._highest, tag)
        self._kept += element.length if element.value is not None else 0

    # -- bulk ----------------------------------------------------------------------------------------------

    def _begin_bulk(self, head: Head, offset: int, value_offset: int) -> None:
        """Let the value pass from here on; its element is filed when it is complete."""
        syntax = self._syntax
        self._bulk = Element(head.tag, head.vr, offset, value_offset, head.length, False, None, None)  # noqa: FBT003
        little = syntax.little_endian
        self._step = self._pass
        if head.length != UNDEFINED:
            self._sink.begin(head, little_endian=little, significant=self._significant(head, offset))
            self._passing = NativePassing(self._sink, head.length)
            return
        if not syntax.encapsulated:
            self._walker.note(f"fragments in {tag_text(head.tag)} though the syntax has none")
        self._sink.begin(head, little_endian=little, significant=None)
        self._passing = FragmentsPassing(self._sink, self._walker, value_offset, little_endian=little)

    def _significant(self, head: Head, offset: int) -> int | None:
        """How many bytes of native pixel data are no padding; None where all or nobody knows."""
        length = head.length
        if head.tag not in PIXEL_ELEMENTS:
            return None
        if self._syntax.encapsulated and self._syntax.known:
            self._walker.note(f"defined length of {tag_text(head.tag)} in an encapsulated syntax")
        expected = expected_pixel_bytes(self._elements, little=self._syntax.little_endian)
        if expected is not None and length < expected:
            self._walker.refuse_at("pixel data shorter than the image", offset, length=length, expected=expected)
        return expected if expected == length - 1 else None

    def _pass(self, view: memoryview) -> memoryview:
        passing = self._passing
        if passing is None:
            return view
        rest = passing.feed(view)
        self._base += len(view) - len(rest)
        if passing.done:
            self._end_bulk()
        return rest

    def _end_bulk(self) -> None:
        begun = self._bulk
        if begun is None:
            return
        self._sink.end()
        length = self._base - begun.value_offset
        if length & 1:
            self._walker.note(f"odd length of {tag_text(begun.tag)}")
        self._passing = self._bulk = None
        self._step = self._header
        self._needed = 0
        self._walker.base = self._base
        self._keep(begun._replace(length=length, undefined=begun.length == UNDEFINED))

    def _refuse_missing_pixels(self) -> None:
        """A header that describes pixels without any is an object that was cut between two elements."""
        if not self._elements.keys().isdisjoint(_PIXELS):
            return
        if expected_pixel_bytes(self._elements, little=self._syntax.little_endian) is not None:
            self._walker.refuse_at("the header describes an image and no pixel data follows", self._base)


def header_of_file(file: BinaryIO, offset: int, transfer_syntax_uid: str) -> Header:
    """The header of a data set in a file, without reading its bulk data.

    Args:
        file: Opened for reading, unbuffered.
        offset: Where the data set begins.
        transfer_syntax_uid: What the file meta information says.

    Raises:
        IllegalDicom: It is no complete data set.
        OSError: It cannot be read.
    """
    tokenizer = Tokenizer(transfer_syntax_uid)
    size = os.fstat(file.fileno()).st_size
    block = memoryview(bytearray(_FILE_BLOCK_BYTES))
    while offset < size:
        count = os.preadv(file.fileno(), [block], offset)
        tokenizer.feed(block[:count])
        offset += count
        skipped = min(tokenizer.skippable, size - offset)
        tokenizer.skip(skipped)
        offset += skipped
    return tokenizer.close()


def _as_written(declared: TransferSyntax, code: bytes) -> TransferSyntax:
    """The syntax that the first element shows where it contradicts the declared one."""
    if not declared.explicit and code in _VRS:
        return replace(declared, explicit=True)
    if declared.explicit and declared.little_endian and len(code) == 2 and not is_vr_code(code):
        return replace(declared, explicit=False)
    return declared
