"""RULES: every kind of rule that a pack can ask for.

To add one: a function (with the model of its parameters), a line here, a row in the table test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from migrate.rules import elements, everywhere, issuers, patient_ids, sequences
from migrate.rules.elements import CopyValues, MapValues, PartValues, RemoveValues, SetValues
from migrate.rules.everywhere import CharsetValues, HygieneValues, NoUidValues
from migrate.rules.issuers import AccessionNumberIssuer, PatientIdIssuer
from migrate.rules.patient_ids import LookedUpValues, NoValues, PhnFlagValues, PhnValues
from migrate.rules.rule import AnyRule, Rule
from migrate.rules.sequences import InstitutionValues, ItemValues, MoveValues, ProcedureValues
from migrate.rules.vr import Attribute


def _sets(*tags: int) -> Callable[[object], Mapping[int, str]]:
    return lambda values: {tag: repr(values) for tag in tags}


def _touches(*tags: int) -> Callable[[object], frozenset[int]]:
    return lambda _: frozenset(tags)


def _only(attribute: Attribute) -> frozenset[int]:
    return frozenset({attribute.tag})


_PHN_TAGS = (
    issuers.PATIENT_ID,
    issuers.ISSUER_OF_PATIENT_ID,
    issuers.ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE,
    issuers.OTHER_PATIENT_IDS_SEQUENCE,
)

RULES: dict[str, AnyRule] = {
    "set": Rule[SetValues](
        values=SetValues,
        edits=elements.element_set,
        sentence=lambda v: f"writes {v.keyword.keyword}, whatever stood there",
        sets=lambda v: {v.keyword.tag: v.text},
        touches=lambda v: _only(v.keyword),
    ),
    "set_if_empty": Rule[SetValues](
        values=SetValues,
        edits=elements.empty_element_set,
        sentence=lambda v: f"writes {v.keyword.keyword} where it is absent or empty",
        sets=lambda v: {v.keyword.tag: v.text},
        touches=lambda v: _only(v.keyword),
    ),
    "map": Rule[MapValues](
        values=MapValues,
        edits=elements.value_mapped,
        sentence=lambda v: f"looks {v.keyword.keyword} up in {len(v.table)} entries and writes {v.target.keyword}",
        sets=lambda v: {v.target.tag: repr(sorted(v.table.items()))},
        touches=lambda v: _only(v.target),
        reads=lambda v: _only(v.keyword),
        unmapped=elements.values_unmapped,
    ),
    "copy": Rule[CopyValues](
        values=CopyValues,
        edits=elements.element_copied,
        sentence=lambda v: f"copies {v.source.keyword} to {v.to.keyword}{_where_empty(v.only_if_empty)}",
        sets=lambda v: {v.to.tag: f"copy of {v.source.tag}"},
        touches=lambda v: _only(v.to),
        reads=lambda v: _only(v.source),
    ),
    "prefix": Rule[PartValues](
        values=PartValues,
        edits=elements.prefix_set,
        sentence=lambda v: f"puts a prefix before {v.keyword.keyword}, refused where it would not fit",
        sets=lambda v: {v.keyword.tag: f"{v.text}*"},
        touches=lambda v: _only(v.keyword),
    ),
    "suffix": Rule[PartValues](
        values=PartValues,
        edits=elements.suffix_set,
        sentence=lambda v: f"puts a suffix behind {v.keyword.keyword}, refused where it would not fit",
        sets=lambda v: {v.keyword.tag: f"*{v.text}"},
        touches=lambda v: _only(v.keyword),
    ),
    "remove": Rule[RemoveValues](
        values=RemoveValues,
        edits=elements.element_removed,
        sentence=lambda v: f"removes {v.keyword.keyword}, which stays in Original Attributes",
        sets=lambda v: {v.keyword.tag: ""},
        touches=lambda v: _only(v.keyword),
        reason="CORRECT",
    ),
    "add_sequence_item": Rule[ItemValues](
        values=ItemValues,
        edits=sequences.sequence_item_added,
        sentence=lambda v: f"adds an item to {v.sequence.keyword} unless it is there",
        sets=lambda _: {},
        touches=lambda v: _only(v.sequence),
    ),
    "move_into_sequence": Rule[MoveValues](
        values=MoveValues,
        edits=sequences.element_moved_into_sequence,
        sentence=lambda v: f"moves {v.keyword.keyword} into an item of {v.sequence.keyword}",
        sets=lambda v: {v.keyword.tag: ""},
        touches=lambda v: frozenset({v.keyword.tag, v.sequence.tag}),
    ),
    "issuer_of_patient_id_set": Rule[PatientIdIssuer](
        values=PatientIdIssuer,
        edits=issuers.issuer_of_patient_id_set,
        sentence=lambda v: f"says that {v.issuer} issued PatientID, where no issuer is named",
        sets=_sets(issuers.ISSUER_OF_PATIENT_ID, issuers.ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE),
        touches=_touches(issuers.ISSUER_OF_PATIENT_ID, issuers.ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE),
    ),
    "issuer_of_accession_number_set": Rule[AccessionNumberIssuer](
        values=AccessionNumberIssuer,
        edits=issuers.issuer_of_accession_number_set,
        sentence=lambda v: f"says that {v.issuer} issued AccessionNumber, where no issuer is named",
        sets=_sets(issuers.ISSUER_OF_ACCESSION_NUMBER_SEQUENCE),
        touches=_touches(issuers.ISSUER_OF_ACCESSION_NUMBER_SEQUENCE, issuers.REQUEST_ATTRIBUTES_SEQUENCE),
    ),
    "other_patient_ids_kept": Rule[NoValues](
        values=NoValues,
        edits=patient_ids.other_patient_ids_kept,
        sentence=lambda _: "repeats PatientID and its issuer in OtherPatientIDsSequence",
        sets=lambda _: {},
        touches=_touches(issuers.OTHER_PATIENT_IDS_SEQUENCE),
    ),
    "phn_flagged": Rule[PhnFlagValues](
        values=PhnFlagValues,
        edits=patient_ids.phn_flagged,
        sentence=lambda v: f"reports numbers of {v.issuer} that fail the PHN check digit and changes nothing",
        sets=lambda _: {},
        touches=_touches(),
    ),
    "phn_promoted": Rule[PhnValues](
        values=PhnValues,
        edits=patient_ids.phn_promoted,
        sentence=lambda v: (
            f"puts the PHN of {v.issuer} into PatientID and keeps the old one in OtherPatientIDsSequence"
        ),
        sets=_sets(issuers.PATIENT_ID),
        touches=_touches(*_PHN_TAGS),
    ),
    "phn_kept_aside": Rule[PhnValues](
        values=PhnValues,
        edits=patient_ids.phn_kept_aside,
        sentence=lambda v: f"puts the PHN of {v.issuer} into OtherPatientIDsSequence; PatientID stays",
        sets=lambda _: {issuers.PATIENT_ID: "kept"},
        touches=_touches(issuers.OTHER_PATIENT_IDS_SEQUENCE),
    ),
    "phn_from_crosswalk": Rule[LookedUpValues](
        values=LookedUpValues,
        edits=patient_ids.phn_from_crosswalk,
        sentence=lambda v: (
            f"puts the PHN of {v.issuer} that was looked up before the run into "
            f"{'PatientID; the old one is kept' if v.promote else 'OtherPatientIDsSequence; PatientID stays'}"
        ),
        sets=lambda v: {issuers.PATIENT_ID: repr(v) if v.promote else "kept"},
        touches=lambda v: frozenset(_PHN_TAGS if v.promote else _PHN_TAGS[3:]),
    ),
    "institution_code_added": Rule[InstitutionValues](
        values=InstitutionValues,
        edits=sequences.institution_code_added,
        sentence=lambda v: f"adds InstitutionCodeSequence for {v.by} from {len(v.table)} entries, where it is empty",
        sets=_sets(sequences.INSTITUTION_CODE_SEQUENCE),
        touches=_touches(sequences.INSTITUTION_CODE_SEQUENCE),
        unmapped=sequences.institutions_unmapped,
    ),
    "procedure_code_added": Rule[ProcedureValues](
        values=ProcedureValues,
        edits=sequences.procedure_code_added,
        sentence=lambda v: f"adds codes to ProcedureCodeSequence from {len(v.table)} entries; local codes stay",
        sets=lambda _: {},
        touches=_touches(sequences.PROCEDURE_CODE_SEQUENCE),
        unmapped=sequences.procedures_unmapped,
    ),
    "charset_converted": Rule[CharsetValues](
        values=CharsetValues,
        edits=everywhere.charset_converted,
        sentence=lambda _: "converts text to UTF-8 (ISO_IR 192) where all of it can be read",
        sets=lambda _: {},
        touches=lambda _: None,
        reason="CORRECT",
    ),
    "invalid_uids_replaced": Rule[NoUidValues](
        values=NoUidValues,
        edits=everywhere.invalid_uids_replaced,
        sentence=lambda _: "replaces invalid UIDs and every reference to them by the map of this run",
        sets=lambda _: {},
        touches=lambda _: None,
        reason="CORRECT",
    ),
    "values_conform": Rule[HygieneValues](
        values=HygieneValues,
        edits=everywhere.values_conform,
        sentence=lambda v: f"puts old spellings right in {', '.join(k.keyword for k in v.keywords)}",
        sets=lambda _: {},
        touches=lambda v: frozenset(k.tag for k in v.keywords),
        reason="CORRECT",
    ),
}


def _where_empty(only_if_empty: bool) -> str:  # noqa: FBT001 - reads as the end of a sentence
    return " where that is empty" if only_if_empty else ""
