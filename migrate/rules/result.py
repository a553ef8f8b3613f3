"""The header that edits make, in memory: for what-if, undo and proofs. Writing is `dicom.splice`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from migrate.dicom.charset import charset_terms
from migrate.dicom.element import Element
from migrate.dicom.header import SPECIFIC_CHARACTER_SET, Header
from migrate.dicom.walk import sequence_in
from migrate.rules.draft import Piece


def header_after(header: Header, edits: Mapping[int, tuple[str, bytes] | None]) -> Header:
    """The header with the edits made.

    Args:
        header: As received.
        edits: As `Normalized.edits`. Offsets of new elements are 0: they lie in no file.
    """
    pieces = {tag: None if edit is None else Piece(*edit) for tag, edit in edits.items()}
    return with_pieces(header, pieces)


def with_pieces(header: Header, pieces: Mapping[int, Piece | None]) -> Header:
    """The header with whole elements replaced, added, or left out (None)."""
    elements = dict(header.elements)
    for tag, piece in pieces.items():
        if piece is None:
            elements.pop(tag, None)
        else:
            elements[tag] = _element(header, tag, piece)
    charset = header.charset
    if SPECIFIC_CHARACTER_SET in pieces:
        declared = elements.get(SPECIFIC_CHARACTER_SET)
        charset = charset_terms(declared.value if declared else None)
    return replace(header, elements=dict(sorted(elements.items())), charset=charset)


def _element(header: Header, tag: int, piece: Piece) -> Element:
    raw = piece.raw[:-8] if piece.undefined else piece.raw
    syntax = header.syntax
    items = sequence_in(raw, explicit=syntax.explicit, little=syntax.little_endian) if piece.vr == "SQ" else None
    if items is None and piece.vr == "SQ":
        items = ()
    return Element(tag, piece.vr, 0, 0, len(raw), undefined=False, value=raw, items=items)
