"""An object's header with the changes so far: what one rule sees of the rules before it."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias, Union

from migrate.dicom.charset import charset_terms, decode
from migrate.dicom.dictionary import tag_path, vr_of
from migrate.dicom.element import Element
from migrate.dicom.element import Item as ParsedItem
from migrate.dicom.encode import encode_element, encode_text
from migrate.dicom.header import SPECIFIC_CHARACTER_SET, Header
from migrate.dicom.walk import ITEM, LONG_VRS, UNDEFINED, sequence_in
from migrate.rules.refusal import RuleRefused

Content: TypeAlias = Mapping[int, Union[str, "list[Content]"]]
"""A new item in words: tag -> text, or a list of items."""

Charset: TypeAlias = tuple[str, ...]
"""The defined terms of a Specific Character Set, see `dicom.charset`."""

_DELIMITER_BYTES = 8
_PADDING = " \0"


class Piece(NamedTuple):
    """One element as bytes in the object's own syntax.

    `undefined`: the length is undefined and `raw` ends with the delimiter. `parsed`: what `raw` holds, where
    it was parsed already.
    """

    vr: str
    raw: bytes
    undefined: bool = False
    parsed: tuple[ParsedItem, ...] | None = None


Item: TypeAlias = Mapping[int, Piece]


class Draft:
    """A header and the edits made to it so far. Reading only; `apply` puts edits in.

    Args:
        header: The object as received.
        known: The tags that were asked for, when `header` is a crawled row; None for a whole object.
    """

    __slots__ = ("_charset", "_edits", "_known", "_order", "_written", "header")

    def __init__(self, header: Header, known: frozenset[int] | None = None) -> None:
        self.header = header
        self._known = known
        self._edits: dict[int, tuple[str, bytes] | None] = {}
        self._charset = header.charset
        self._written: dict[bytes, list[Item]] = {}  # sequences that were encoded here need no parsing
        self._order = "<" if header.syntax.little_endian else ">"

    @property
    def edits(self) -> Mapping[int, tuple[str, bytes] | None]:
        """Everything changed so far: tag -> VR and value bytes, None = left out."""
        return self._edits

    @property
    def charset(self) -> Charset:
        """The character set that now holds for the object."""
        return self._charset

    def write(self, tag: int, vr: str, value: bytes | None) -> None:
        """Put one edit in."""
        self._edits[tag] = None if value is None else (vr, value)
        if tag == SPECIFIC_CHARACTER_SET:
            self._charset = charset_terms(value)

    def knows(self, tag: int) -> bool:
        """A whole header knows every attribute: what is not there is absent."""
        return self._known is None or tag in self._known

    def has(self, tag: int) -> bool:
        """Whether the element is present, empty or not."""
        if tag in self._edits:
            return self._edits[tag] is not None
        return tag in self.header.elements

    def piece(self, tag: int) -> Piece | None:
        """The element as bytes; None when absent (or bulk, which no rule sees)."""
        if tag in self._edits:
            edit = self._edits[tag]
            return None if edit is None else Piece(*edit)
        element = self.header.elements.get(tag)
        return None if element is None or element.value is None else piece_of(element)

    def tags(self) -> list[int]:
        """Every top-level tag that is present, in ascending order."""
        return sorted(tag for tag in self.header.elements.keys() | self._edits.keys() if self.has(tag))

    def vr(self, tag: int) -> str:
        """The VR the element is written with, or the dictionary's."""
        piece = self.piece(tag)
        return piece.vr if piece else vr_of(tag)

    def has_value(self, tag: int) -> bool:
        """Present and not just padding; a sequence: at least one item."""
        piece = self.piece(tag)
        if piece is None:
            return False
        if piece.vr == "SQ":
            return len(piece.raw) > (_DELIMITER_BYTES if piece.undefined else 0)
        return bool(piece.raw.strip(b" \0"))

    def text(self, tag: int) -> str | None:
        """The value without padding; None when absent.

        Raises:
            RuleRefused: The bytes are not text in the declared character set.
        """
        return self._text(tag, self.piece(tag), self._charset)

    def items(self, tag: int) -> list[Item]:
        """The items of a sequence; empty when absent.

        Raises:
            RuleRefused: The sequence is written as UN in an explicit syntax (PS3.5 6.2.2).
        """
        piece = self.piece(tag)
        return self.items_of(tag, piece) if piece else []

    def text_in(self, item: Item, tag: int) -> str | None:
        """The text of an element of an item; None when absent."""
        return self._text(tag, item.get(tag), charset_of(item, self._charset))

    def items_in(self, item: Item, tag: int) -> list[Item]:
        """The items of a sequence inside an item."""
        piece = item.get(tag)
        return self.items_of(tag, piece) if piece and piece.raw else []

    def items_of(self, tag: int, piece: Piece) -> list[Item]:
        """The items of a sequence at hand as bytes.

        Raises:
            RuleRefused: The value does not hold items, or holds implicit ones in an explicit syntax.
        """
        if not piece.raw:
            return []
        self._refuse_unknown(tag, piece)
        if piece.parsed is not None:
            return [_pieces(item) for item in piece.parsed]
        if piece.raw in self._written:
            return self._written[piece.raw]
        value = piece.raw[:-_DELIMITER_BYTES] if piece.undefined else piece.raw
        syntax = self.header.syntax
        items = sequence_in(value, explicit=syntax.explicit, little=syntax.little_endian) if value else ()
        if items is None:
            raise RuleRefused(f"{tag_path(tag)} does not hold items")
        return [_pieces(item) for item in items]

    def encoded(self, vr: str, text: str) -> bytes:
        """Text as value bytes in the object's own character set, padded to even length.

        Raises:
            RuleRefused: The character set cannot hold the text.
        """
        try:
            return encode_text(vr, text, self._charset)
        except ValueError:
            raise RuleRefused(f"the object's character set cannot hold what a rule writes ({vr})") from None

    def item(self, content: Content) -> Item:
        """A new item, its elements in ascending order."""
        return {tag: self._new_piece(tag, content[tag]) for tag in sorted(content)}

    def encoded_items(self, items: Iterable[Item]) -> bytes:
        """Items as the value of a sequence of defined length."""
        held = list(items)
        value = b"".join([self._encoded_item(item) for item in held])
        self._written[value] = held
        return value

    def with_items(self, tag: int, new: Sequence[Item]) -> bytes:
        """The value of a sequence with items added at its end; those before keep their bytes."""
        piece = self.piece(tag)
        if piece is None or not piece.raw:
            return self.encoded_items(new)
        held = self.items_of(tag, piece)
        value = (piece.raw[:-_DELIMITER_BYTES] if piece.undefined else piece.raw) + self.encoded_items(new)
        self._written[value] = [*held, *new]
        return value

    def _new_piece(self, tag: int, value: str | list[Content]) -> Piece:
        if isinstance(value, str):
            return Piece(vr_of(tag), self.encoded(vr_of(tag), value))
        return Piece("SQ", self.encoded_items(self.item(one) for one in value))

    def _encoded_item(self, item: Item) -> bytes:
        content = b"".join([self._encoded_piece(tag, item[tag]) for tag in sorted(item)])
        return struct.pack(self._order + "HHI", ITEM >> 16, ITEM & 0xFFFF, len(content)) + content

    def _encoded_piece(self, tag: int, piece: Piece) -> bytes:
        """An element of an item; one of undefined length keeps its bytes (it may hold fragments)."""
        if not piece.undefined:
            return encode_element(tag, piece.vr, piece.raw, self.header.syntax)
        head = struct.pack(self._order + "HH", tag >> 16, tag & 0xFFFF)
        if self.header.syntax.explicit and piece.vr in LONG_VRS:
            head += piece.vr.encode() + b"\0\0"
        return head + struct.pack(self._order + "I", UNDEFINED) + piece.raw

    def _text(self, tag: int, piece: Piece | None, charset: Charset) -> str | None:
        if piece is None:
            return None
        try:
            return decoded(piece.raw, charset)
        except ValueError:
            raise RuleRefused(f"{tag_path(tag)} is not text in the declared character set") from None

    def _refuse_unknown(self, tag: int, piece: Piece) -> None:
        """A sequence written as UN has implicit items inside an explicit data set: not to be mixed."""
        if piece.vr != "SQ" and self.header.syntax.explicit:
            raise RuleRefused(f"{tag_path(tag)} is a sequence written as {piece.vr}")


def charset_of(item: Item, around: Charset) -> Charset:
    """The character set of an item: its own, or the one around it (PS3.5 7.5.3)."""
    own = item.get(SPECIFIC_CHARACTER_SET)
    return charset_terms(own.raw) if own else around


def piece_of(element: Element) -> Piece:
    """A parsed element as bytes."""
    return Piece(element.vr, element.value or b"", element.undefined, element.items)


def decoded(value: bytes, charset: Charset) -> str:
    """Text without padding.

    Raises:
        ValueError: Not text in this character set.
    """
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii").rstrip(_PADDING)
    return decode(value, charset).rstrip(_PADDING)


def _pieces(item: ParsedItem) -> Item:
    return {element.tag: piece_of(element) for element in item.elements}
