"""Normalization of one object: the ledger, refusals, signed objects, character sets, undo."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from migrate.dicom.digest import dataset_digest, digest_of
from migrate.model import ExceptionClass
from migrate.rules.apply import Normalized, normalize
from migrate.rules.result import header_after
from migrate.rules.undo import is_reversible
from tests.rules.kit import EXPLICIT, FACTS, PHN, dataset, encoded, item, one_rule, parsed, read, rules, spliced

SET_STATION = 'kind = "set"\nkeyword = "StationName"\nvalue = "CT1"'
SIGNATURE = item(MACIDNumber=1, DigitalSignatureUID="1.2.9")


def done_to(made: Dataset, folder: Path, body: str) -> Normalized:
    """What one rule does to one object."""
    return normalize(parsed(encoded(made)), one_rule(folder, body), FACTS)


def test_the_ledger_has_one_row_for_each_attribute_with_rule_pack_and_version(tmp_path: Path) -> None:
    done = done_to(dataset(StationName="OLD"), tmp_path, SET_STATION)
    (row, event, moment) = done.changes
    assert (row.path, row.keyword, row.before, row.after) == ("00081010", "StationName", "OLD", "CT1")
    assert (row.rule, row.pack, row.pack_version, row.identifying) == ("test.it", "test", "1.2", False)
    assert row.sop_instance_uid == "1.2.3.4.5"
    assert (event.path, event.before, event.rule) == ("04000561[0]", None, "original_attributes")
    assert (moment.path, moment.before) == ("00080015", None)


def test_the_ledger_names_nested_attributes_by_their_path(tmp_path: Path) -> None:
    made = dataset(RequestAttributesSequence=[item(StudyID="1"), item(AccessionNumber="A1")])
    done = done_to(made, tmp_path, 'kind = "issuer_of_accession_number_set"\nissuer = "R"')
    assert [(row.path, row.before, row.after) for row in done.changes[:4]] == [
        ("00080051", None, "1 item"),
        ("00080051[0].00400031", None, "R"),
        ("00400275[1].00080051", None, "1 item"),
        ("00400275[1].00080051[0].00400031", None, "R"),
    ]


def test_the_ledger_tells_absent_from_empty(tmp_path: Path) -> None:
    absent = done_to(dataset(), tmp_path, SET_STATION).changes[0].before
    empty = done_to(dataset(StationName=""), tmp_path, SET_STATION).changes[0].before
    assert (absent, empty) == (None, "")


def test_two_rules_on_one_attribute_leave_one_row_with_the_first_value_before(tmp_path: Path) -> None:
    body = (
        '[[rule]]\nname = "a"\nkind = "map"\nkeyword = "StudyDescription"\ntable = { "CT HEAD" = "HEAD" }\n'
        '[[rule]]\nname = "b"\nkind = "prefix"\nkeyword = "StudyDescription"\ntext = "F "\n'
    )
    pack = rules(
        tmp_path,
        body.replace('kind = "prefix"', 'kind = "prefix"\nwhen = { modality = "CT" }').replace(
            'kind = "map"', 'kind = "map"\nwhen = { modality = "MR" }'
        ),
    )
    assert [row.rule for row in normalize(parsed(encoded(dataset())), pack, FACTS).changes][:1] == ["test.b"]


def test_patient_attributes_are_marked_as_identifying_and_their_issuers_are_not(tmp_path: Path) -> None:
    done = done_to(dataset(IssuerOfPatientID="FHA"), tmp_path, 'kind = "other_patient_ids_kept"')
    marked = {row.path.split(".")[-1]: row.identifying for row in done.changes if "." in row.path}
    assert marked == {"00100020": True, "00100021": False, "00100022": False}


def test_person_names_are_marked_as_identifying_wherever_they_stand(tmp_path: Path) -> None:
    body = 'kind = "set"\nkeyword = "ReferringPhysicianName"\nvalue = "Roe^Richard"'
    assert done_to(dataset(), tmp_path, body).changes[0].identifying


def test_no_defect_shows_a_value(tmp_path: Path) -> None:
    made = dataset(PatientID=PHN, StudyDescription="x" * 64)
    for body in (
        'kind = "suffix"\nkeyword = "StudyDescription"\ntext = "y"',
        'kind = "copy"\nfrom = "PatientID"\nto = "PatientBirthDate"',
        'kind = "map"\nkeyword = "PatientID"\ntable = { A = "B" }\nunmapped = "flag"',
    ):
        done = done_to(made, tmp_path, body)
        (defect,) = (*done.refused, *done.flags)
        assert PHN not in defect.detail
        assert "xxx" not in defect.detail
        assert defect.uid == "1.2.3.4.5"


@pytest.mark.parametrize(
    "signed",
    [{"DigitalSignaturesSequence": [SIGNATURE]}, {"MACParametersSequence": [item(MACIDNumber=1)]}],
    ids=["signatures", "mac parameters"],
)
def test_an_object_with_digital_signatures_stays_as_it_is_and_says_so(signed: dict[str, Any], tmp_path: Path) -> None:
    done = done_to(dataset(**signed), tmp_path, SET_STATION)
    assert (done.edits, done.changes, done.refused) == ({}, (), ())
    assert [flag.exception_class for flag in done.flags] == [ExceptionClass.EXCLUDED_BY_POLICY]


def test_a_rule_that_says_so_touches_signed_objects(tmp_path: Path) -> None:
    done = done_to(dataset(DigitalSignaturesSequence=[SIGNATURE]), tmp_path, SET_STATION + "\non_signed = true")
    assert 0x00081010 in done.edits


def test_a_sequence_with_a_signed_item_stays_as_it_is(tmp_path: Path) -> None:
    requests = [item(AccessionNumber="A1", DigitalSignaturesSequence=[SIGNATURE])]
    body = 'kind = "issuer_of_accession_number_set"\nissuer = "R"'
    done = done_to(dataset(RequestAttributesSequence=requests), tmp_path, body)
    assert (done.edits, len(done.flags)) == ({}, 1)


@pytest.mark.parametrize(
    ("charset", "text", "fits"),
    [
        (None, "Tête", False),
        ("ISO_IR 100", "Tête", True),
        ("ISO_IR 100", "Пётр", False),
        ("ISO_IR 144", "Пётр", True),
        ("ISO_IR 192", "山田", True),
        (["", "ISO 2022 IR 87"], "山田", True),
        ("GB18030", "王", True),
        ("ISO_IR 6x", "Tête", False),
        ("ISO_IR 6x", "plain", True),
    ],
)
def test_text_is_written_in_the_object_s_own_character_set_or_not_at_all(
    charset: Any, text: str, fits: bool, tmp_path: Path
) -> None:
    made = dataset(PatientName="A^B")
    content = encoded(made)
    if charset is not None:
        terms = "\\".join(charset) if isinstance(charset, list) else charset
        value = terms.encode() + b" " * (len(terms) & 1)
        content = b"\x08\x00\x05\x00CS" + len(value).to_bytes(2, "little") + value + content
    body = f'kind = "set"\nkeyword = "StudyDescription"\nvalue = "{text}"'
    done = normalize(parsed(content), one_rule(tmp_path, body), FACTS)
    assert bool(done.edits) is fits
    assert [defect.exception_class for defect in done.refused] == ([] if fits else [ExceptionClass.ILLEGAL_DICOM])
    if fits and charset != "ISO_IR 6x":
        assert read(spliced(content, done.edits)).StudyDescription == text


@pytest.mark.parametrize(
    ("declared", "held"),
    [(b"", b"J\xe9r\xf4me"), (b"ISO_IR 192", b"J\xe9r\xf4me "), (b"ISO_IR 6", b"J\xe9r\xf4me")],
)
def test_an_object_whose_text_cannot_be_read_is_never_converted(declared: bytes, held: bytes, tmp_path: Path) -> None:
    charset = b"\x08\x00\x05\x00CS" + len(declared).to_bytes(2, "little") + declared
    content = charset + encoded(dataset(StudyDescription="x" * len(held))).replace(b"x" * len(held), held)
    done = normalize(parsed(content), one_rule(tmp_path, 'kind = "charset_converted"'), FACTS)
    assert done.edits == {}
    assert len(done.refused) == 1


def test_an_object_in_plain_ascii_is_not_converted(tmp_path: Path) -> None:
    assert done_to(dataset(SpecificCharacterSet="ISO_IR 100"), tmp_path, 'kind = "charset_converted"').edits == {}


def test_items_with_their_own_character_set_are_converted_with_it(tmp_path: Path) -> None:
    inner = item(SpecificCharacterSet="ISO_IR 144", RequestedProcedureDescription="Голова")
    made = dataset(SpecificCharacterSet="ISO_IR 100", PatientName="J\u00e9", RequestAttributesSequence=[inner])
    content = encoded(made)
    done = normalize(parsed(content), one_rule(tmp_path, 'kind = "charset_converted"'), FACTS)
    found = read(spliced(content, done.edits))
    assert found.RequestAttributesSequence[0].RequestedProcedureDescription == "Голова"
    assert found.RequestAttributesSequence[0].SpecificCharacterSet == "ISO_IR 192"


def test_conversion_to_utf_8_changes_no_content(tmp_path: Path) -> None:
    content = encoded(dataset(SpecificCharacterSet="ISO_IR 100", PatientName="Buc^Jérôme", StudyDescription="Tête"))
    before = digest_of(content, EXPLICIT)
    done = normalize(before.header, one_rule(tmp_path, 'kind = "charset_converted"'), FACTS)
    assert digest_of(spliced(content, done.edits), EXPLICIT).digests.dataset == before.digests.dataset
    assert {row.path[:8] for row in done.changes} == {"00080005", "04000561", "00080015"}


def test_a_repeat_gives_the_same_bytes_and_another_run_another_time(tmp_path: Path) -> None:
    header = parsed(encoded(dataset()))
    pack = one_rule(tmp_path, SET_STATION)
    later = replace(FACTS, modified_at="2027-01-01T00:00:00+00:00")
    assert normalize(header, pack, FACTS) == normalize(header, pack, FACTS)
    assert normalize(header, pack, FACTS).edits != normalize(header, pack, later).edits


def test_undo_needs_the_whole_ledger(tmp_path: Path) -> None:
    header = parsed(encoded(dataset(StationName="OLD")))
    done = normalize(header, one_rule(tmp_path, SET_STATION), FACTS)
    sent, digest = header_after(header, done.edits), dataset_digest(header)
    assert is_reversible(sent, done.changes, digest)
    assert not is_reversible(sent, done.changes[1:], digest)
    assert not is_reversible(header, done.changes, digest)


def test_undo_tells_an_absent_element_from_an_empty_one(tmp_path: Path) -> None:
    for made in (dataset(), dataset(StationName="")):
        header = parsed(encoded(made))
        done = normalize(header, one_rule(tmp_path, SET_STATION), FACTS)
        assert is_reversible(header_after(header, done.edits), done.changes, dataset_digest(header))
