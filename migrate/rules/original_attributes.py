"""Original Attributes Sequence: what stood there before, written into the object itself (PS3.3 C.12.1.1.9).

One new item per event (one for each reason); items that are there already keep their bytes. Values that
violate their VR or VM cannot stand in Modified Attributes: there they are empty, and their bytes stand in
Nonconforming Modified Attributes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache

from migrate.dicom.dictionary import keyword_of
from migrate.dicom.header import SPECIFIC_CHARACTER_SET
from migrate.rules.draft import Draft, Item, Piece, decoded
from migrate.rules.issuers import ISSUER_OF_PATIENT_ID, PATIENT_ID
from migrate.rules.rule import Reason, RunFacts
from migrate.rules.vr import LIMITS, attribute, misfit_of_all

INSTANCE_COERCION_DATE_TIME = 0x00080015
MODIFIED_ATTRIBUTES_SEQUENCE = 0x04000550
NONCONFORMING_MODIFIED_ATTRIBUTES_SEQUENCE = 0x04000551
NONCONFORMING_DATA_ELEMENT_VALUE = 0x04000552
ORIGINAL_ATTRIBUTES_SEQUENCE = 0x04000561
ATTRIBUTE_MODIFICATION_DATE_TIME = 0x04000562
MODIFYING_SYSTEM = 0x04000563
SOURCE_OF_PREVIOUS_VALUES = 0x04000564
REASON_FOR_THE_ATTRIBUTE_MODIFICATION = 0x04000565
SELECTOR_ATTRIBUTE = 0x00720026


def event_item(draft: Draft, before: Mapping[int, Piece | None], reason: Reason, facts: RunFacts) -> Item:
    """The item of one event.

    Args:
        draft: The object after the event; its character set holds for the new texts.
        before: Top-level tag -> the element as it was; None where it was absent.
        reason: COERCE or CORRECT.
        facts: When, and by which system.
    """
    previous = dict(before)
    if PATIENT_ID in previous:
        previous.setdefault(ISSUER_OF_PATIENT_ID, _received(draft, ISSUER_OF_PATIENT_ID))
    if draft.charset != draft.header.charset:  # the previous values keep their bytes, so they need their own set
        previous.setdefault(SPECIFIC_CHARACTER_SET, _received(draft, SPECIFIC_CHARACTER_SET))
    odd = {tag: piece for tag, piece in previous.items() if piece and not _conforms(draft, tag, piece)}
    modified = {tag: _empty(draft, tag) if tag in odd else _held(draft, tag, previous[tag]) for tag in previous}
    item: dict[int, Piece] = {MODIFIED_ATTRIBUTES_SEQUENCE: Piece("SQ", draft.encoded_items([modified]))}
    if odd:
        nonconforming = draft.encoded_items(_nonconforming(draft, odd))
        item[NONCONFORMING_MODIFIED_ATTRIBUTES_SEQUENCE] = Piece("SQ", nonconforming)
    return {**item, **draft.item(_circumstances(reason, facts))}


@lru_cache(maxsize=4096)
def dicom_date_time(moment: str) -> str:
    """ISO 8601 with an offset as DT (PS3.5 6.2).

    Raises:
        ValueError: The moment has no offset from UTC, or is no moment.
    """
    parsed = datetime.fromisoformat(moment)
    if parsed.tzinfo is None:
        raise ValueError("the modification time needs an offset from UTC")
    return parsed.strftime("%Y%m%d%H%M%S.%f%z")


def _received(draft: Draft, tag: int) -> Piece | None:
    return Draft(draft.header).piece(tag)


def _circumstances(reason: Reason, facts: RunFacts) -> dict[int, str]:
    return {
        ATTRIBUTE_MODIFICATION_DATE_TIME: dicom_date_time(facts.modified_at),
        MODIFYING_SYSTEM: _lo(facts.modifying_system),
        SOURCE_OF_PREVIOUS_VALUES: _lo(facts.source_of_previous_values),
        REASON_FOR_THE_ATTRIBUTE_MODIFICATION: reason,
    }


def _lo(text: str) -> str:
    """Text that fits LO in every character set: our own names must never stop an object."""
    return text.encode("ascii", "replace").decode("ascii").replace("\\", "/")[: LIMITS["LO"]].strip()


def _held(draft: Draft, tag: int, piece: Piece | None) -> Piece:
    if piece is None:
        return _empty(draft, tag)
    return Piece(piece.vr, piece.raw + b" ") if len(piece.raw) & 1 else piece


def _empty(draft: Draft, tag: int) -> Piece:
    return Piece(draft.vr(tag), b"")


def _conforms(draft: Draft, tag: int, piece: Piece) -> bool:
    found = attribute(keyword_of(tag))
    if found is None or piece.vr not in LIMITS:
        return True
    try:
        text = decoded(piece.raw, draft.header.charset)
    except ValueError:
        return False
    return not text or misfit_of_all(found, list(_values(piece.vr, text))) is None


def _values(vr: str, text: str) -> Iterator[str]:
    """Values without the padding that may stand around them (PS3.5 6.2)."""
    single = vr in ("LT", "ST", "UT", "UR")
    for value in [text] if single else text.split("\\"):
        yield value.strip(" ")


def _nonconforming(draft: Draft, odd: Mapping[int, Piece]) -> Iterable[Item]:
    order = "<" if draft.header.syntax.little_endian else ">"
    for tag, piece in sorted(odd.items()):
        value = piece.raw + b"\0" * (len(piece.raw) & 1)
        yield {
            SELECTOR_ATTRIBUTE: Piece("AT", struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)),
            NONCONFORMING_DATA_ELEMENT_VALUE: Piece("OB", value),
        }
