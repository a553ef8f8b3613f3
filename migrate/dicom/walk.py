"""Reading elements, items and nested sequences from bytes (PS3.5 7.1, 7.5, A.4), strictly and within limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from migrate.dicom.dictionary import tag_text
from migrate.dicom.element import Element, Item
from migrate.dicom.heads import (
    ITEM,
    ITEM_DELIMITATION,
    ITEM_GROUP,
    LONG_VRS,
    PIXEL_DATA,
    SEQUENCE_DELIMITATION,
    SHORT_VRS,
    UNDEFINED,
    WORDS,
    Bounds,
    Frame,
    Head,
    HeadReader,
    Incomplete,
    is_vr_code,
)
from migrate.dicom.limits import ParseLimits
from migrate.errors import IllegalDicom

__all__ = [
    "ITEM",
    "ITEM_GROUP",
    "LONG_VRS",
    "SEQUENCE_DELIMITATION",
    "SHORT_VRS",
    "UNDEFINED",
    "Bounds",
    "Frame",
    "Head",
    "Incomplete",
    "ParseLimits",
    "Walker",
    "is_vr_code",
    "sequence_in",
]

_FRAGMENTED: Final = frozenset({"OB", "OW"})
_NO_STOPS: Final[frozenset[int]] = frozenset()
_ITEM_END: Final = {True: b"\xfe\xff\x0d\xe0", False: b"\xff\xfe\xe0\x0d"}


@dataclass(slots=True)
class Walker(HeadReader):
    """Walks one data set with all that is nested in it."""

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
            self.short(stop, pos, frame)
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
                self.short(pos, start, frame)
            self.count_item(pos)

    def _item_head(self, buffer: bytes, pos: int, frame: Frame) -> Head:
        if pos + 8 > frame.end:
            self.short(pos + 8, pos, frame)
        group, element, length = WORDS[frame.little].implicit.unpack_from(buffer, pos)
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
        heads = WORDS[frame.little].implicit.unpack_from
        empty = Item((), frame.little)
        while delimited or pos < frame.end:
            if pos + 8 > frame.end:
                self.short(pos + 8, pos, frame)
            group, element, length = heads(buffer, pos)
            tag = group << 16 | element
            if tag == ITEM:
                self.items += 1
                if self.items > self.limits.items:
                    self.refuse("too many items", pos, limit=self.limits.items)
                if length:
                    elements, pos = self._item(buffer, pos + 8, length, frame)
                    items.append(Item(elements, frame.little))
                else:
                    items.append(empty)
                    pos += 8
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
            self.short(stop, pos, frame)
        inner = Frame(stop, bounded=True, explicit=frame.explicit, little=frame.little, depth=frame.depth)
        return self._item_elements(buffer, pos, inner, delimited=False)

    def delimiter_end(self, pos: int, frame: Frame) -> int:
        """Where the delimiter that starts at `pos` ends."""
        if pos + 8 > frame.end:
            self.short(pos + 8, pos, frame)
        return pos + 8

    def _item_elements(
        self, buffer: bytes, pos: int, frame: Frame, *, delimited: bool
    ) -> tuple[tuple[Element, ...], int]:
        found: list[Element] = []
        last = -1
        end_mark = _ITEM_END[frame.little]
        while delimited or pos < frame.end:
            if delimited and buffer[pos : pos + 4] == end_mark:
                return tuple(found), self.delimiter_end(pos, frame)
            plain, pos = self.run(buffer, pos, frame, Bounds(last, _NO_STOPS, UNDEFINED))
            if plain:
                found += plain
                last = plain[-1].tag
                continue
            head = self.head(buffer, pos, frame)
            if head.tag == ITEM_DELIMITATION:
                pos = head.start
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
