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
_Found = list[tuple[str, str, bytes]]
# Readers for one byte order: tag, VR and short length; long length, which is the only one without a VR.
_HEADS: Final = {
    order: (struct.Struct(order + "4s2sH").unpack_from, struct.Struct(order + "I").unpack_from) for order in "<>"
}


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
    syntax = Syntax.of(transfer_syntax_uid)
    answer = _Answer(syntax)
    try:
        # The usual texts are in `values` already: ASCII is the same in every character set.
        for keyword, vr, value in _pick(identifier, syntax, (_plan(wanted, syntax.order), answer)):
            answer.take(keyword, vr, value)
    except BadElements as bad:
        raise PeerError("an answer to C-FIND cannot be read", cause=str(bad)) from None
    if _SPECIFIC_CHARACTER_SET not in wanted:
        answer.values.pop("SpecificCharacterSet", None)
    return Match(answer.values, answer.raw)


class _Answer:
    """Collects the values of one answer."""

    def __init__(self, syntax: Syntax) -> None:
        self.values: dict[str, str] = {}
        self.raw: dict[str, bytes] = {}
        self.charset = b""
        self._syntax = syntax

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


def _pick(value: bytes, syntax: Syntax, into: tuple[Mapping[bytes, tuple[str, str]], _Answer]) -> _Found:
    """Read the wanted elements: plain texts into the answer's values, the raw (0008,0005) into its charset.

    Returns:
        (keyword, VR, value) of all others: what they mean may depend on (0008,0005).
    """
    plan, answer = into
    values, found = answer.values, _Found()
    head, long_length = _HEADS[syntax.order]
    at, end = 0, len(value)
    while at < end:
        start = at + 8
        try:
            key, code, length = head(value, at)
            if not syntax.explicit:
                code = b""
                (length,) = long_length(value, at + 4)
            elif code in LONG_VRS:
                (length,) = long_length(value, start)
                start += 4
        except struct.error:
            raise BadElements("an element's header is cut off") from None
        at = start + length
        is_undefined = length == UNDEFINED_LENGTH
        if is_undefined:
            at = undefined_end(value, start, syntax)
        if at > end:
            raise BadElements("an element is longer than its data set")
        known = plan.get(key)
        if known is not None:
            keyword, vr = known
            raw = value[start : at - 8] if is_undefined else value[start:at]
            vr = _SPOKEN.get(code) or vr
            if vr in _TEXT and raw.isascii() and b"\x1b" not in raw:
                values[keyword] = raw.decode("ascii").rstrip(" \0")
            else:
                found.append((keyword, vr, raw))
            if keyword == "SpecificCharacterSet":
                answer.charset = raw
    return found


@lru_cache(maxsize=64)
def _plan(wanted: frozenset[int], order: str) -> dict[bytes, tuple[str, str]]:
    """The first four bytes of an element -> keyword and the dictionary's VR."""
    layout = struct.Struct(order + "HH")
    return {
        layout.pack(tag >> 16, tag & 0xFFFF): (keyword_of(tag), vr_of(tag))
        for tag in wanted | {_SPECIFIC_CHARACTER_SET}
    }


def _vr(one: Element) -> str:
    return one.vr if one.vr not in ("", "UN") else vr_of(one.tag)


def _tag(keyword: str) -> int:
    tag = tag_of(keyword)
    if tag is None:
        raise ConfigError("no such DICOM keyword", "write it as PS3.6 does", keyword=keyword)
    return tag


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
