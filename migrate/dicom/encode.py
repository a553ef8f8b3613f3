"""Writing elements (PS3.5 section 7): in the syntax of the object they go into, padded, lengths defined."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final

from migrate.dicom.charset import encode
from migrate.dicom.syntax import TransferSyntax
from migrate.dicom.walk import ITEM, LONG_VRS

SHORT_MAX_BYTES: Final = 0xFFFE
"""The longest even value that a two byte length can tell."""

_NUMBERS: Final = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "SV": "q", "UV": "Q"}
_NUL_PADDED: Final = frozenset({"UI", "OB", "UN"})
_CHARSET_VRS: Final = frozenset({"SH", "LO", "ST", "LT", "UC", "UT", "PN"})

NewElement = tuple[int, str, bytes]
"""Tag, VR and value bytes of an element to be written."""


def encode_element(tag: int, vr: str, value: bytes, syntax: TransferSyntax) -> bytes:
    """One whole element.

    A value too long for the two byte length of its VR is written as `UN` (PS3.5 6.2.2 note 5). Odd values are
    padded (PS3.5 6.2).
    """
    order = "<" if syntax.little_endian else ">"
    if len(value) & 1:
        value += b"\0" if vr in _NUL_PADDED else b" "
    group, element = tag >> 16, tag & 0xFFFF
    if not syntax.explicit:
        return struct.pack(order + "HHI", group, element, len(value)) + value
    if vr not in LONG_VRS and len(value) > SHORT_MAX_BYTES:
        vr = "UN"
    if vr in LONG_VRS:
        return struct.pack(order + "HH2sHI", group, element, vr.encode(), 0, len(value)) + value
    return struct.pack(order + "HH2sH", group, element, vr.encode(), len(value)) + value


def encode_text(vr: str, text: str, charset: Sequence[str]) -> bytes:
    r"""The padded value of a text element; several values are joined by `\` already.

    Args:
        vr: Decides whether the character set counts and how the value is padded.
        text: What the element shall say.
        charset: The defined terms of the object (`header.charset`).

    Raises:
        UnicodeEncodeError: The character set cannot hold the text.
        UnknownCharset: It is not defined.
    """
    value = encode(text, charset) if vr in _CHARSET_VRS else text.encode("ascii")
    if len(value) & 1:
        value += b"\0" if vr in _NUL_PADDED else b" "
    return value


def encode_numbers(vr: str, numbers: Iterable[float], syntax: TransferSyntax) -> bytes:
    """The value of a binary number element in the byte order of the object."""
    order = "<" if syntax.little_endian else ">"
    code = _NUMBERS[vr]
    exact = code in "fd"
    return b"".join(struct.pack(order + code, number if exact else int(number)) for number in numbers)


def encode_sequence(items: Iterable[Iterable[NewElement]], syntax: TransferSyntax) -> bytes:
    """The value of a sequence with defined lengths; the elements of an item are put in ascending order."""
    order = "<" if syntax.little_endian else ">"
    pieces: list[bytes] = []
    for item in items:
        content = b"".join(encode_element(tag, vr, value, syntax) for tag, vr, value in sorted(item))
        pieces.append(struct.pack(order + "HHI", ITEM >> 16, ITEM & 0xFFFF, len(content)) + content)
    return b"".join(pieces)
