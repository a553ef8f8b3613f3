"""The canonical form of a data set: the same bytes for the same content however it is encoded.

`manifests/DIGESTS.md` defines it for third parties. It depends neither on explicit or implicit VR, byte order,
defined or undefined lengths, group lengths, padding, nor on the character set a text is written in.

A private element has the VR that the file gives. Implicit VR gives none: then the value is taken as bytes, and
as a sequence if it is one from the first byte to the last. For a text that is padded as PS3.5 6.2 says the two
give the same form; for any other a VR learnt elsewhere can be passed in (`learnt`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from typing import Final

from migrate.dicom.bulk import ENCAPSULATED_DOCUMENT_LENGTH
from migrate.dicom.charset import charset_terms, decode
from migrate.dicom.dictionary import tag_path, vr_of
from migrate.dicom.element import Element, Item
from migrate.dicom.walk import ITEM, sequence_in

SPECIFIC_CHARACTER_SET: Final = 0x00080005

SKIPPED_EVERYWHERE: Final = frozenset({0x00080001, SPECIFIC_CHARACTER_SET, 0xFFFCFFFC})
"""Length to End, Specific Character Set, Data Set Trailing Padding; group lengths are skipped as well."""

SKIPPED_AT_TOP: Final = frozenset(
    {
        0x00080015,  # Instance Coercion DateTime
        0x04000561,  # Original Attributes Sequence
        0x7FE00001,  # Extended Offset Table
        0x7FE00002,  # Extended Offset Table Lengths
        0x7FE00003,  # Encapsulated Pixel Data Value Total Length
        ENCAPSULATED_DOCUMENT_LENGTH,
    }
)
"""What a correct migration may add or recompute; groups 0000 and 0002 are skipped as well."""

_FIRST_GROUP: Final = 0x0008
_FIRST_CREATOR: Final = 0x0010
_LAST_CREATOR: Final = 0x00FF
_BYTES: Final = tuple(bytes((number,)) for number in range(0x100))
_PAD: Final = b" \0"
_PN_PAD: Final = b" \0^"
_LENGTH: Final = struct.Struct("<BI")
_SHORT_BYTES: Final = 64  # most texts are short, and the same in every object of a series
_ITEM_LENGTH: Final = struct.Struct("<I")
_VALUE, _RAW, _SEQUENCE = b"vrs"
_TEXT_VRS: Final = frozenset({"SH", "LO", "ST", "LT", "UC", "UT", "PN"})
_WORD_BYTES: Final = {
    **dict.fromkeys(("AT", "OW", "SS", "US"), 2),
    **dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4),
    **dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8),
}

Learnt = Mapping[bytes, str]
"""VRs of private elements by canonical key."""


Record = tuple[bytes, bytes, Element]
"""One element in canonical form: the key it sorts by, its bytes (key included), and where it came from."""

record_order: Final = itemgetter(0)
"""The order of records."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How the values of one set of elements are to be read."""

    charset: tuple[str, ...] = ("",)
    little_endian: bool = True
    learnt: Learnt = field(default_factory=dict)


_ASCII: Final = Reading()


@lru_cache(maxsize=1024)
def _heading(length: int) -> bytes:
    """Kind and length of a plain value."""
    return _LENGTH.pack(_VALUE, length)


def swap(value: bytes, word: int) -> bytes:
    """Turn big endian words of `word` bytes into little endian ones; an incomplete word stays."""
    whole = len(value) - len(value) % word
    swapped = bytearray(value)
    for byte in range(word):
        swapped[byte:whole:word] = value[word - 1 - byte : whole : word]
    return bytes(swapped)


def word_bytes(vr: str) -> int:
    """Size of the words that byte order turns round, by VR (PS3.5 7.3)."""
    return _WORD_BYTES.get(vr, 1)


# -- one function per way to read a value --------------------------------------------------------------------


def _plain(value: bytes, pad: bytes) -> bytes:
    """One or several values in ASCII, each without padding."""
    if b"\\" in value:
        return b"\\".join([part.strip(pad) for part in value.split(b"\\")])
    return value.strip(pad)


def _person_name(text: bytes) -> bytes:
    return b"\\".join(
        [b"=".join([group.rstrip(_PN_PAD) for group in name.split(b"=")]).rstrip(b"=") for name in text.split(b"\\")]
    )


def _several(text: bytes) -> bytes:
    return _plain(text, _PAD)


def _several_trailing(text: bytes) -> bytes:
    return b"\\".join([part.rstrip(_PAD) for part in text.split(b"\\")])


def _one(text: bytes) -> bytes:
    return text.rstrip(_PAD)


_READERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    **dict.fromkeys(("AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "SH", "LO"), _several),
    **dict.fromkeys(("ST", "LT", "UT", "UR"), _one),
    "UC": _several_trailing,
    "PN": _person_name,
}


@lru_cache(maxsize=16_384)
def _short_text(value: bytes) -> bytes | None:
    """The record body of a plain text; None where a character set decides."""
    if not value.isascii() or b"\x1b" in value:
        return None
    clean = _several(value)
    return _heading(len(clean)) + clean


def _text(value: bytes, vr: str, reading: Reading) -> bytes:
    """A record body for text: UTF-8 without padding, or the raw bytes and their character set."""
    if vr in _TEXT_VRS and not (value.isascii() and b"\x1b" not in value):
        try:
            # UTF-8 has no byte of a delimiter inside a character, so splitting is safe after this.
            value = decode(value, reading.charset).encode()
        except ValueError:
            raw = "\\".join(reading.charset).encode() + b"\0" + value.rstrip(_PAD)
            return _LENGTH.pack(_RAW, len(raw)) + raw
    clean = _READERS[vr](value)
    return _heading(len(clean)) + clean


def _binary(value: bytes, vr: str, reading: Reading) -> bytes:
    if not reading.little_endian:
        value = swap(value, word_bytes(vr))
    if len(value) & 1:
        value += b"\0"
    return _heading(len(value)) + value


def _even_text(value: bytes, vr: str, reading: Reading) -> bytes:
    """A private text: as the bytes of a correctly padded value, so that it equals one of unknown VR."""
    body = _text(value, vr, reading)
    if body[0] == _RAW or not len(body) - _LENGTH.size & 1:
        return body
    return _LENGTH.pack(_VALUE, len(body) - _LENGTH.size + 1) + body[_LENGTH.size :] + (b"\0" if vr == "UI" else b" ")


@lru_cache(maxsize=16_384)
def _short_even_text(value: bytes, vr: str) -> bytes:
    return _even_text(value, vr, _ASCII)


def _sequence(items: Iterable[Item], reading: Reading) -> bytes:
    pieces: list[bytes] = []
    for item in items:
        content = b"".join([record[1] for record in item_records(item, reading)])
        pieces += (_ITEM_LENGTH.pack(len(content)), content)
    body = b"".join(pieces)
    return _LENGTH.pack(_SEQUENCE if pieces else _VALUE, len(body)) + body


def _fragments(value: bytes, *, little: bool) -> bytes:
    """Encapsulated data inside an item: the payloads without the offset table, like top level bulk data."""
    heads = struct.Struct("<HHI" if little else ">HHI")
    payload: list[bytes] = []
    pos = 0
    while pos + heads.size <= len(value):
        group, element, length = heads.unpack_from(value, pos)
        if group << 16 | element != ITEM:
            break
        payload.append(value[pos + heads.size : pos + heads.size + length])
        pos += heads.size + length
    if payload and len(payload[0]) % 4 == 0 and not any(payload[0][:4]):
        del payload[0]
    return b"".join(payload)


# -- elements ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=65_536)
def _public(tag: int) -> tuple[bytes, str, bool] | None:
    """Key, dictionary VR and whether that is plain text; None for what is skipped at every level."""
    if tag in SKIPPED_EVERYWHERE or not tag & 0xFFFF:
        return None
    vr = vr_of(tag)
    return tag.to_bytes(4, "big"), vr, _READERS.get(vr) is _several


def _body(element: Element, vr: str, reading: Reading) -> bytes:
    """Kind, length and canonical bytes of one value. `vr` is the dictionary's, or `UN`."""
    if element.items is not None:
        return _sequence(element.items, reading)
    value = element.value or b""
    if vr in _READERS:
        return _text(value, vr, reading)
    if element.undefined:
        value = _fragments(value, little=reading.little_endian)
    elif vr in {"SQ", "UN"}:
        return _unknown(value, element.vr, reading)
    return _binary(value, element.vr if element.vr != "UN" else vr, reading)


def _unknown(value: bytes, vr: str, reading: Reading) -> bytes:
    """An element that the dictionary does not know, or a sequence that is written as something else."""
    if vr in _READERS:
        if len(value) <= _SHORT_BYTES and value.isascii() and b"\x1b" not in value:
            return _short_even_text(value, vr)
        return _even_text(value, vr, reading)
    items = sequence_in(value, explicit=False, little=True)
    return _binary(value, vr, reading) if items is None else _sequence(items, reading)


def item_records(item: Item, reading: Reading) -> list[Record]:
    """The canonical elements of one item; its own character set counts inside it."""
    charset = reading.charset
    for element in item.elements:
        if element.tag >= SPECIFIC_CHARACTER_SET:
            if element.tag == SPECIFIC_CHARACTER_SET:
                charset = charset_terms(element.value)
            break
    if charset != reading.charset or item.little_endian != reading.little_endian:
        reading = Reading(charset=charset, little_endian=item.little_endian, learnt=reading.learnt)
    return records(item.elements, reading)


def records(elements: Iterable[Element], reading: Reading) -> list[Record]:
    """The canonical form of each element that counts and is not bulk, sorted by key."""
    found: list[Record] = []
    private: list[Element] = []
    for element in elements:
        tag, _, _, _, _, _, value, items = element
        if tag & 0x10000:
            private.append(element)
            continue
        public = _public(tag)
        if public is None or value is None:
            continue
        key, vr, simple = public
        # The fast lane for most elements: a short text in ASCII; anything else goes by `_body`.
        body = _short_text(value) if simple and items is None and len(value) <= _SHORT_BYTES else None
        found.append((key, key + (body or _body(element, vr, reading)), element))
    if private:
        found += private_records(private, reading)
    found.sort(key=record_order)
    return found


def private_keys(elements: Iterable[Element], reading: Reading) -> list[tuple[bytes, Element]]:
    """The canonical key of each private element: group, creator, low byte; block numbers do not count."""
    blocks: dict[int, bytes] = {}
    keys: list[tuple[bytes, Element]] = []
    for element in sorted(elements):
        tag = element[0]
        number = tag & 0xFFFF
        if number > _LAST_CREATOR:
            block = blocks.get(tag >> 8)
            keys.append(((block or _orphan(tag)) + _BYTES[tag & 0xFF], element))
        elif number >= _FIRST_CREATOR:
            group = (tag >> 16).to_bytes(2, "big")
            name = _text(element.value or b"", "LO", reading)[_LENGTH.size :]
            blocks[tag >> 16 << 8 | number] = group + b"\1" + name + b"\0"
            keys.append((group + b"\0" + name, element))
        elif number:
            keys.append((_orphan(tag) + _BYTES[number], element))
    return keys


def _orphan(tag: int) -> bytes:
    """The key of a block that nobody reserved: its number stays, there is no creator to stand for it."""
    return (tag >> 16).to_bytes(2, "big") + b"\2" + _BYTES[tag >> 8 & 0xFF]


def private_records(elements: Iterable[Element], reading: Reading) -> list[Record]:
    """The canonical form of private elements; a creator is an element without a value."""
    found: list[Record] = []
    learnt = reading.learnt
    for key, element in private_keys(elements, reading):
        if element.value is None:
            continue
        if _FIRST_CREATOR <= element[0] & 0xFFFF <= _LAST_CREATOR:
            found.append((key, key + _heading(0), element))
            continue
        if learnt and element.vr == "UN" and key in learnt:
            body = _body(element._replace(vr=learnt[key]), "UN", reading)
        else:
            body = _body(element, "UN", reading)
        found.append((key, key + body, element))
    return found


def top_records(elements: Iterable[Element], reading: Reading, skip: frozenset[int]) -> list[Record]:
    """The canonical form of a whole data set without the top level tags of `skip`."""
    kept = [
        element
        for element in elements
        if element.tag not in SKIPPED_AT_TOP and element.tag not in skip and element.tag >> 16 >= _FIRST_GROUP
    ]
    return records(kept, reading)


def path_of(record: Record) -> str:
    """`ggggeeee` as the file has it."""
    return tag_path(record[2].tag)
