"""Rules about a patient's numbers: none is ever dropped, the PHN is checked, flagged, promoted or kept aside.

Which issuer means "BC Personal Health Number" is configuration: two OIDs are in use
(2.16.840.1.113883.4.50 and 2.16.840.1.113883.3.51.1.1.6.1), and neither stands in code.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable

from pydantic import Field

from migrate.dicom.identifiers import PhnState, phn_state
from migrate.model import ExceptionClass
from migrate.rules.draft import Content, Draft, Item
from migrate.rules.issuers import (
    ISSUER_OF_PATIENT_ID,
    ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE,
    OTHER_PATIENT_IDS_SEQUENCE,
    PATIENT_ID,
    TYPE_OF_PATIENT_ID,
    PatientIdIssuer,
    oid_of,
)
from migrate.rules.parameters import Crosswalk
from migrate.rules.rule import Edit, Flag, RuleValues, RunFacts


class NoValues(RuleValues):
    """This rule has no parameters."""


class PhnValues(PatientIdIssuer):
    """The PHN's `issuer`, and a `crosswalk` (CSV: patient_id, phn) where PHNs are not in the header."""

    crosswalk: Crosswalk = Field(default_factory=dict)


class LookedUpValues(PatientIdIssuer):
    """The PHN's `issuer`; `promote` makes the PHN the PatientID instead of keeping it aside."""

    promote: bool = False

    def with_crosswalk(self, crosswalk: dict[str, str]) -> PhnValues:
        """The same issuer with the numbers of one patient."""
        issuer = self.model_dump(exclude={"promote"})
        return PhnValues.model_construct(**issuer, crosswalk=crosswalk)


class PhnFlagValues(PatientIdIssuer):
    """The PHN's `issuer`; `unlabelled` also looks at numbers that name no issuer."""

    unlabelled: bool = False


def other_patient_ids_kept(draft: Draft, _: NoValues, __: RunFacts) -> Iterable[Edit]:
    """Other Patient IDs holds the primary id too, so that a reader can swap without losing one."""
    items = draft.items(OTHER_PATIENT_IDS_SEQUENCE)
    kept = _with_primary(draft, items)
    if len(kept) > len(items):
        yield Edit(OTHER_PATIENT_IDS_SEQUENCE, "SQ", _appended(draft, items, kept))


def phn_flagged(draft: Draft, values: PhnFlagValues, _: RunFacts) -> Iterable[Flag]:
    """A number that should be a PHN and fails its check digit is reported; nothing changes."""
    primary = _primary(draft)
    for item in ([primary] if primary else []) + draft.items(OTHER_PATIENT_IDS_SEQUENCE):
        number = draft.text_in(item, PATIENT_ID)
        if number and _says_phn(draft, item, values) and phn_state(number) is not PhnState.VALID:
            where = "PatientID" if item is primary else "OtherPatientIDsSequence"
            yield Flag(ExceptionClass.PATIENT_CONFLICT, f"{where} should be a PHN and fails its check digit")


def phn_promoted(draft: Draft, values: PhnValues, _: RunFacts) -> Iterable[Edit | Flag]:
    """PatientID is the PHN; the number that stood there is kept in Other Patient IDs.

    More than one PHN, or one that fails its check digit, is reported and changes nothing.
    """
    primary = _primary(draft)
    if primary is None or _is_issued_by(draft, primary, values):
        return
    phn = yield from _single_phn(draft, primary, values)
    if phn is not None:
        yield from _promoted(draft, values, phn)


def _promoted(draft: Draft, values: PatientIdIssuer, phn: str) -> Iterable[Edit]:
    new = draft.item(_phn_content(phn, values))
    items = draft.items(OTHER_PATIENT_IDS_SEQUENCE)
    others = _with(draft, _with_primary(draft, items), new)
    yield Edit(OTHER_PATIENT_IDS_SEQUENCE, "SQ", _appended(draft, items, others))
    yield Edit(PATIENT_ID, "LO", draft.encoded("LO", phn))
    yield Edit(ISSUER_OF_PATIENT_ID, "LO", draft.encoded("LO", values.issuer))
    qualifiers = [draft.item(values.qualifiers)] if values.qualifiers else []
    if qualifiers or draft.has(ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE):
        new_qualifiers = draft.encoded_items(qualifiers) if qualifiers else None
        yield Edit(ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE, "SQ", new_qualifiers)


def phn_kept_aside(draft: Draft, values: PhnValues, _: RunFacts) -> Iterable[Edit | Flag]:
    """Other Patient IDs holds the PHN; PatientID stays the local number."""
    primary = _primary(draft)
    if primary is None or _is_issued_by(draft, primary, values):
        return
    phn = yield from _single_phn(draft, primary, values)
    if phn is not None:
        yield from _kept_aside(draft, values, phn)


def phn_from_crosswalk(draft: Draft, values: LookedUpValues, facts: RunFacts) -> Iterable[Edit | Flag]:
    """The PHN that was looked up before the run, kept aside or promoted; a patient without one is reported."""
    primary = _primary(draft)
    if primary is None or _is_issued_by(draft, primary, values):
        return
    number, label = draft.text_in(primary, PATIENT_ID) or "", draft.text(ISSUER_OF_PATIENT_ID) or ""
    # A source that gives no issuer in its answers was looked up without one.
    found = facts.crosswalk.get((number, label)) or facts.crosswalk.get((number, ""))
    known = values.with_crosswalk({number: found} if found else {})
    phn = yield from _single_phn(draft, primary, known)
    if phn is not None:
        yield from _promoted(draft, values, phn) if values.promote else _kept_aside(draft, values, phn)
    elif not found and not any(_is_issued_by(draft, item, values) for item in draft.items(OTHER_PATIENT_IDS_SEQUENCE)):
        yield Flag(ExceptionClass.UNMATCHED_ORDER, "no PHN is known for this patient")


def _kept_aside(draft: Draft, values: PatientIdIssuer, phn: str) -> Iterable[Edit]:
    items = draft.items(OTHER_PATIENT_IDS_SEQUENCE)
    kept = _with(draft, _with_primary(draft, items), draft.item(_phn_content(phn, values)))
    if len(kept) > len(items):
        yield Edit(OTHER_PATIENT_IDS_SEQUENCE, "SQ", _appended(draft, items, kept))


def _single_phn(draft: Draft, primary: Item, values: PhnValues) -> Generator[Flag, None, str | None]:
    """The one PHN that the object or the crosswalk names; never guessed."""
    others = [item for item in draft.items(OTHER_PATIENT_IDS_SEQUENCE) if _is_issued_by(draft, item, values)]
    numbers = {draft.text_in(item, PATIENT_ID) for item in others}
    numbers.add(values.crosswalk.get(draft.text_in(primary, PATIENT_ID) or ""))
    found = {number for number in numbers if number}
    if len(found) > 1:
        yield Flag(ExceptionClass.PATIENT_CONFLICT, "more than one PHN for this patient")
        return None
    phn = next(iter(found), None)
    if phn is not None and phn_state(phn) is not PhnState.VALID:
        yield Flag(ExceptionClass.PATIENT_CONFLICT, "the PHN fails its check digit")
        return None
    return phn


def _primary(draft: Draft) -> Item | None:
    """The patient's id at the top, as an item of Other Patient IDs; None when there is none."""
    pieces = {tag: draft.piece(tag) for tag in (PATIENT_ID, ISSUER_OF_PATIENT_ID)}
    item = {tag: piece for tag, piece in pieces.items() if piece is not None and piece.raw}
    if PATIENT_ID not in item or not draft.has_value(PATIENT_ID):
        return None
    qualifiers = draft.piece(ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE)
    if qualifiers is not None and qualifiers.raw:
        item[ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE] = qualifiers
    return {**item, **draft.item({TYPE_OF_PATIENT_ID: "TEXT"})}


def _appended(draft: Draft, items: list[Item], kept: list[Item]) -> bytes:
    return draft.with_items(OTHER_PATIENT_IDS_SEQUENCE, kept[len(items) :])


def _with_primary(draft: Draft, items: list[Item]) -> list[Item]:
    primary = _primary(draft)
    return items if primary is None else _with(draft, items, primary)


def _with(draft: Draft, items: list[Item], wanted: Item) -> list[Item]:
    """The items and `wanted`, unless an item says the same number of the same issuer, or of none."""
    number, label, oid = _identity(draft, wanted)
    for item in items:
        its_number, its_label, its_oid = _identity(draft, item)
        same_issuer = its_oid == oid if its_oid and oid else its_label in (label, None)
        if its_number == number and same_issuer:
            return items
    return [*items, wanted]


def _identity(draft: Draft, item: Item) -> tuple[str | None, str | None, str | None]:
    oid = oid_of(draft, draft.items_in(item, ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE))
    return draft.text_in(item, PATIENT_ID), draft.text_in(item, ISSUER_OF_PATIENT_ID) or None, oid


def _is_issued_by(draft: Draft, item: Item, values: PatientIdIssuer) -> bool:
    _, label, oid = _identity(draft, item)
    return values.names(label, oid)


def _says_phn(draft: Draft, item: Item, values: PhnFlagValues) -> bool:
    number, label, oid = _identity(draft, item)
    if label or oid:
        return values.names(label, oid)
    return values.unlabelled and number is not None and phn_state(number) is not PhnState.NOT_A_PHN


def _phn_content(phn: str, values: PatientIdIssuer) -> Content:
    content: dict[int, str | list[Content]] = {
        PATIENT_ID: phn,
        ISSUER_OF_PATIENT_ID: values.issuer,
        TYPE_OF_PATIENT_ID: "TEXT",
    }
    if values.qualifiers:
        content[ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE] = [values.qualifiers]
    return content
