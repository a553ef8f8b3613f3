"""C-FIND identifiers to bytes and back, only the keys that are wanted (PS3.4 C.4.1.1.3)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from migrate.dicom.dictionary import keyword_of, tag_of
from migrate.errors import ConfigError, PeerError
from migrate.model import Level
from migrate.peers import Match
from migrate.wire.dimse.charset import Undecodable, decode_text, replaced_text
from migrate.wire.dimse.elements import (
    IMPLICIT_VR_LITTLE_ENDIAN,
    LONG_VRS,
    UNDEFINED_LENGTH,
    BadElements,
    Element,
    Syntax,
    elements,
    encode_element,
    items,
    undefined_end,
    vr_of,
)

_SPECIFIC_CHARACTER_SET: Final = 0x00080005
_QUERY_RETRIEVE_LEVEL: Final = 0x00080052
_DEEPEST: Final = 4
# VRs whose text is in the declared character set (PS3.5 6.1.2.3); other text is ASCII.
_DECLARED: Final = frozenset({"SH", "LO", "ST", "LT", "UC", "UT", "PN"})
_ASCII: Final = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"})
_TEXT: Final = _DECLARED | _ASCII
_NUMBERS: Final = {
    "US": "H",
    "SS": "h",
    "UL": "I",
    "SL": "i",
    "UV": "Q",
    "SV": "q",
    "FL": "f",
    "FD": "d",
}
# VRs that an answer may state; anything else (UN, nothing, nonsense) leaves it to the dictionary.
_SPOKEN: Final = {vr.encode(): vr for vr in (*_TEXT, *_NUMBERS, "SQ", "AT", "OB", "OW", "OF", "OD", "OL", "OV")}
_Odd = list[tuple[str, str, bytes]]
_NO_RAW: Final[Mapping[str, bytes]] = {}
_ESCAPE: Final = "\x1b"


def tags_of(keywords: Iterable[str]) -> frozenset[int]:
    """The tags of `keywords`, for `decode`.

    Raises:
        ConfigError: A keyword that PS3.6 does not have.
    """
    return frozenset(_tag(keyword) for keyword in keywords)


def encode(level: Level, keys: Mapping[str, str], transfer_syntax_uid: str = IMPLICIT_VR_LITTLE_ENDIAN) -> bytes:
    """An identifier as bytes.

    Args:
        level: Query/Retrieve level.
        keys: Keyword to value; "" asks for the key to be returned, of a sequence too.
        transfer_syntax_uid: What the accepted context says.

    Raises:
        ConfigError: A keyword that PS3.6 does not have, or a value that its VR cannot hold.
    """
    syntax = Syntax.of(transfer_syntax_uid)
    by_tag = {_tag(keyword): value for keyword, value in keys.items()}
    by_tag[_QUERY_RETRIEVE_LEVEL] = str(level)
    by_tag.pop(_SPECIFIC_CHARACTER_SET, None)
    if not all(value.isascii() for value in by_tag.values()):
        by_tag[_SPECIFIC_CHARACTER_SET] = "ISO_IR 192"
    return b"".join(_element(tag, value, syntax) for tag, value in sorted(by_tag.items()))


def decode(identifier: bytes, transfer_syntax_uid: str, wanted: frozenset[int]) -> Match:
    """The wanted keys of one C-FIND answer; all others are passed over unread.

    A sequence is returned as "" under its keyword, and its items' values under
    `Sequence[0].Keyword`.

    Raises:
        PeerError: The bytes are no data set.
    """
    reader = _reader(wanted, transfer_syntax_uid)
    values: dict[str, str] = {}
    try:
        odd = reader.read(identifier, values)
        raw = _Answer(values, odd, reader.syntax).raw if odd else _NO_RAW
    except BadElements as bad:
        raise PeerError("an answer to C-FIND cannot be read", cause=str(bad)) from None
    if not reader.keeps_character_set:
        values.pop("SpecificCharacterSet", None)
    return Match(values, raw)


class _Answer:
    """Decodes those values of one answer that are more than a short ASCII text."""

    def __init__(self, values: dict[str, str], odd: _Odd, syntax: Syntax) -> None:
        self.values = values
        self.raw: dict[str, bytes] = {}
        self._syntax = syntax
        strange = [raw for keyword, _, raw in odd if keyword == "SpecificCharacterSet"]
        self.charset = strange[-1] if strange else values.get("SpecificCharacterSet", "").encode("ascii")
        for keyword, vr, value in odd:
            self.take(keyword, vr, value)

    def take(self, keyword: str, vr: str, value: bytes, depth: int = 1) -> None:
        """Decode one value of any kind."""
        if vr == "SQ":
            self.values[keyword] = ""
            self._take_items(keyword, value, depth)
        elif vr in _TEXT:
            self._take_text(keyword, vr, value)
        elif vr in _NUMBERS:
            size = struct.calcsize(_NUMBERS[vr])
            layout = f"{self._syntax.order}{len(value) // size}{_NUMBERS[vr]}"
            numbers = struct.unpack_from(layout, value)
            self.values[keyword] = "\\".join(str(one) for one in numbers)
        elif vr == "AT":
            words = struct.unpack_from(f"{self._syntax.order}{len(value) // 4 * 2}H", value)
            pairs = zip(words[::2], words[1::2], strict=True)
            self.values[keyword] = "\\".join(f"{group:04X}{element:04X}" for group, element in pairs)
        else:
            self.values[keyword] = value.hex()

    def _take_text(self, keyword: str, vr: str, value: bytes) -> None:
        charset = self.charset if vr in _DECLARED else b""
        try:
            text = decode_text(value, charset, is_name=vr == "PN")
        except Undecodable:
            text = replaced_text(value, charset)
            self.raw[keyword] = value
        self.values[keyword] = text.rstrip(" \0")

    def _take_items(self, keyword: str, value: bytes, depth: int) -> None:
        if depth > _DEEPEST:
            return
        for index, item in enumerate(items(value, self._syntax)):
            for one in elements(item, self._syntax):
                name = keyword_of(one.tag)
                if name:
                    self.take(f"{keyword}[{index}].{name}", _vr(one), one.value, depth + 1)


class _Reader:
    """Finds the wanted elements of answers in one transfer syntax.

    Nearly all are texts of a short VR in ASCII, which is the same in every character set: they are
    told by the first bytes of their header alone and cut out of the answer, which was decoded once.

    Attributes:
        syntax: How the answers are written.
        keeps_character_set: Whether (0008,0005) is wanted itself.
    """

    def __init__(self, wanted: frozenset[int], syntax: Syntax) -> None:
        self.syntax = syntax
        self.keeps_character_set = _SPECIFIC_CHARACTER_SET in wanted
        self._head = struct.Struct(syntax.order + ("6sH" if syntax.explicit else "4sI")).unpack_from
        self._long_length = struct.Struct(syntax.order + "I").unpack_from
        layout = struct.Struct(syntax.order + "HH")
        self._known = {
            layout.pack(tag >> 16, tag & 0xFFFF): (keyword_of(tag), vr_of(tag))
            for tag in wanted | {_SPECIFIC_CHARACTER_SET}
        }
        if syntax.explicit:
            spoken = [vr.encode() for vr in _TEXT if vr.encode() not in LONG_VRS]
            self._plain = {tag + vr: keyword for tag, (keyword, _) in self._known.items() for vr in spoken}
        else:
            self._plain = {tag: keyword for tag, (keyword, vr) in self._known.items() if vr in _TEXT}

    def read(self, value: bytes, values: dict[str, str]) -> _Odd:
        """Put the plain texts into `values`.

        Returns:
            (keyword, VR, value) of all others: what they mean may depend on (0008,0005).
        """
        head, plain, odd = self._head, self._plain, _Odd()
        text = value.decode("latin-1")
        easy = text.isascii() and _ESCAPE not in text
        at, end = 0, len(value)
        while at < end:
            try:
                key, length = head(value, at)
            except struct.error:
                raise BadElements("an element's header is cut off") from None
            keyword = plain.get(key)
            if keyword is not None and (after := at + 8 + length) <= end:
                piece = text[at + 8 : after]
                if easy or (piece.isascii() and _ESCAPE not in piece):
                    values[keyword] = piece.rstrip(" \0")
                    at = after
                    continue
            at = self._read_odd(value, at, odd)
        return odd

    def _read_odd(self, value: bytes, at: int, odd: _Odd) -> int:
        """One element of any kind; where the next one starts."""
        key, length = self._head(value, at)
        tag, code, start = key[:4], key[4:], at + 8
        if code in LONG_VRS:
            if start + 4 > len(value):
                raise BadElements("an element's header is cut off")
            (length,) = self._long_length(value, start)
            start += 4
        is_undefined = length == UNDEFINED_LENGTH
        after = undefined_end(value, start, self.syntax) if is_undefined else start + length
        if after > len(value):
            raise BadElements("an element is longer than its data set")
        known = self._known.get(tag)
        if known is not None:
            keyword, vr = known
            odd.append((keyword, _SPOKEN.get(code) or vr, value[start : after - 8 if is_undefined else after]))
        return after


@lru_cache(maxsize=64)
def _reader(wanted: frozenset[int], transfer_syntax_uid: str) -> _Reader:
    return _Reader(wanted, Syntax.of(transfer_syntax_uid))


def _vr(one: Element) -> str:
    return one.vr if one.vr not in ("", "UN") else vr_of(one.tag)


@lru_cache(maxsize=1_024)
def _tag(keyword: str) -> int:
    tag = tag_of(keyword)
    if tag is None:
        raise ConfigError("no such DICOM keyword", "write it as PS3.6 does", keyword=keyword)
    return tag


@lru_cache(maxsize=1_024)  # the questions of a crawl differ in few of their keys
def _element(tag: int, value: str, syntax: Syntax) -> bytes:
    vr = vr_of(tag)
    if not value:
        return encode_element(tag, vr, b"", syntax)
    if vr in _TEXT:
        raw = value.encode("utf-8" if vr in _DECLARED else "ascii", "replace")
        pad = b"\0" if vr == "UI" else b" "
        return encode_element(tag, vr, raw + pad * (len(raw) % 2), syntax)
    try:
        raw = b"".join(struct.pack(syntax.order + _NUMBERS[vr], int(one)) for one in value.split("\\"))
    except (KeyError, ValueError, struct.error):
        raise ConfigError("a key that cannot have this value", keyword=keyword_of(tag), vr=vr) from None
    return encode_element(tag, vr, raw, syntax)
