"""What the rules would do, before a byte moves."""

from __future__ import annotations

from pathlib import Path

from migrate.rules.apply import normalize
from migrate.rules.what_if import MASK, Seen, diff, seen_in_rows, what_if
from tests.rules.kit import FACTS, PHN, dataset, encoded, one_rule, parsed, rules

ROWS: list[dict[str, object]] = [
    {"study_instance_uid": "1.1", "institution_name": "Royal Columbian", "facility": "RCH", "patient_id": "M1"},
    {"study_instance_uid": "1.2", "institution_name": "Elsewhere", "facility": "VGH", "patient_id": "M2"},
    {"study_instance_uid": "1.3", "institution_name": "Elsewhere", "facility": "VGH", "patient_id": "M3"},
    {"study_instance_uid": "1.4", "institution_name": None, "facility": "VGH", "patient_id": ""},
]


def test_each_rule_says_what_it_does_to_how_many_studies_where(tmp_path: Path) -> None:
    pack = one_rule(
        tmp_path, 'kind = "set_if_empty"\nkeyword = "IssuerOfPatientID"\nvalue = "F"\nwhen = { present = "PatientID" }'
    )
    (effect,) = what_if(seen_in_rows(ROWS), pack, FACTS).effects
    assert (effect.rule, effect.pack_version, effect.studies) == ("test.it", "1.2", 3)
    assert effect.facilities == {"RCH": 1, "VGH": 2}
    assert effect.sentence == "writes IssuerOfPatientID where it is absent or empty"


def test_studies_where_an_attribute_was_not_crawled_are_counted_as_undecided(tmp_path: Path) -> None:
    pack = one_rule(tmp_path, 'kind = "set"\nkeyword = "InstitutionName"\nvalue = "X"\nwhen = { modality = "CT" }')
    (effect,) = what_if(seen_in_rows([{**ROWS[0], "modalities_in_study": "CT"}, ROWS[1]]), pack, FACTS).effects
    assert (effect.studies, effect.undecided) == (2, 1)


def test_values_without_a_mapping_are_listed_most_frequent_first(tmp_path: Path) -> None:
    pack = one_rule(tmp_path, 'kind = "institution_code_added"\ntable = { X = ["1", "99F", "x"] }')
    found = what_if(seen_in_rows(ROWS), pack, FACTS).unmapped
    assert [(row.value, row.studies) for row in found] == [("Elsewhere", 2), ("Royal Columbian", 1)]
    assert {row.keyword for row in found} == {"InstitutionName"}


def test_a_patient_s_number_without_a_mapping_is_masked(tmp_path: Path) -> None:
    pack = one_rule(tmp_path, 'kind = "map"\nkeyword = "PatientID"\ntable = { A = "B" }')
    assert {row.value for row in what_if(seen_in_rows(ROWS), pack, FACTS).unmapped} == {MASK}


def test_facilities_without_a_code_are_listed(tmp_path: Path) -> None:
    pack = one_rule(tmp_path, 'kind = "institution_code_added"\nby = "facility"\ntable = { RCH = ["1", "99F", "x"] }')
    (row,) = what_if(seen_in_rows(ROWS), pack, FACTS).unmapped
    assert (row.keyword, row.value, row.studies) == ("facility", "VGH", 3)


def test_rules_that_write_one_attribute_are_named(tmp_path: Path) -> None:
    body = (
        '[[rule]]\nname = "a"\nkind = "add_sequence_item"\nsequence = "ProcedureCodeSequence"\n'
        'item = { CodeValue = "1" }\n'
        '[[rule]]\nname = "b"\nkind = "procedure_code_added"\nby = "StudyDescription"\n'
        'table = { "CT HEAD" = ["2", "LN", "x"] }\n'
    )
    seen = [Seen(study_instance_uid="1", header=parsed(encoded(dataset())))]
    (overlap,) = what_if(seen, rules(tmp_path, body), FACTS).overlaps
    assert (overlap.first, overlap.second, overlap.keyword) == ("test.a", "test.b", "ProcedureCodeSequence")


def test_rules_that_are_idle_for_want_of_a_value_are_named(tmp_path: Path) -> None:
    body = '[values]\nissuer = "x"\n[[rule]]\nname = "it"\nkind = "issuer_of_patient_id_set"\nissuer = "$issuer"\n'
    (idle,) = what_if([], rules(tmp_path, body), FACTS).inactive
    assert (idle.name, idle.missing) == ("it", ("issuer",))


def test_refused_and_flagged_studies_are_counted(tmp_path: Path) -> None:
    body = (
        '[[rule]]\nname = "a"\nkind = "suffix"\nkeyword = "AccessionNumber"\ntext = "-FHA"\n'
        '[[rule]]\nname = "b"\nkind = "phn_flagged"\nissuer = "P"\nunlabelled = true\n'
    )
    seen = seen_in_rows([{"study_instance_uid": "1", "accession_number": "1234567890123", "patient_id": "9123456789"}])
    refused, flagged = what_if(seen, rules(tmp_path, body), FACTS).effects
    assert (refused.refused, refused.studies, flagged.flagged) == (1, 0, 1)


def test_side_by_side_identifying_values_are_masked_unless_asked_for(tmp_path: Path) -> None:
    header = parsed(encoded(dataset(PatientID=PHN)))
    done = normalize(header, one_rule(tmp_path, 'kind = "other_patient_ids_kept"'), FACTS)
    masked = {row.path: row for row in diff(header, done)}
    shown = {row.path: row for row in diff(header, done, show_identifying=True)}
    assert PHN not in repr(masked)
    assert "Doe" not in repr(masked)
    assert (masked["00101002[0].00100020"].after, shown["00101002[0].00100020"].after) == (MASK, PHN)


def test_side_by_side_every_element_has_its_sign(tmp_path: Path) -> None:
    body = (
        '[[rule]]\nname = "a"\nkind = "remove"\nkeyword = "StudyDescription"\n'
        '[[rule]]\nname = "b"\nkind = "set"\nkeyword = "Manufacturer"\nvalue = "X"\n'
        '[[rule]]\nname = "c"\nkind = "set"\nkeyword = "InstitutionName"\nvalue = "Y"\n'
    )
    header = parsed(encoded(dataset(Rows=7)))
    rows = {row.keyword: row for row in diff(header, normalize(header, rules(tmp_path, body), FACTS))}
    signs = {
        keyword: rows[keyword].sign for keyword in ("StudyDescription", "Manufacturer", "InstitutionName", "Modality")
    }
    assert signs == {"StudyDescription": "-", "Manufacturer": "+", "InstitutionName": "*", "Modality": "="}
    assert (rows["Rows"].before, rows["Manufacturer"].rule) == ("2 bytes", "test.b")
