"""Reading elements, items and nested sequences from bytes (PS3.5 7.1, 7.5, A.4), strictly and within limits."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple, NoReturn

from migrate.dicom.dictionary import tag_text, vr_of
from migrate.dicom.element import Element, Item
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
_FRAGMENTED: Final = frozenset({"OB", "OW"})
_FIRST_ITEM_TAG: Final = ITEM_GROUP << 16
_new = tuple.__new__  # what a named tuple calls, without the call around it


@dataclass(frozen=True, kw_only=True, slots=True)
class ParseLimits:
    """What one object may cost us before it counts as an attack or an accident.

    Bytes and counts are for the whole object; `depth` is the number of sequences inside one another.
    `inflate_ratio` applies once more than `inflate_free_bytes` came out of a deflated data set.
    """

    header_bytes: int = 256 * 1024 * 1024
    elements: int = 500_000
    items: int = 200_000
    fragments: int = 1_000_000
    depth: int = 64
    inflated_bytes: int = 8 * 1024**3
    inflate_ratio: int = 200
    inflate_free_bytes: int = 16 * 1024 * 1024


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


_NO_STOPS: Final[frozenset[int]] = frozenset()


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


_WORDS: Final = {
    little: _Words(struct.Struct(order + "HH2sH"), struct.Struct(order + "HHI"), struct.Struct(order + "I"))
    for little, order in ((True, "<"), (False, ">"))
}


@dataclass(slots=True)
class Walker:
    """Walks one data set, counting against its limits and noting what it tolerates.

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

    def _short(self, wanted: int, pos: int, frame: Frame) -> NoReturn:
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
            self._short(pos + 8, pos, frame)
        words = _WORDS[frame.little]
        if not frame.explicit:
            group, element, length = words.implicit.unpack_from(buffer, pos)
            tag = group << 16 | element
            return Head(tag, vr_of(tag), pos + 8, length)
        group, element, code, length = words.explicit.unpack_from(buffer, pos)
        vr = _SHORT.get(code)
        if vr is not None and group != ITEM_GROUP:
            return Head(group << 16 | element, vr, pos + 8, length)
        return self._long_head(buffer, pos, frame)

    def _long_head(self, buffer: bytes, pos: int, frame: Frame) -> Head:
        """Explicit VR with a four byte length, or one of the forms that lack a VR."""
        words = _WORDS[frame.little]
        group, element, code, reserved = words.explicit.unpack_from(buffer, pos)
        tag = group << 16 | element
        vr = _LONG.get(code)
        if vr is None or group == ITEM_GROUP:
            if group == ITEM_GROUP or not is_vr_code(code):
                return self._bare_head(buffer, pos, frame)
            # A VR of the future has the long form with two zero bytes (PS3.5 7.1.2); old writers used the short one.
            self.note(f"unknown VR in {tag_text(tag)}")
            if reserved:
                return Head(tag, "UN", pos + 8, reserved)
            vr = "UN"
        if pos + 12 > frame.end:
            self._short(pos + 12, pos, frame)
        return Head(tag, vr, pos + 12, words.long.unpack_from(buffer, pos + 8)[0])

    def _bare_head(self, buffer: bytes, pos: int, frame: Frame) -> Head:
        """Item and delimiter tags, and elements written in implicit VR into an explicit data set."""
        group, element, length = _WORDS[frame.little].implicit.unpack_from(buffer, pos)
        tag = group << 16 | element
        if group != ITEM_GROUP:
            self.note(f"implicit VR element {tag_text(tag)} in an explicit VR data set")
        return Head(tag, vr_of(tag), pos + 8, length)

    def run(self, buffer: bytes, pos: int, frame: Frame, bounds: Bounds) -> tuple[list[Element], int]:
        """Read plain elements as long as they come: the same as `head` and `body`, several times faster.

        Plain is defined, even and complete, in ascending order within `bounds`, no sequence, not one of the
        tags or sizes that `bounds` leaves to the caller. Stops in front of the first that is not.
        """
        if not frame.explicit:
            return self._implicit_run(buffer, pos, frame, bounds)
        found: list[Element] = []
        unpack = _WORDS[frame.little].explicit.unpack_from
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
        unpack = _WORDS[frame.little].implicit.unpack_from
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

    def body(self, buffer: bytes, pos: int, head: Head, frame: Frame) -> Element:
        """The whole element whose head was read at `pos`, nested content included.

        Raises:
            Incomplete: The element reaches beyond an unbounded frame.
            IllegalDicom: Broken structure or a limit passed.
        """
        tag, vr, start, length = head
        if length == UNDEFINED:
            return self._undefined(buffer, pos, head, frame)
        stop = start + length
        if stop > frame.end:
            self._short(stop, pos, frame)
        items = None
        if vr == "SQ":
            inner = Frame(stop, bounded=True, explicit=frame.explicit, little=frame.little, depth=frame.depth + 1)
            items, _ = self.sequence(buffer, start, inner, delimited=False)
        elif length & 1:
            self.note(f"odd length of {tag_text(tag)}")
        undefined = False
        return Element(tag, vr, self.base + pos, self.base + start, length, undefined, buffer[start:stop], items)

    def _undefined(self, buffer: bytes, pos: int, head: Head, frame: Frame) -> Element:
        tag, vr, start, _ = head
        items = None
        if (vr in _FRAGMENTED and frame.explicit) or tag == PIXEL_DATA:
            stop = self._fragments(buffer, start, frame._replace(depth=frame.depth + 1))
        elif vr in {"SQ", "UN"}:
            # UN with undefined length is a sequence in implicit VR little endian (PS3.5 6.2.2 note 4).
            as_is = vr == "SQ" or not frame.explicit
            inner = Frame(
                frame.end,
                frame.bounded,
                frame.explicit if as_is else False,
                frame.little if as_is else True,
                frame.depth + 1,
            )
            items, stop = self.sequence(buffer, start, inner, delimited=True)
        else:
            self.refuse("undefined length where the VR allows none", pos, tag=tag_text(tag))
        undefined = True
        return Element(tag, vr, self.base + pos, self.base + start, stop - start, undefined, buffer[start:stop], items)

    def _fragments(self, buffer: bytes, pos: int, frame: Frame) -> int:
        """Where encapsulated data inside an item ends (PS3.5 A.4)."""
        while True:
            tag, _, start, length = self._item_head(buffer, pos, frame)
            if tag == SEQUENCE_DELIMITATION:
                return start
            if tag != ITEM or length == UNDEFINED:
                self.refuse("not a fragment", pos, tag=tag_text(tag))
            pos = start + length
            if pos > frame.end:
                self._short(pos, start, frame)
            self.count_item(pos)

    def _item_head(self, buffer: bytes, pos: int, frame: Frame) -> Head:
        if pos + 8 > frame.end:
            self._short(pos + 8, pos, frame)
        group, element, length = _WORDS[frame.little].implicit.unpack_from(buffer, pos)
        return Head(group << 16 | element, "", pos + 8, length)

    def count_item(self, pos: int) -> None:
        """Count one item or fragment against the limit."""
        self.items += 1
        if self.items > self.limits.items:
            self.refuse("too many items", pos, limit=self.limits.items)

    def sequence(self, buffer: bytes, pos: int, frame: Frame, *, delimited: bool) -> tuple[tuple[Item, ...], int]:
        """The items from `pos` on, and where the sequence ends.

        Not `delimited` means that the frame ends where the sequence does.

        Raises:
            Incomplete: More bytes are needed.
            IllegalDicom: Broken structure or a limit passed.
        """
        if frame.depth > self.limits.depth:
            self.refuse("sequences nested too deeply", pos, depth=frame.depth)
        items: list[Item] = []
        heads = _WORDS[frame.little].implicit.unpack_from
        while delimited or pos < frame.end:
            if pos + 8 > frame.end:
                self._short(pos + 8, pos, frame)
            group, element, length = heads(buffer, pos)
            tag = group << 16 | element
            if tag == ITEM:
                self.count_item(pos)
                elements, pos = self._item(buffer, pos + 8, length, frame) if length else ((), pos + 8)
                items.append(Item(elements, frame.little))
            elif tag == SEQUENCE_DELIMITATION:
                pos += 8
                if delimited:
                    break
                self.note("delimiter in a sequence of defined length")
            else:
                self.refuse("not an item", pos, tag=tag_text(tag), depth=frame.depth)
        return tuple(items), pos

    def _item(self, buffer: bytes, pos: int, length: int, frame: Frame) -> tuple[tuple[Element, ...], int]:
        if length == UNDEFINED:
            return self._item_elements(buffer, pos, frame, delimited=True)
        stop = pos + length
        if stop > frame.end:
            self._short(stop, pos, frame)
        inner = Frame(stop, bounded=True, explicit=frame.explicit, little=frame.little, depth=frame.depth)
        return self._item_elements(buffer, pos, inner, delimited=False)

    def _item_elements(
        self, buffer: bytes, pos: int, frame: Frame, *, delimited: bool
    ) -> tuple[tuple[Element, ...], int]:
        found: list[Element] = []
        last = -1
        while delimited or pos < frame.end:
            plain, pos = self.run(buffer, pos, frame, Bounds(last, _NO_STOPS, UNDEFINED))
            if plain:
                found += plain
                last = plain[-1].tag
                continue
            head = self.head(buffer, pos, frame)
            if head.tag == ITEM_DELIMITATION:
                pos = head.start
                if delimited:
                    break
                self.note("delimiter in an item of defined length")
                continue
            if head.tag >> 16 == ITEM_GROUP:
                self.refuse("a delimiter where an element should be", pos, tag=tag_text(head.tag))
            if head.tag <= last:
                self.note(f"order of tags inside an item at {tag_text(head.tag)}")
            last = head.tag
            self.count_element(pos)
            element = self.body(buffer, pos, head, frame)
            found.append(element)
            pos = element.value_offset + element.length - self.base
        return tuple(found), pos

    def count_element(self, pos: int) -> None:
        """Count one element against the limit."""
        self.elements += 1
        if self.elements > self.limits.elements:
            self.refuse("too many elements", pos, limit=self.limits.elements)


@lru_cache(maxsize=1024)
def is_vr_code(code: bytes) -> bool:
    """Whether two bytes could be a VR: two capital letters."""
    return code.isalpha() and code.isupper() and code.isascii()


def sequence_in(value: bytes, *, explicit: bool, little: bool) -> tuple[Item, ...] | None:
    """The items of a value that may be a sequence, or None when it is none.

    For values whose VR the file does not tell: private elements in implicit VR, and `UN`.
    """
    if not value.startswith(b"\xfe\xff\x00\xe0" if little else b"\xff\xfe\xe0\x00"):
        return None
    walker = Walker(ParseLimits())
    frame = Frame(len(value), bounded=True, explicit=explicit, little=little, depth=1)
    try:
        items, stop = walker.sequence(value, 0, frame, delimited=False)
    except IllegalDicom:
        return None
    return items if stop == len(value) else None
