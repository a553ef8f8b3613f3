"""Original Attributes Sequence (PS3.3 C.12.1.1.9), read back by pydicom."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from migrate.rules.apply import normalize
from migrate.rules.original_attributes import dicom_date_time
from tests.rules.kit import (
    FACTS,
    MODIFIED_AT_DT,
    SYNTAXES,
    dataset,
    encoded,
    item,
    one_rule,
    parsed,
    read,
    rules,
    spliced,
)

EARLIER = item(
    AttributeModificationDateTime="20100101120000",
    ModifyingSystem="PACS",
    SourceOfPreviousValues="",
    ReasonForTheAttributeModification="COERCE",
    ModifiedAttributesSequence=[item(PatientID="OLD")],
)


def after(folder: Path, body: str, given: dict[str, Any], syntax: str = SYNTAXES["explicit"]) -> Dataset:
    """The object after one rule."""
    content = encoded(dataset(**given), syntax)
    done = normalize(parsed(content, syntax), one_rule(folder, body), FACTS)
    return read(spliced(content, done.edits, syntax), syntax)


def raw(found: Dataset, keyword: str) -> bytes:
    """The bytes of an element, padding included."""
    value = found.get_item(keyword).value
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES.keys())
def test_an_event_has_its_five_attributes(syntax: str, tmp_path: Path) -> None:
    found = after(tmp_path, 'kind = "set"\nkeyword = "StationName"\nvalue = "CT1"', {"StationName": "OLD"}, syntax)
    (event,) = found.OriginalAttributesSequence
    assert {element.keyword: element.value for element in event if element.VR != "SQ"} == {
        "AttributeModificationDateTime": MODIFIED_AT_DT,
        "ModifyingSystem": "migrate 0.1 / fraser-2026",
        "SourceOfPreviousValues": "FRASER PACS",
        "ReasonForTheAttributeModification": "COERCE",
    }
    (modified,) = event.ModifiedAttributesSequence
    assert modified.StationName == "OLD"
    assert found.InstanceCoercionDateTime == MODIFIED_AT_DT


@pytest.mark.parametrize("given", [{}, {"StationName": ""}], ids=["absent", "empty"])
def test_what_was_absent_or_empty_stands_there_without_a_value(given: dict[str, Any], tmp_path: Path) -> None:
    found = after(tmp_path, 'kind = "set"\nkeyword = "StationName"\nvalue = "CT1"', given)
    modified = found.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert "StationName" in modified
    assert not modified.StationName


def test_events_that_were_there_keep_their_bytes(tmp_path: Path) -> None:
    made = dataset(OriginalAttributesSequence=[EARLIER])
    content = encoded(made)
    header = parsed(content)
    done = normalize(header, one_rule(tmp_path, 'kind = "remove"\nkeyword = "StudyDescription"'), FACTS)
    edit = done.edits[0x04000561]
    assert edit is not None
    assert edit[1].startswith(header.raw(0x04000561) or b"?")
    assert len(read(spliced(content, done.edits)).OriginalAttributesSequence) == 2


def test_a_patient_id_is_listed_with_its_issuer_even_when_that_did_not_change(tmp_path: Path) -> None:
    made = {"PatientID": "MRN1", "IssuerOfPatientID": "FHA"}
    found = after(tmp_path, 'kind = "suffix"\nkeyword = "PatientID"\ntext = "-F"', made)
    modified = found.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert (modified.PatientID, modified.IssuerOfPatientID) == ("MRN1", "FHA")


def test_a_patient_id_is_listed_with_an_empty_issuer_when_there_was_none(tmp_path: Path) -> None:
    found = after(tmp_path, 'kind = "suffix"\nkeyword = "PatientID"\ntext = "-F"', {})
    assert found.OriginalAttributesSequence[0].ModifiedAttributesSequence[0].IssuerOfPatientID == ""


def test_a_change_inside_a_sequence_lists_the_whole_sequence(tmp_path: Path) -> None:
    requests = [item(AccessionNumber="A1", RequestedProcedureID="P1"), item(AccessionNumber="A2")]
    body = 'kind = "issuer_of_accession_number_set"\nissuer = "R"'
    found = after(tmp_path, body, {"RequestAttributesSequence": requests})
    modified = found.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert [request.AccessionNumber for request in modified.RequestAttributesSequence] == ["A1", "A2"]
    assert "IssuerOfAccessionNumberSequence" not in modified.RequestAttributesSequence[0]
    assert "AccessionNumber" not in modified


NONCONFORMING = {
    "too long": ("StationName", "x" * 20, b"x" * 20),
    "too many values": ("StationName", ["a", "b"], b"a\\b "),
    "illegal date": ("StudyDate", "2001.02.03", b"2001.02.03"),
    "lower case code": ("BodyPartExamined", "head", b"head"),
}


@pytest.mark.parametrize(("keyword", "value", "held"), NONCONFORMING.values(), ids=NONCONFORMING.keys())
@pytest.mark.parametrize("syntax", SYNTAXES.values(), ids=SYNTAXES.keys())
def test_a_value_that_breaks_its_vr_stands_as_bytes(
    keyword: str, value: Any, held: bytes, syntax: str, tmp_path: Path
) -> None:
    body = f'kind = "remove"\nkeyword = "{keyword}"'
    event = after(tmp_path, body, {keyword: value}, syntax).OriginalAttributesSequence[0]
    (odd,) = event.NonconformingModifiedAttributesSequence
    assert odd.NonconformingDataElementValue == held
    assert odd.SelectorAttribute == dataset(**{keyword: value})[keyword].tag
    assert event.ModifiedAttributesSequence[0][keyword].is_empty


def test_text_that_nobody_can_read_stands_as_bytes(tmp_path: Path) -> None:
    content = encoded(dataset(StudyDescription="Tete"))
    content = content.replace(b"Tete", b"T\xeate")
    done = normalize(parsed(content), one_rule(tmp_path, 'kind = "remove"\nkeyword = "StudyDescription"'), FACTS)
    event = read(spliced(content, done.edits)).OriginalAttributesSequence[0]
    assert event.NonconformingModifiedAttributesSequence[0].NonconformingDataElementValue == b"T\xeate"
    assert [change.before for change in done.changes if change.path == "00081030"] == [b"T\xeate".hex()]


def test_each_reason_has_its_own_event(tmp_path: Path) -> None:
    body = (
        '[[rule]]\nname = "a"\nkind = "set"\nkeyword = "StationName"\nvalue = "CT1"\n'
        '[[rule]]\nname = "b"\nkind = "set"\nkeyword = "StudyID"\nvalue = "1"\nreason = "CORRECT"\n'
    )
    content = encoded(dataset())
    done = normalize(parsed(content), rules(tmp_path, body), FACTS)
    events = read(spliced(content, done.edits)).OriginalAttributesSequence
    listed = {event.ReasonForTheAttributeModification: event.ModifiedAttributesSequence[0].dir() for event in events}
    assert listed == {"COERCE": ["StationName"], "CORRECT": ["StudyID"]}


def test_previous_values_keep_their_own_character_set_when_the_object_gets_another(tmp_path: Path) -> None:
    body = (
        '[[rule]]\nname = "a"\nkind = "charset_converted"\n'
        '[[rule]]\nname = "b"\nkind = "set"\nkeyword = "StudyDescription"\nvalue = "Kopf über 山"\n'
    )
    content = encoded(dataset(SpecificCharacterSet="ISO_IR 100", StudyDescription="Tête"))
    done = normalize(parsed(content), rules(tmp_path, body), FACTS)
    found = read(spliced(content, done.edits))
    previous = [event.ModifiedAttributesSequence[0] for event in found.OriginalAttributesSequence]
    assert found.StudyDescription == "Kopf über 山"
    assert {part.SpecificCharacterSet for part in previous} == {"ISO_IR 100"}
    assert [part.StudyDescription for part in previous if "StudyDescription" in part] == ["Tête"]


def test_our_own_names_fit_whatever_the_run_is_called(tmp_path: Path) -> None:
    facts = replace(FACTS, modifying_system="é" * 80, source_of_previous_values="a\\b")
    content = encoded(dataset())
    done = normalize(parsed(content), one_rule(tmp_path, 'kind = "remove"\nkeyword = "StudyDescription"'), facts)
    event = read(spliced(content, done.edits)).OriginalAttributesSequence[0]
    assert (event.ModifyingSystem, event.SourceOfPreviousValues) == ("?" * 64, "a/b")


def test_an_object_that_no_rule_touches_gets_no_event(tmp_path: Path) -> None:
    done = normalize(parsed(encoded(dataset())), one_rule(tmp_path, 'kind = "remove"\nkeyword = "StudyID"'), FACTS)
    assert (done.edits, done.changes) == ({}, ())


def test_a_modification_time_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset from UTC"):
        dicom_date_time("2026-11-03T21:15:00")
