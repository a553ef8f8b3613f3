"""Rules about the whole object: its character set, its UIDs, values that break their VR."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pydantic import Field, model_validator

from migrate.dicom.charset import codec_of, encode
from migrate.dicom.dictionary import is_private_creator, keyword_of, tag_path, vr_of
from migrate.dicom.header import SPECIFIC_CHARACTER_SET
from migrate.dicom.uid import valid_uid
from migrate.model import ExceptionClass
from migrate.rules.draft import Charset, Draft, Item, Piece, charset_of, decoded
from migrate.rules.identifying import identifies
from migrate.rules.original_attributes import ORIGINAL_ATTRIBUTES_SEQUENCE
from migrate.rules.parameters import Text
from migrate.rules.refusal import RuleRefused
from migrate.rules.rule import Edit, Flag, RuleValues, RunFacts
from migrate.rules.vr import LIMITS, TEXT_IN_CHARSET, Attribute, misfit

UTF_8 = "ISO_IR 192"
_SHORT_LENGTH = 0xFFFE
_LONG_LENGTH_VRS = frozenset({"UC", "UR", "UT"})

Change = Callable[[int, Piece, Charset], Piece | None]
"""What becomes of one leaf: tag, element, its character set -> the new element, None = as it is."""


class CharsetValues(RuleValues):
    """`assume` names the character set of objects that declare none and hold 8-bit text."""

    assume: str = ""

    @model_validator(mode="after")
    def _exists(self) -> CharsetValues:
        codec_of(self.assume)
        return self


class NoUidValues(RuleValues):
    """This rule has no parameters: the map comes with the run."""


class HygieneValues(RuleValues):
    """`keywords` to put right; `cut` also shortens what is too long (never an identifier)."""

    keywords: list[Text] = Field(min_length=1)
    cut: bool = False

    @model_validator(mode="after")
    def _keeps_identifiers(self) -> HygieneValues:
        for keyword in self.keywords:
            if self.cut and (identifies(keyword.tag, keyword.vr) or keyword.vr == "UI" or keyword.tag == 0x00080050):
                raise ValueError(f"{keyword.keyword} is never cut: it would be another number or name")
        return self


def charset_converted(draft: Draft, values: CharsetValues, _: RunFacts) -> Iterable[Edit]:
    """All text, nested text too, is UTF-8; an object with text that cannot be read stays as it is."""
    assumed = (values.assume,) if values.assume and draft.charset in ((), ("",), ("ISO_IR 6",)) else None
    found = _changed_elements(draft, lambda tag, piece, charset: _in_utf_8(tag, piece, assumed or charset))
    edits = [edit for edit in found if edit.tag != SPECIFIC_CHARACTER_SET]
    if edits:
        yield Edit(SPECIFIC_CHARACTER_SET, "CS", UTF_8.encode())
        yield from edits


def text_in_charset(draft: Draft, target: Charset) -> Iterator[Edit]:
    """Every element with text, converted; items that declare their own character set stay.

    Raises:
        RuleRefused: A text cannot be read, or the target cannot hold it.
    """

    def converted(tag: int, piece: Piece, charset: Charset) -> Piece | None:
        return _converted(tag, piece, (charset, target)) if charset == draft.charset else None

    return _changed_elements(draft, converted)


def invalid_uids_replaced(draft: Draft, _: NoUidValues, facts: RunFacts) -> Iterable[Edit | Flag]:
    """UIDs that the Standard forbids are replaced wherever they stand, by the map of the whole run."""
    unknown: set[str] = set()

    def replaced(tag: int, piece: Piece, _: Charset) -> Piece | None:
        return _valid_uids(tag, piece, (facts, unknown))

    edits = list(_changed_elements(draft, replaced, frozenset({ORIGINAL_ATTRIBUTES_SEQUENCE})))
    if unknown:
        places = ", ".join(sorted(unknown))
        yield Flag(ExceptionClass.ILLEGAL_DICOM, f"invalid UIDs that the map does not know, in {places}")
    else:
        yield from edits


def values_conform(draft: Draft, values: HygieneValues, _: RunFacts) -> Iterable[Edit | Flag]:
    """Dates, times and codes in old spellings are put right; what needs a guess is reported."""
    for keyword in values.keywords:
        found = draft.text(keyword.tag)
        if not found:
            continue
        right = "\\".join(_conforming(keyword, value, cut=values.cut) for value in found.split("\\"))
        if any(misfit(keyword.vr, value) for value in right.split("\\")):
            yield Flag(ExceptionClass.ILLEGAL_DICOM, f"{keyword.keyword} breaks its VR {keyword.vr}")
        elif right != found:
            yield Edit(keyword.tag, keyword.vr, draft.encoded(keyword.vr, right))


def _conforming(keyword: Attribute, value: str, *, cut: bool) -> str:
    plain = value.strip(" ")
    if keyword.vr == "CS":
        plain = plain.upper()
    elif keyword.vr == "DA" and plain[4:5] == plain[7:8] and plain[4:5] in (".", "-", "/"):
        plain = plain.replace(plain[4], "")
    elif keyword.vr == "TM":
        plain = plain.replace(":", "")
    return plain[: LIMITS[keyword.vr]].strip(" ") if cut else plain


class _Scope(NamedTuple):
    """Where a walk stands."""

    draft: Draft
    change: Change
    charset: Charset
    in_history: bool = False


def _changed_elements(draft: Draft, change: Change, skip: frozenset[int] = frozenset()) -> Iterator[Edit]:
    scope = _Scope(draft, change, draft.charset)
    for tag in draft.tags():
        piece = None if tag in skip else draft.piece(tag)
        inner = scope._replace(in_history=tag == ORIGINAL_ATTRIBUTES_SEQUENCE)
        new = None if piece is None else _changed_piece(inner, tag, piece)
        if new is not None:
            yield Edit(tag, new.vr, new.raw)


def _changed_piece(scope: _Scope, tag: int, piece: Piece) -> Piece | None:
    if piece.vr != "SQ":
        return scope.change(tag, piece, scope.charset)
    items = scope.draft.items_of(tag, piece)
    new = [_changed_item(scope, item) for item in items]
    if all(item is None for item in new):
        return None
    kept = [item if changed is None else changed for item, changed in zip(items, new, strict=True)]
    return Piece("SQ", scope.draft.encoded_items(kept))


def _changed_item(scope: _Scope, item: Item) -> Item | None:
    if scope.in_history and SPECIFIC_CHARACTER_SET in item:
        return None  # previous values that declare their own character set keep their bytes
    inner = scope._replace(charset=charset_of(item, scope.charset))
    new = {tag: changed for tag, piece in item.items() if (changed := _changed_piece(inner, tag, piece)) is not None}
    return {**item, **new} if new else None


def _in_utf_8(tag: int, piece: Piece, charset: Charset) -> Piece | None:
    if tag == SPECIFIC_CHARACTER_SET:
        return None if piece.raw.strip() == UTF_8.encode() else Piece("CS", UTF_8.encode())
    return _converted(tag, piece, (charset, (UTF_8,)))


def _converted(tag: int, piece: Piece, charsets: tuple[Charset, Charset]) -> Piece | None:
    """Text from one character set to another; None where it is the same bytes in every set."""
    vr = vr_of(tag) if piece.vr == "UN" or is_private_creator(tag) else piece.vr
    if vr not in TEXT_IN_CHARSET or (piece.raw.isascii() and b"\x1b" not in piece.raw):
        return None
    if piece.vr not in (vr, "UN"):
        raise RuleRefused(f"{tag_path(tag)} should be text and is written as {piece.vr}")
    try:
        raw = encode(decoded(piece.raw, charsets[0]), charsets[1])
    except ValueError:
        raise RuleRefused(f"{tag_path(tag)} is not text in the declared character set") from None
    if raw == piece.raw.rstrip(b" \0"):
        return None
    if len(raw) > _SHORT_LENGTH and piece.vr not in _LONG_LENGTH_VRS:
        raise RuleRefused(f"{tag_path(tag)} would be too long in another character set")
    return Piece(piece.vr, raw + b" " * (len(raw) & 1))


def _valid_uids(tag: int, piece: Piece, known: tuple[RunFacts, set[str]]) -> Piece | None:
    facts, unknown = known
    if piece.vr != "UI" or not piece.raw:
        return None
    uids = [uid.strip(" \0") for uid in piece.raw.decode("ascii", "replace").split("\\")]
    wrong = [uid for uid in uids if uid and not valid_uid(uid)]
    if not wrong:
        return None
    if any(not valid_uid(facts.uid_map.get(uid, "")) for uid in wrong):
        unknown.add(keyword_of(tag) or tag_path(tag))
        return None
    raw = "\\".join(facts.uid_map.get(uid, uid) for uid in uids).encode("ascii")
    return Piece("UI", raw + b"\0" * (len(raw) & 1))
