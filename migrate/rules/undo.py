"""Undo: the object as it was, from what we sent, the ledger and Original Attributes.

Nobody runs this to go back; it proves that nothing was lost. The ledger says which elements were absent
before, Original Attributes has the bytes of those that were not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

from migrate.dicom.charset import charset_terms
from migrate.dicom.digest import dataset_digest
from migrate.dicom.header import SPECIFIC_CHARACTER_SET, Header
from migrate.dicom.syntax import TransferSyntax
from migrate.model import Change
from migrate.rules.draft import Draft, Item, Piece
from migrate.rules.everywhere import text_in_charset
from migrate.rules.original_attributes import (
    INSTANCE_COERCION_DATE_TIME,
    MODIFIED_ATTRIBUTES_SEQUENCE,
    NONCONFORMING_DATA_ELEMENT_VALUE,
    NONCONFORMING_MODIFIED_ATTRIBUTES_SEQUENCE,
    ORIGINAL_ATTRIBUTES_SEQUENCE,
    SELECTOR_ATTRIBUTE,
)
from migrate.rules.refusal import RuleRefused
from migrate.rules.result import with_pieces

_OURS = (ORIGINAL_ATTRIBUTES_SEQUENCE, INSTANCE_COERCION_DATE_TIME)


def is_reversible(sent: Header, changes: Iterable[Change], dataset_xxh3: str) -> bool:
    """Whether the original data set digest comes back.

    Args:
        sent: The object after normalization.
        changes: Its ledger rows, from `changes` joined with `identity_changes`.
        dataset_xxh3: The digest that was computed when the object was received.
    """
    try:
        return dataset_digest(original(sent, changes)) == dataset_xxh3
    except RuleRefused:
        return False


def original(sent: Header, changes: Iterable[Change]) -> Header:
    """The header as it was before normalization.

    Raises:
        RuleRefused: Original Attributes does not hold what the ledger names.
    """
    draft = Draft(sent)
    rows = list(changes)
    mine = {int(change.path.split("[")[1].split("]")[0]) for change in rows if change.path.startswith("04000561[")}
    items = draft.items(ORIGINAL_ATTRIBUTES_SEQUENCE)
    held: dict[int, Piece] = {}
    for number in sorted(mine, reverse=True):
        if number >= len(items):
            raise RuleRefused("Original Attributes has fewer items than the ledger names")
        held.update(_held(draft, items[number]))
    before = _in_former_charset(sent, held)
    return with_pieces(before, {**_restored(rows, held), **_own(Draft(before), mine, rows)})


def _restored(rows: list[Change], held: Mapping[int, Piece]) -> dict[int, Piece | None]:
    absent = {int(row.path, 16) for row in rows if len(row.path) == 8 and row.before is None}
    changed = {int(row.path[:8], 16) for row in rows} - set(_OURS)
    missing = changed - absent - held.keys()
    if missing:
        raise RuleRefused("Original Attributes lacks an attribute that the ledger names")
    return {tag: None if tag in absent else held[tag] for tag in changed}


def _held(draft: Draft, event: Item) -> dict[int, Piece]:
    modified = draft.items_in(event, MODIFIED_ATTRIBUTES_SEQUENCE)
    found = dict(modified[0]) if modified else {}
    for item in draft.items_in(event, NONCONFORMING_MODIFIED_ATTRIBUTES_SEQUENCE):
        tag = _selected(draft.header.syntax, item)
        found[tag] = Piece(found[tag].vr, item[NONCONFORMING_DATA_ELEMENT_VALUE].raw)
    return found


def _in_former_charset(sent: Header, held: Mapping[int, Piece]) -> Header:
    """Text that only changed its encoding stands in no ledger: it goes back by its declaration."""
    former = held.get(SPECIFIC_CHARACTER_SET)
    if former is None:
        return sent
    edits = list(text_in_charset(Draft(sent), charset_terms(former.raw)))
    pieces = {edit.tag: Piece(edit.vr, edit.value or b"") for edit in edits}
    return with_pieces(sent, {**pieces, SPECIFIC_CHARACTER_SET: former})


def _selected(syntax: TransferSyntax, item: Item) -> int:
    raw = item[SELECTOR_ATTRIBUTE].raw
    group, element = struct.unpack("<HH" if syntax.little_endian else ">HH", raw[:4])
    return int(group) << 16 | int(element)


def _own(draft: Draft, mine: set[int], rows: list[Change]) -> dict[int, Piece | None]:
    """Original Attributes without our items, and the coercion time that was there before."""
    kept = [item for number, item in enumerate(draft.items(ORIGINAL_ATTRIBUTES_SEQUENCE)) if number not in mine]
    moment = next((row.before for row in rows if int(row.path[:8], 16) == INSTANCE_COERCION_DATE_TIME), None)
    return {
        ORIGINAL_ATTRIBUTES_SEQUENCE: Piece("SQ", draft.encoded_items(kept)) if kept else None,
        INSTANCE_COERCION_DATE_TIME: None if moment is None else Piece("DT", draft.encoded("DT", moment)),
    }
