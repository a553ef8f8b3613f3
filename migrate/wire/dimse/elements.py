"""The elements of a small data set, one after another, without building it (PS3.5 7.1).

For identifiers and event reports. Iterative: nesting costs no stack.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from migrate.dicom.published import entry_of

IMPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1"
EXPLICIT_VR_BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"
UNDEFINED_LENGTH: Final = 0xFFFFFFFF
_ITEM: Final = 0xFFFEE000
_ITEM_END: Final = 0xFFFEE00D
_SEQUENCE_END: Final = 0xFFFEE0DD
LONG_VRS: Final = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})


class BadElements(ValueError):
    """Bytes that are no sequence of elements."""


class Element(NamedTuple):
    """One element; `vr` is "" when the syntax does not say it. A sequence's value is its items."""

    tag: int
    vr: str
    value: bytes


class Syntax(NamedTuple):
    """How elements are written."""

    explicit: bool
    order: str

    @classmethod
    def of(cls, transfer_syntax_uid: str) -> Syntax:
        """Anything but implicit is explicit; only one is big endian (PS3.5 10)."""
        explicit = transfer_syntax_uid != IMPLICIT_VR_LITTLE_ENDIAN
        return cls(explicit, ">" if transfer_syntax_uid == EXPLICIT_VR_BIG_ENDIAN else "<")


_HEADERS: Final = {
    order: (struct.Struct(order + "HHI"), struct.Struct(order + "HH2sH"), struct.Struct(order + "I")) for order in "<>"
}


def elements(value: bytes, syntax: Syntax) -> Iterator[Element]:
    """The top-level elements of `value`.

    Raises:
        BadElements: The elements do not fill `value`.
    """
    at, end = 0, len(value)
    while at < end:
        tag, vr, start, length = _header(value, at, syntax)
        if length == UNDEFINED_LENGTH:
            at = undefined_end(value, start, syntax)
            yield Element(tag, "SQ", value[start : at - 8])
            continue
        at = start + length
        if at > end:
            raise BadElements("an element is longer than its data set")
        yield Element(tag, vr, value[start:at])


def items(value: bytes, syntax: Syntax) -> Iterator[bytes]:
    """The items of a sequence's value, each as the bytes of a data set.

    Raises:
        BadElements: The items do not fill `value`.
    """
    at, end = 0, len(value)
    while at < end:
        tag, _, start, length = _header(value, at, syntax)
        if tag == _SEQUENCE_END:
            return
        if tag != _ITEM:
            raise BadElements("something that is no item inside a sequence")
        if length == UNDEFINED_LENGTH:
            at = undefined_end(value, start, syntax)
            yield value[start : at - 8]
        else:
            at = start + length
            if at > end:
                raise BadElements("an item is longer than its sequence")
            yield value[start:at]


def vr_of(tag: int) -> str:
    """The dictionary's VR, the first one where there are several; UN for what it does not know."""
    entry = entry_of(tag)
    return entry[0][:2] if entry else "UN"


def _header(value: bytes, at: int, syntax: Syntax) -> tuple[int, str, int, int]:
    """Tag, VR, start of the value, length."""
    implicit, explicit, long_length = _HEADERS[syntax.order]
    if at + 8 > len(value):
        raise BadElements("an element's header is cut off")
    group, element, length = implicit.unpack_from(value, at)
    tag = group << 16 | element
    if not syntax.explicit or group == 0xFFFE:
        return tag, "", at + 8, length
    _, _, vr, short = explicit.unpack_from(value, at)
    if vr not in LONG_VRS:
        return tag, vr.decode("latin-1"), at + 8, short
    if at + 12 > len(value):
        raise BadElements("an element's header is cut off")
    return tag, vr.decode("latin-1"), at + 12, long_length.unpack_from(value, at + 8)[0]


def undefined_end(value: bytes, at: int, syntax: Syntax) -> int:
    """Where a value of undefined length that starts at `at` ends, its delimiter included."""
    depth = 1
    while depth:
        tag, _, start, length = _header(value, at, syntax)
        if tag in (_ITEM_END, _SEQUENCE_END):
            depth -= 1
            at = start
        elif length == UNDEFINED_LENGTH:
            depth += 1
            at = start
        elif tag == _ITEM:
            # Its elements may hold undefined lengths; they are well-formed within it, so it is skipped whole.
            at = start + length
        else:
            at = start + length
        if at > len(value):
            raise BadElements("a value of undefined length has no end")
    return at


def encode_element(tag: int, vr: str, value: bytes, syntax: Syntax) -> bytes:
    """One element as bytes; `value` already padded, a sequence as the bytes of its items."""
    implicit, explicit, long_length = _HEADERS[syntax.order]
    group, element = tag >> 16, tag & 0xFFFF
    if not syntax.explicit or group == 0xFFFE:
        return implicit.pack(group, element, len(value)) + value
    code = vr.encode("ascii")
    if code in LONG_VRS:
        return explicit.pack(group, element, code, 0) + long_length.pack(len(value)) + value
    return explicit.pack(group, element, code, len(value)) + value


def encode_item(value: bytes, syntax: Syntax) -> bytes:
    """One item of defined length."""
    return encode_element(_ITEM, "", value, syntax)
