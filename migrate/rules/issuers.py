"""Rules about who gave out a number: issuers of patient ids and of accession numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from migrate.model import ExceptionClass
from migrate.rules.draft import Content, Draft, Item
from migrate.rules.parameters import Cs, Lo, Oid, Ut
from migrate.rules.rule import Edit, Flag, RuleValues, RunFacts

ACCESSION_NUMBER = 0x00080050
ISSUER_OF_ACCESSION_NUMBER_SEQUENCE = 0x00080051
PATIENT_ID = 0x00100020
ISSUER_OF_PATIENT_ID = 0x00100021
TYPE_OF_PATIENT_ID = 0x00100022
ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE = 0x00100024
OTHER_PATIENT_IDS_SEQUENCE = 0x00101002
LOCAL_NAMESPACE_ENTITY_ID = 0x00400031
UNIVERSAL_ENTITY_ID = 0x00400032
UNIVERSAL_ENTITY_ID_TYPE = 0x00400033
REQUEST_ATTRIBUTES_SEQUENCE = 0x00400275


class PatientIdIssuer(RuleValues):
    """The `issuer` as a label, and its OID when it has one (PS3.3 C.7.1.1, table 10-17)."""

    issuer: Lo
    universal_entity_id: Oid | None = None
    universal_entity_id_type: Cs = "ISO"
    other: Literal["keep", "flag"] = "keep"

    @property
    def qualifiers(self) -> Content:
        """The item of Issuer of Patient ID Qualifiers Sequence; empty without an OID."""
        return universal_entity(self.universal_entity_id, self.universal_entity_id_type)

    def names(self, label: str | None, oid: str | None) -> bool:
        """Whether this is the issuer meant; the OID decides where both sides have one."""
        if oid and self.universal_entity_id:
            return oid == self.universal_entity_id
        return label == self.issuer


class AccessionNumberIssuer(RuleValues):
    """The issuer of accession numbers (HL7v2 Hierarchic Designator macro, PS3.3 table 10-17)."""

    issuer: Ut
    universal_entity_id: Oid | None = None
    universal_entity_id_type: Cs = "ISO"
    in_requests: bool = True

    @property
    def content(self) -> Content:
        """The item of Issuer of Accession Number Sequence."""
        entity = universal_entity(self.universal_entity_id, self.universal_entity_id_type)
        return {LOCAL_NAMESPACE_ENTITY_ID: self.issuer, **entity}


def universal_entity(oid: str | None, kind: str) -> Content:
    """Universal Entity ID and its type, or nothing."""
    return {UNIVERSAL_ENTITY_ID: oid, UNIVERSAL_ENTITY_ID_TYPE: kind} if oid else {}


def issuer_of_patient_id_set(draft: Draft, values: PatientIdIssuer, _: RunFacts) -> Iterable[Edit | Flag]:
    """PatientID has an issuer; one that is there already is never overwritten."""
    if not draft.has_value(PATIENT_ID):
        return
    label = draft.text(ISSUER_OF_PATIENT_ID)
    oid = oid_of(draft, draft.items(ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE))
    if (label or oid) and not values.names(label, oid):
        if values.other == "flag":
            yield Flag(ExceptionClass.PATIENT_CONFLICT, "IssuerOfPatientID names another issuer")
        return
    if not label:
        yield Edit(ISSUER_OF_PATIENT_ID, "LO", draft.encoded("LO", values.issuer))
    if values.qualifiers and not draft.has_value(ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE):
        new = draft.encoded_items([draft.item(values.qualifiers)])
        yield Edit(ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE, "SQ", new)


def issuer_of_accession_number_set(draft: Draft, values: AccessionNumberIssuer, _: RunFacts) -> Iterable[Edit]:
    """AccessionNumber has an issuer, here and in the requests; one that is there stays."""
    if draft.has_value(ACCESSION_NUMBER) and not draft.has_value(ISSUER_OF_ACCESSION_NUMBER_SEQUENCE):
        new = draft.encoded_items([draft.item(values.content)])
        yield Edit(ISSUER_OF_ACCESSION_NUMBER_SEQUENCE, "SQ", new)
    if values.in_requests and draft.has_value(REQUEST_ATTRIBUTES_SEQUENCE):
        yield from _issuer_in_requests(draft, values)


def _issuer_in_requests(draft: Draft, values: AccessionNumberIssuer) -> Iterable[Edit]:
    items = draft.items(REQUEST_ATTRIBUTES_SEQUENCE)
    lacking = [_lacks_issuer(draft, item) for item in items]
    if any(lacking):
        issuer = draft.item({ISSUER_OF_ACCESSION_NUMBER_SEQUENCE: [values.content]})
        new = [{**item, **issuer} if lacks else item for item, lacks in zip(items, lacking, strict=True)]
        yield Edit(REQUEST_ATTRIBUTES_SEQUENCE, "SQ", draft.encoded_items(new))


def _lacks_issuer(draft: Draft, item: Item) -> bool:
    held = item.get(ISSUER_OF_ACCESSION_NUMBER_SEQUENCE)
    return bool(draft.text_in(item, ACCESSION_NUMBER)) and (held is None or not held.raw)


def oid_of(draft: Draft, qualifiers: Iterable[Item]) -> str | None:
    """The first Universal Entity ID among the items."""
    return next((text for item in qualifiers if (text := draft.text_in(item, UNIVERSAL_ENTITY_ID))), None)
