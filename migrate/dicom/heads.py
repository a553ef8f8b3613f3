"""Reading the heads of elements and runs of plain elements (PS3.5 7.1), within limits."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple, NoReturn

from migrate.dicom.dictionary import tag_text, vr_of
from migrate.dicom.element import Element
from migrate.dicom.limits import ParseLimits
from migrate.errors import IllegalDicom

UNDEFINED: Final = 0xFFFFFFFF
ITEM_GROUP: Final = 0xFFFE  # its elements have no VR in any syntax
ITEM: Final = 0xFFFEE000
ITEM_DELIMITATION: Final = 0xFFFEE00D
SEQUENCE_DELIMITATION: Final = 0xFFFEE0DD
PIXEL_DATA: Final = 0x7FE00010

LONG_VRS: Final = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
SHORT_VRS: Final = frozenset(
    "AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split(),
)

_SHORT: Final = {vr.encode(): vr for vr in SHORT_VRS}
_LONG: Final = {vr.encode(): vr for vr in LONG_VRS}
_FIRST_ITEM_TAG: Final = ITEM_GROUP << 16
_new = tuple.__new__  # what a named tuple calls, without the call around it


class Incomplete(Exception):
    """The bytes at hand end before the element does.

    `wanted` is where they must reach at least; `exact` says that this is where the element ends.
    """

    def __init__(self, wanted: int, *, exact: bool) -> None:
        super().__init__(wanted)
        self.wanted = wanted
        self.exact = exact


class Head(NamedTuple):
    """Tag, VR and length of one element and where its value starts in the buffer."""

    tag: int
    vr: str
    start: int
    length: int


class Frame(NamedTuple):
    """What a walk stands in: where it must stop and how its elements are encoded.

    `bounded` says that `end` is a real end (of an item, of the data set), not just how far the bytes reach.
    """

    end: int
    bounded: bool
    explicit: bool
    little: bool
    depth: int


class Bounds(NamedTuple):
    """What a run of plain elements must not go into: tags up to `above`, `stops`, and large values."""

    above: int
    stops: frozenset[int]
    large_bytes: int


class _Words(NamedTuple):
    """The readers for one byte order."""

    explicit: struct.Struct
    implicit: struct.Struct
    long: struct.Struct


WORDS: Final = {
    little: _Words(struct.Struct(order + "HH2sH"), struct.Struct(order + "HHI"), struct.Struct(order + "I"))
    for little, order in ((True, "<"), (False, ">"))
}


@dataclass(slots=True)
class HeadReader:
    """Reads heads of one data set, counting against its limits and noting what it tolerates.

    `base` is the data set offset of the first byte of the buffers handed in.
    """

    limits: ParseLimits
    base: int = 0
    elements: int = 0
    items: int = 0
    deviations: dict[str, None] = field(default_factory=dict)

    def note(self, deviation: str) -> None:
        """Remember a tolerated deviation once."""
        self.deviations[deviation] = None

    def refuse(self, fact: str, pos: int, **facts: object) -> NoReturn:
        """Raise IllegalDicom with the data set offset of `pos`."""
        self.refuse_at(fact, self.base + pos, **facts)

    def refuse_at(self, fact: str, offset: int, **facts: object) -> NoReturn:
        """Raise IllegalDicom with a data set offset."""
        raise IllegalDicom(fact, "", offset=offset, **facts)

    def short(self, wanted: int, pos: int, frame: Frame) -> NoReturn:
        """Say that bytes are missing: for now, or for good."""
        if not frame.bounded:
            raise Incomplete(wanted, exact=frame.depth == 0)
        if frame.depth:
            self.refuse("a length reaches beyond its container", pos, depth=frame.depth)
        self.refuse("the data set ends inside an element", pos, missing_bytes=wanted - frame.end)

    def head(self, buffer: bytes, pos: int, frame: Frame) -> Head:
        """Read tag, VR and length at `pos`.

        Raises:
            Incomplete: The head or value reaches beyond an unbounded frame.
            IllegalDicom: It reaches beyond a bounded one.
        """
        if pos + 8 > frame.end:
            self.short(pos + 8, pos, frame)
        words = WORDS[frame.little]
        if not frame.explicit:
            group, element, length = words.implicit.unpack_from(buffer, pos)
            tag = group << 16 | element
            return Head(tag, vr_of(tag), pos + 8, length)
        group, element, code, length = words.explicit.unpack_from(buffer, pos)
        tag = group << 16 | element
        vr = _SHORT.get(code)
        if group == ITEM_GROUP:
            return self._bare_head(buffer, pos, frame)
        if vr is not None:
            return Head(tag, vr, pos + 8, length)
        vr = _LONG.get(code)
        if vr is None:
            return self._odd_head(buffer, pos, frame)
        if pos + 12 > frame.end:
            self.short(pos + 12, pos, frame)
        return Head(tag, vr, pos + 12, words.long.unpack_from(buffer, pos + 8)[0])

    def _odd_head(self, buffer: bytes, pos: int, frame: Frame) -> Head:
        """An element whose VR is none that we know, or that has none."""
        words = WORDS[frame.little]
        group, element, code, length = words.explicit.unpack_from(buffer, pos)
        tag = group << 16 | element
        if not is_vr_code(code):
            self.note(f"implicit VR element {tag_text(tag)} in an explicit VR data set")
            return self._bare_head(buffer, pos, frame)
        # A VR of the future has the long form with two zero bytes (PS3.5 7.1.2); old writers used the short one.
        self.note(f"unknown VR in {tag_text(tag)}")
        if length:
            return Head(tag, "UN", pos + 8, length)
        if pos + 12 > frame.end:
            self.short(pos + 12, pos, frame)
        return Head(tag, "UN", pos + 12, words.long.unpack_from(buffer, pos + 8)[0])

    def _bare_head(self, buffer: bytes, pos: int, frame: Frame) -> Head:
        """A head without a VR: items and delimiters in every syntax."""
        group, element, length = WORDS[frame.little].implicit.unpack_from(buffer, pos)
        tag = group << 16 | element
        return Head(tag, vr_of(tag), pos + 8, length)

    def run(self, buffer: bytes, pos: int, frame: Frame, bounds: Bounds) -> tuple[list[Element], int]:
        """Read plain elements as long as they come: the same as `head` and `body`, several times faster.

        Plain is defined, even and complete, in ascending order within `bounds`, no sequence, not one of the
        tags or sizes that `bounds` leaves to the caller. Stops in front of the first that is not.
        """
        if not frame.explicit:
            return self._implicit_run(buffer, pos, frame, bounds)
        found: list[Element] = []
        unpack = WORDS[frame.little].explicit.unpack_from
        base, last, end = self.base, bounds.above, frame.end
        for _ in range(self.limits.elements - self.elements):
            if pos + 8 > end:
                break
            group, element, code, length = unpack(buffer, pos)
            vr = _SHORT.get(code)
            tag = group << 16 | element
            start = pos + 8
            stop = start + length
            if vr is None or length & 1 or stop > end or not last < tag < _FIRST_ITEM_TAG or tag in bounds.stops:
                break
            last = tag
            found.append(_new(Element, (tag, vr, base + pos, base + start, length, False, buffer[start:stop], None)))
            pos = stop
        self.elements += len(found)
        return found, pos

    def _implicit_run(self, buffer: bytes, pos: int, frame: Frame, bounds: Bounds) -> tuple[list[Element], int]:
        found: list[Element] = []
        unpack = WORDS[frame.little].implicit.unpack_from
        base, last, end = self.base, bounds.above, frame.end
        for _ in range(self.limits.elements - self.elements):
            if pos + 8 > end:
                break
            group, element, length = unpack(buffer, pos)
            tag = group << 16 | element
            start = pos + 8
            stop = start + length
            if length & 1 or stop > end or not last < tag < _FIRST_ITEM_TAG or tag in bounds.stops:
                break
            vr = vr_of(tag)
            if vr == "SQ" or length >= bounds.large_bytes:
                break
            last = tag
            found.append(_new(Element, (tag, vr, base + pos, base + start, length, False, buffer[start:stop], None)))
            pos = stop
        self.elements += len(found)
        return found, pos

    def count_element(self, pos: int) -> None:
        """Count one element against the limit."""
        self.elements += 1
        if self.elements > self.limits.elements:
            self.refuse("too many elements", pos, limit=self.limits.elements)


@lru_cache(maxsize=1024)
def is_vr_code(code: bytes) -> bool:
    """Whether two bytes could be a VR: two capital letters."""
    return code.isalpha() and code.isupper() and code.isascii()
