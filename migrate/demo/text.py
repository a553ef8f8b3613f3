"""Header values as text, and text as header values, in the character set they are stored in."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

from pydicom.charset import convert_encodings, decode_bytes, encode_string
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from migrate.demo.rows import Row

_BINARY = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "FL": "f", "FD": "d"}
_IN_CHARSET = frozenset({"SH", "LO", "ST", "LT", "UC", "UT", "PN"})
_LONG = frozenset({"OB", "OW", "OD", "OF", "OL", "OV", "SQ", "UC", "UR", "UT", "UN"})
_PN_DELIMITERS = {0x5C, 0x5E, 0x3D}  # PS3.5 6.1.2.5.3: backslash, caret, equals reset the code
_TEXT_DELIMITERS = {0x5C, 0x0A, 0x0C, 0x0D}


def row_of(dataset: Dataset, keywords: Iterable[str], *, little_endian: bool = True) -> Row:
    """The values of the top-level elements `keywords` that `dataset` has, with their bytes.

    Elements are taken as they were read; nothing is converted, so no value can be refused.
    """
    encodings = convert_encodings(_charset(dataset))
    values, raw = {}, {}
    for keyword in keywords:
        stored = _bytes_of(dataset, keyword)
        if stored is None:
            continue
        vr = dictionary_VR(keyword)
        values[keyword] = _text(stored, vr, encodings, little_endian=little_endian)
        if vr in _IN_CHARSET:
            raw[keyword] = stored
    return Row(values, raw)


def _bytes_of(dataset: Dataset, keyword: str) -> bytes | None:
    tag = tag_for_keyword(keyword)
    if tag is None or tag not in dataset:
        return None
    element = dataset.get_item(tag)
    if isinstance(element, RawDataElement):
        return element.value or b""
    # pydicom converts a few elements, such as SpecificCharacterSet, while it reads
    value = element.value if element is not None else None
    if value is None or isinstance(value, str):
        return (value or "").encode()
    return "\\".join(str(each) for each in (value if isinstance(value, MultiValue) else (value,))).encode()


def _charset(dataset: Dataset) -> list[str]:
    stored = _bytes_of(dataset, "SpecificCharacterSet") or b""
    return [each.strip() for each in stored.decode("ascii", errors="replace").split("\\")]


def _text(stored: bytes, vr: str, encodings: list[str], *, little_endian: bool) -> str:
    if vr in _BINARY:
        return _number_text(stored, _BINARY[vr], little_endian=little_endian)
    if vr in _IN_CHARSET:
        delimiters = _PN_DELIMITERS if vr == "PN" else _TEXT_DELIMITERS
        return decode_bytes(stored, encodings, delimiters).rstrip(" \0")
    return stored.decode("latin-1").strip(" \0")


def _number_text(stored: bytes, code: str, *, little_endian: bool) -> str:
    layout = struct.Struct(("<" if little_endian else ">") + code)
    whole = len(stored) // layout.size * layout.size
    return "\\".join(str(number) for (number,) in layout.iter_unpack(stored[:whole]))


def identifier_bytes(row: Row, *, implicit_vr: bool) -> bytes:
    """The row as a little endian data set (PS3.5 7.1), in the row's own character set."""
    encodings = convert_encodings(row.values.get("SpecificCharacterSet", "").split("\\"))
    parts = []
    for tag, keyword in sorted((_TAGS[keyword], keyword) for keyword in row.values):
        vr = _VRS[keyword]
        value = row.raw.get(keyword)
        if value is None:
            value = _encoded(row.values[keyword], vr, encodings)
        if len(value) % 2:
            value += b"\0" if vr == "UI" else b" "
        parts += [_header(tag, vr, len(value), implicit_vr=implicit_vr), value]
    return b"".join(parts)


def _header(tag: int, vr: str, length: int, *, implicit_vr: bool) -> bytes:
    group, element = tag >> 16, tag & 0xFFFF
    if implicit_vr:
        return struct.pack("<HHL", group, element, length)
    if vr in _LONG:
        return struct.pack("<HH2sHL", group, element, vr.encode(), 0, length)
    return struct.pack("<HH2sH", group, element, vr.encode(), length)


def _encoded(text: str, vr: str, encodings: list[str]) -> bytes:
    if vr in _BINARY:
        return b"".join(struct.pack("<" + _BINARY[vr], int(each)) for each in text.split("\\") if each)
    if text.isascii():
        return text.encode("ascii")
    if vr in _IN_CHARSET:
        return encode_string(text, encodings)
    return text.encode("latin-1", errors="replace")


class _TagOf(dict[str, int]):
    def __missing__(self, keyword: str) -> int:
        tag = self[keyword] = int(tag_for_keyword(keyword) or 0)
        return tag


class _VrOf(dict[str, str]):
    def __missing__(self, keyword: str) -> str:
        vr = self[keyword] = dictionary_VR(keyword)
        return vr


_TAGS: Mapping[str, int] = _TagOf()
_VRS: Mapping[str, str] = _VrOf()
