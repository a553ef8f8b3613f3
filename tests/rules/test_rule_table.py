"""Every kind of rule: what it does to one object, read back by pydicom."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from migrate.rules.apply import Normalized, normalize
from migrate.rules.table import RULES
from tests.rules.examples import EXAMPLES, write_crosswalk
from tests.rules.kit import (
    FACTS,
    OTHER_PHN,
    PHN,
    SYNTAXES,
    WRONG_PHN,
    dataset,
    encoded,
    item,
    one_rule,
    parsed,
    read,
    spliced,
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """`given` goes through one rule; then each of `then` (a path of pydicom) has its value, None = absent."""

    kind: str
    body: str | None = None
    given: dict[str, Any] = field(default_factory=dict)
    then: dict[str, Any] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


CODE = {"CodeValue": "L1", "CodingSchemeDesignator": "99FHA", "CodeMeaning": "local"}
PHN_ITEM = {"PatientID": PHN, "IssuerOfPatientID": "BC_PHN"}

CASES = {
    "set writes an absent element": Case(kind="set", then={"StationName": "CT1"}),
    "set overwrites": Case(kind="set", given={"StationName": "OLD"}, then={"StationName": "CT1"}),
    "set writes several values": Case(
        kind="set",
        body='keyword = "ImageType"\nvalue = ["ORIGINAL", "PRIMARY"]',
        then={"ImageType": ["ORIGINAL", "PRIMARY"]},
    ),
    "set_if_empty keeps what is there": Case(kind="set_if_empty", then={"InstitutionName": "Royal Columbian"}),
    "set_if_empty fills an empty element": Case(
        kind="set_if_empty", given={"InstitutionName": ""}, then={"InstitutionName": "Unknown hospital"}
    ),
    "set_if_empty fills an absent element": Case(
        kind="set_if_empty", given={"InstitutionName": None}, then={"InstitutionName": "Unknown hospital"}
    ),
    "map replaces a known value": Case(kind="map", then={"InstitutionName": "RCH"}),
    "map keeps an unknown value": Case(
        kind="map", given={"InstitutionName": "Elsewhere"}, then={"InstitutionName": "Elsewhere"}
    ),
    "map flags an unknown value when told": Case(
        kind="map",
        body='keyword = "InstitutionName"\ntable = { A = "B" }\nunmapped = "flag"',
        flags=("InstitutionName has a value without a mapping",),
    ),
    "map does not flag its own results": Case(
        kind="map", body='keyword = "Modality"\ntable = { XX = "CT" }\nunmapped = "flag"', then={"Modality": "CT"}
    ),
    "map writes into another element": Case(
        kind="map",
        body='keyword = "InstitutionName"\ninto = "StationName"\ntable = { "Royal Columbian" = "RCH" }',
        then={"StationName": "RCH", "InstitutionName": "Royal Columbian"},
    ),
    "map into another element keeps it when told": Case(
        kind="map",
        body='keyword = "Modality"\ninto = "StationName"\ntable = { CT = "RCH" }\nonly_if_empty = true',
        given={"StationName": "S9"},
        then={"StationName": "S9"},
    ),
    "copy fills an empty element": Case(kind="copy", then={"InstitutionalDepartmentName": "Royal Columbian"}),
    "copy keeps what is there": Case(
        kind="copy",
        given={"InstitutionalDepartmentName": "DI"},
        then={"InstitutionalDepartmentName": "DI"},
    ),
    "copy overwrites when told": Case(
        kind="copy",
        body='from = "Modality"\nto = "StationName"\nonly_if_empty = false',
        given={"StationName": "S9"},
        then={"StationName": "CT"},
    ),
    "copy is refused where the value does not fit": Case(
        kind="copy",
        body='from = "StudyDescription"\nto = "StationName"',
        given={"StudyDescription": "a description of 33 characters.."},
        then={"StationName": None},
        refused=("StationName: 32 characters do not fit SH, which holds 16",),
    ),
    "prefix goes before": Case(kind="prefix", then={"StudyDescription": "FHA CT HEAD"}),
    "prefix is not put twice": Case(
        kind="prefix", given={"StudyDescription": "FHA CT"}, then={"StudyDescription": "FHA CT"}
    ),
    "prefix leaves an empty value empty": Case(
        kind="prefix", given={"StudyDescription": ""}, then={"StudyDescription": ""}
    ),
    "suffix goes behind": Case(kind="suffix", given={"StudyID": "7"}, then={"StudyID": "7-F"}),
    "suffix that would overflow is refused": Case(
        kind="suffix",
        body='keyword = "AccessionNumber"\ntext = "-FHA"',
        given={"AccessionNumber": "1234567890123"},
        then={"AccessionNumber": "1234567890123"},
        refused=("AccessionNumber: 17 characters do not fit SH, which holds 16",),
    ),
    "suffix on several values is refused": Case(
        kind="suffix",
        body='keyword = "AdmittingDiagnosesDescription"\ntext = " (F)"',
        given={"AdmittingDiagnosesDescription": ["a", "b"]},
        refused=("AdmittingDiagnosesDescription has several values",),
    ),
    "remove leaves the element out": Case(kind="remove", then={"StudyDescription": None}),
    "remove of nothing is nothing": Case(
        kind="remove", given={"StudyDescription": None}, then={"StudyDescription": None}
    ),
    "add_sequence_item appends": Case(
        kind="add_sequence_item",
        given={"ProcedureCodeSequence": [item(**CODE)]},
        then={"ProcedureCodeSequence.0.CodeValue": "L1", "ProcedureCodeSequence.1.CodeValue": "X1"},
    ),
    "add_sequence_item is not added twice": Case(
        kind="add_sequence_item",
        given={"ProcedureCodeSequence": [item(CodeValue="X1", CodingSchemeDesignator="99FHA", CodeMeaning="Head")]},
        then={"ProcedureCodeSequence.1": None},
    ),
    "move_into_sequence moves": Case(
        kind="move_into_sequence",
        given={"AdmissionID": "AD1"},
        then={"AdmissionID": None, "ReferencedPatientSequence.0.AdmissionID": "AD1"},
    ),
    "move_into_sequence drops an empty element": Case(
        kind="move_into_sequence",
        given={"AdmissionID": ""},
        then={"AdmissionID": None, "ReferencedPatientSequence": None},
    ),
    "issuer of patient id with its qualifiers": Case(
        kind="issuer_of_patient_id_set",
        then={
            "IssuerOfPatientID": "FHA",
            "IssuerOfPatientIDQualifiersSequence.0.UniversalEntityID": "1.2.3.9",
            "IssuerOfPatientIDQualifiersSequence.0.UniversalEntityIDType": "ISO",
        },
    ),
    "another issuer of patient id is kept": Case(
        kind="issuer_of_patient_id_set",
        given={"IssuerOfPatientID": "VCHA"},
        then={"IssuerOfPatientID": "VCHA", "IssuerOfPatientIDQualifiersSequence": None},
    ),
    "another issuer of patient id is flagged when told": Case(
        kind="issuer_of_patient_id_set",
        body='issuer = "FHA"\nother = "flag"',
        given={"IssuerOfPatientID": "VCHA"},
        flags=("IssuerOfPatientID names another issuer",),
    ),
    "no issuer without a patient id": Case(
        kind="issuer_of_patient_id_set", given={"PatientID": ""}, then={"IssuerOfPatientID": None}
    ),
    "a label that is there gets its qualifiers": Case(
        kind="issuer_of_patient_id_set",
        given={"IssuerOfPatientID": "FHA"},
        then={"IssuerOfPatientIDQualifiersSequence.0.UniversalEntityID": "1.2.3.9"},
    ),
    "issuer of accession number, in the requests too": Case(
        kind="issuer_of_accession_number_set",
        given={"RequestAttributesSequence": [item(AccessionNumber="A1", RequestedProcedureID="P1"), item(StudyID="1")]},
        then={
            "IssuerOfAccessionNumberSequence.0.LocalNamespaceEntityID": "FHA_RIS",
            "IssuerOfAccessionNumberSequence.0.UniversalEntityID": "1.2.3.8",
            "RequestAttributesSequence.0.IssuerOfAccessionNumberSequence.0.UniversalEntityID": "1.2.3.8",
            "RequestAttributesSequence.0.RequestedProcedureID": "P1",
            "RequestAttributesSequence.1.IssuerOfAccessionNumberSequence": None,
        },
    ),
    "an issuer of accession number that is there stays": Case(
        kind="issuer_of_accession_number_set",
        given={"IssuerOfAccessionNumberSequence": [item(LocalNamespaceEntityID="OLD")]},
        then={"IssuerOfAccessionNumberSequence.0.LocalNamespaceEntityID": "OLD"},
    ),
    "no issuer without an accession number": Case(
        kind="issuer_of_accession_number_set",
        given={"AccessionNumber": ""},
        then={"IssuerOfAccessionNumberSequence": None},
    ),
    "the primary id is repeated": Case(
        kind="other_patient_ids_kept",
        given={"IssuerOfPatientID": "FHA"},
        then={
            "OtherPatientIDsSequence.0.PatientID": "MRN1",
            "OtherPatientIDsSequence.0.IssuerOfPatientID": "FHA",
            "OtherPatientIDsSequence.0.TypeOfPatientID": "TEXT",
            "PatientID": "MRN1",
        },
    ),
    "other ids stay before the primary": Case(
        kind="other_patient_ids_kept",
        given={"OtherPatientIDsSequence": [item(**PHN_ITEM)]},
        then={"OtherPatientIDsSequence.0.PatientID": PHN, "OtherPatientIDsSequence.1.PatientID": "MRN1"},
    ),
    "the same number of another issuer is another number": Case(
        kind="other_patient_ids_kept",
        given={
            "IssuerOfPatientID": "FHA",
            "OtherPatientIDsSequence": [item(PatientID="MRN1", IssuerOfPatientID="VCHA")],
        },
        then={"OtherPatientIDsSequence.1.IssuerOfPatientID": "FHA"},
    ),
    "a wrong PHN is flagged": Case(
        kind="phn_flagged",
        given={"PatientID": WRONG_PHN},
        then={"PatientID": WRONG_PHN},
        flags=("PatientID should be a PHN and fails its check digit",),
    ),
    "a right PHN is not flagged": Case(kind="phn_flagged", given={"PatientID": PHN}),
    "a number of another issuer is not flagged": Case(
        kind="phn_flagged", given={"PatientID": WRONG_PHN, "IssuerOfPatientID": "FHA"}
    ),
    "a wrong PHN among the others is flagged": Case(
        kind="phn_flagged",
        given={"OtherPatientIDsSequence": [item(PatientID="123", IssuerOfPatientID="BC_PHN")]},
        flags=("OtherPatientIDsSequence should be a PHN and fails its check digit",),
    ),
    "the PHN of the crosswalk is promoted": Case(
        kind="phn_promoted",
        given={"IssuerOfPatientID": "FHA"},
        then={
            "PatientID": PHN,
            "IssuerOfPatientID": "BC_PHN",
            "IssuerOfPatientIDQualifiersSequence.0.UniversalEntityID": "1.2.3.7",
            "OtherPatientIDsSequence.0.PatientID": "MRN1",
            "OtherPatientIDsSequence.0.IssuerOfPatientID": "FHA",
            "OtherPatientIDsSequence.1.PatientID": PHN,
        },
    ),
    "the PHN of the header is promoted": Case(
        kind="phn_promoted",
        body='issuer = "BC_PHN"',
        given={
            "OtherPatientIDsSequence": [item(**PHN_ITEM)],
            "IssuerOfPatientIDQualifiersSequence": [item(UniversalEntityID="1.9", UniversalEntityIDType="ISO")],
        },
        then={
            "PatientID": PHN,
            "IssuerOfPatientIDQualifiersSequence": None,
            "OtherPatientIDsSequence.1.PatientID": "MRN1",
            "OtherPatientIDsSequence.1.IssuerOfPatientIDQualifiersSequence.0.UniversalEntityID": "1.9",
        },
    ),
    "two PHNs are a conflict and change nothing": Case(
        kind="phn_promoted",
        given={"OtherPatientIDsSequence": [item(PatientID=OTHER_PHN, IssuerOfPatientID="BC_PHN")]},
        then={"PatientID": "MRN1"},
        flags=("more than one PHN for this patient",),
    ),
    "a wrong PHN is not promoted": Case(
        kind="phn_promoted",
        body='issuer = "BC_PHN"',
        given={"OtherPatientIDsSequence": [item(PatientID=WRONG_PHN, IssuerOfPatientID="BC_PHN")]},
        then={"PatientID": "MRN1"},
        flags=("the PHN fails its check digit",),
    ),
    "the PHN is kept aside": Case(
        kind="phn_kept_aside",
        then={
            "PatientID": "MRN1",
            "OtherPatientIDsSequence.0.PatientID": "MRN1",
            "OtherPatientIDsSequence.1.PatientID": PHN,
            "OtherPatientIDsSequence.1.IssuerOfPatientID": "BC_PHN",
        },
    ),
    "a patient whom the crosswalk does not know stays": Case(
        kind="phn_kept_aside", given={"PatientID": "MRN2"}, then={"OtherPatientIDsSequence": None}
    ),
    "the PHN that was looked up is kept aside": Case(
        kind="phn_from_crosswalk",
        then={
            "PatientID": "MRN1",
            "OtherPatientIDsSequence.0.PatientID": "MRN1",
            "OtherPatientIDsSequence.1.PatientID": PHN,
            "OtherPatientIDsSequence.1.IssuerOfPatientID": "BC_PHN",
        },
    ),
    "the PHN that was looked up becomes the PatientID when told": Case(
        kind="phn_from_crosswalk",
        body='issuer = "BC_PHN"\npromote = true',
        then={
            "PatientID": PHN,
            "IssuerOfPatientID": "BC_PHN",
            "OtherPatientIDsSequence.0.PatientID": "MRN1",
            "OtherPatientIDsSequence.1.PatientID": PHN,
        },
    ),
    "a patient whose source names an issuer was looked up without one": Case(
        kind="phn_from_crosswalk",
        given={"IssuerOfPatientID": "FHA"},
        then={"OtherPatientIDsSequence.1.PatientID": PHN},
    ),
    "a patient whom nobody could look up is reported and stays": Case(
        kind="phn_from_crosswalk",
        given={"PatientID": "MRN2"},
        then={"PatientID": "MRN2", "OtherPatientIDsSequence": None},
        flags=("no PHN is known for this patient",),
    ),
    "a PHN in the object that is not the one looked up is reported": Case(
        kind="phn_from_crosswalk",
        body='issuer = "BC_PHN"',
        given={"OtherPatientIDsSequence": [item(PatientID=OTHER_PHN, IssuerOfPatientID="BC_PHN")]},
        then={"PatientID": "MRN1"},
        flags=("more than one PHN for this patient",),
    ),
    "the institution gets a code and keeps its name": Case(
        kind="institution_code_added",
        then={
            "InstitutionName": "Royal Columbian",
            "InstitutionCodeSequence.0.CodeValue": "RCH",
            "InstitutionCodeSequence.0.CodingSchemeDesignator": "99FHA",
            "InstitutionCodeSequence.0.CodeMeaning": "Royal Columbian Hospital",
        },
    ),
    "an institution code that is there stays": Case(
        kind="institution_code_added",
        given={"InstitutionCodeSequence": [item(**CODE)]},
        then={"InstitutionCodeSequence.0.CodeValue": "L1", "InstitutionCodeSequence.1": None},
    ),
    "the institution code comes from the manifest's facility": Case(
        kind="institution_code_added",
        body='by = "facility"\ntable = { RCH = ["R", "99FHA", "Royal Columbian Hospital"] }',
        then={"InstitutionCodeSequence.0.CodeValue": "R"},
    ),
    "an unknown institution is flagged when told": Case(
        kind="institution_code_added",
        body='unmapped = "flag"\ntable = { X = ["R", "99FHA", "Elsewhere"] }',
        flags=("InstitutionName has a value without an institution code",),
    ),
    "the procedure gets the code of its description": Case(
        kind="procedure_code_added", then={"ProcedureCodeSequence.0.CodeValue": "24725-4"}
    ),
    "the procedure gets the code of its local code": Case(
        kind="procedure_code_added",
        body='local_scheme = "99FHA"\ntable = { L1 = ["24725-4", "LN", "CT Head"] }',
        given={"ProcedureCodeSequence": [item(**CODE)]},
        then={"ProcedureCodeSequence.0.CodeValue": "L1", "ProcedureCodeSequence.1.CodeValue": "24725-4"},
    ),
    "text becomes UTF-8, nested text too": Case(
        kind="charset_converted",
        given={
            "SpecificCharacterSet": "ISO_IR 100",
            "PatientName": "Buc^Jérôme",
            "RequestAttributesSequence": [item(RequestedProcedureDescription="Tête")],
        },
        then={
            "SpecificCharacterSet": "ISO_IR 192",
            "PatientName": "Buc^Jérôme",
            "RequestAttributesSequence.0.RequestedProcedureDescription": "Tête",
        },
    ),
    "an invalid UID is replaced by the map": Case(
        kind="invalid_uids_replaced",
        given={
            "FrameOfReferenceUID": "1.2.03.4",
            "ReferencedStudySequence": [item(ReferencedSOPInstanceUID="1.2.03.4")],
        },
        then={
            "FrameOfReferenceUID": "2.25.1234",
            "ReferencedStudySequence.0.ReferencedSOPInstanceUID": "2.25.1234",
            "StudyInstanceUID": "1.2.3",
        },
    ),
    "an invalid UID that the map does not know stays": Case(
        kind="invalid_uids_replaced",
        given={"FrameOfReferenceUID": "1.2.03.5"},
        then={"FrameOfReferenceUID": "1.2.03.5"},
        flags=("invalid UIDs that the map does not know, in FrameOfReferenceUID",),
    ),
    "an old date is put right": Case(
        kind="values_conform", given={"StudyDate": "2001.02.03"}, then={"StudyDate": "20010203"}
    ),
    "an old time is put right": Case(
        kind="values_conform", given={"StudyTime": "10:20:30"}, then={"StudyTime": "102030"}
    ),
    "a code is written in capitals": Case(
        kind="values_conform", given={"BodyPartExamined": "head"}, then={"BodyPartExamined": "HEAD"}
    ),
    "a long description is cut": Case(
        kind="values_conform", given={"StudyDescription": "x" * 70}, then={"StudyDescription": "x" * 64}
    ),
    "a date that needs a guess is flagged": Case(
        kind="values_conform",
        given={"StudyDate": "03/02/01"},
        then={"StudyDate": "03/02/01"},
        flags=("StudyDate breaks its VR DA",),
    ),
}


def applied(case: Case, folder: Path, syntax: str) -> tuple[Normalized, Dataset]:
    """What the rule makes of the case's object, and what pydicom reads of it."""
    write_crosswalk(folder)
    body = EXAMPLES[case.kind] if case.body is None else case.body
    content = encoded(dataset(**case.given), syntax)
    done = normalize(parsed(content, syntax), one_rule(folder, f'kind = "{case.kind}"\n{body}'), FACTS)
    return done, read(spliced(content, done.edits, syntax), syntax)


def at(found: Any, path: str) -> Any:
    """The value at `Keyword.0.Keyword`; None when something on the way is absent."""
    for part in path.split("."):
        if found is None:
            return None
        found = dict(enumerate(found)).get(int(part)) if part.isdigit() else found.get(part)
    return found


def details(defects: Any) -> tuple[str, ...]:
    """What the defects say, without the rule's name."""
    return tuple(defect.detail.removeprefix("rule test.it: ") for defect in defects)


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES.keys())
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_rule_makes_of_an_object_what_its_row_says(case: Case, syntax: str, tmp_path: Path) -> None:
    done, found = applied(case, tmp_path, syntax)
    assert {path: at(found, path) for path in case.then} == case.then
    assert (details(done.flags), details(done.refused)) == (case.flags, case.refused)


def test_every_kind_of_rule_has_rows_in_this_table() -> None:
    assert set(RULES) == {case.kind for case in CASES.values()} == set(EXAMPLES)


@pytest.mark.parametrize("kind", RULES)
def test_every_kind_of_rule_says_in_a_sentence_what_it_does(kind: str, tmp_path: Path) -> None:
    write_crosswalk(tmp_path)
    bound = one_rule(tmp_path, f'kind = "{kind}"\n{EXAMPLES[kind]}').rules[0]
    assert len(bound.sentence.split()) > 2
    assert PHN not in bound.sentence
