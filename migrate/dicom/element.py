"""One data element as it lies in the data set, and one item of a sequence."""

from __future__ import annotations

from typing import NamedTuple


class Element(NamedTuple):
    """One data element (PS3.5 7.1).

    Offsets are bytes from the start of the (inflated) data set. `length` counts the whole value field: where
    the length was undefined it includes the closing delimiter, so the element ends at
    `value_offset + length`. `value` is None where the bytes were bulk and were not kept. `items` is None
    unless the value is a sequence.
    """

    tag: int
    vr: str
    offset: int
    value_offset: int
    length: int
    undefined: bool
    value: bytes | None
    items: tuple[Item, ...] | None

    @property
    def end(self) -> int:
        """Offset of the first byte after the element."""
        return self.value_offset + self.length


class Item(NamedTuple):
    """One item of a sequence: its elements in file order (PS3.5 7.5)."""

    elements: tuple[Element, ...]
    little_endian: bool
