"""Conditions: when a rule looks at an object at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from migrate.rules.apply import normalize
from migrate.rules.what_if import seen_in_rows
from tests.rules.kit import FACTS, dataset, encoded, one_rule, parsed

CASES = [
    ('source = "FRASER"', {}, True),
    ('source = ["INTERIOR"]', {}, False),
    ('facility = ["VGH", "RCH"]', {}, True),
    ('facility = "VGH"', {}, False),
    ('modality = ["CT", "MR"]', {}, True),
    ('modality = "MR"', {}, False),
    ('sop_class = "CTImageStorage"', {}, True),
    ('sop_class = "CT Image Storage"', {}, True),
    ('sop_class = "1.2.840.10008.5.1.4.1.1.2"', {}, True),
    ('sop_class = "MRImageStorage"', {}, False),
    ("study_date = { from = 2001-02-03, to = 2001-02-03 }", {}, True),
    ("study_date = { from = 2001-02-04 }", {}, False),
    ("study_date = { to = 2001-02-02 }", {}, False),
    ("study_date = { to = 2001-12-31 }", {"StudyDate": ""}, False),
    ("study_date = { to = 2001-12-31 }", {"StudyDate": "2001.02.03"}, True),
    ('date = { PatientBirthDate = { to = "1990-01-01" } }', {"PatientBirthDate": "19800101"}, True),
    ('present = ["PatientID", "AccessionNumber"]', {}, True),
    ('present = ["PatientID"]', {"PatientID": ""}, False),
    ('present = "ProcedureCodeSequence"', {"ProcedureCodeSequence": []}, False),
    ('absent = "StationName"', {}, True),
    ('absent = "StationName"', {"StationName": ""}, True),
    ('absent = "StationName"', {"StationName": "CT1"}, False),
    ('equals = { InstitutionName = "Royal Columbian" }', {}, True),
    ('equals = { InstitutionName = "royal columbian" }', {}, False),
    ('equals = { StationName = "" }', {}, False),
    ('one_of = { Manufacturer = ["GE", "SIEMENS"] }', {"Manufacturer": "SIEMENS"}, True),
    ('one_of = { ImageType = ["PRIMARY"] }', {"ImageType": ["ORIGINAL", "PRIMARY"]}, True),
    ('like = { StationName = "CT*" }', {"StationName": "CT12"}, True),
    ('like = { StationName = ["MR*", "??1"] }', {"StationName": "XX1"}, True),
    ('like = { StationName = "[0-9]*" }', {"StationName": "CT1"}, False),
    ('like = { StationName = "CT" }', {"StationName": "CT1"}, False),
    ('modality = "CT", facility = "VGH"', {}, False),
]


@pytest.mark.parametrize(("when", "given", "holds"), CASES, ids=[f"{case[0]} {case[1]}" for case in CASES])
def test_a_rule_looks_at_an_object_when_its_condition_holds(
    when: str, given: dict[str, Any], holds: bool, tmp_path: Path
) -> None:
    kind = 'kind = "set"\nkeyword = "StudyID"\nvalue = "HERE"\n'
    header = parsed(encoded(dataset(**given)))
    assert bool(normalize(header, one_rule(tmp_path, f"{kind}when = {{ {when} }}"), FACTS).edits) is holds
    assert bool(normalize(header, one_rule(tmp_path, f"{kind}unless = {{ {when} }}"), FACTS).edits) is not holds


def test_a_pattern_takes_no_longer_for_an_evil_value(tmp_path: Path) -> None:
    pack = one_rule(
        tmp_path,
        'kind = "set"\nkeyword = "StudyID"\nvalue = "X"\nwhen = { like = { PatientComments = "' + "*a" * 60 + 'b" } }',
    )
    assert not normalize(parsed(encoded(dataset(PatientComments="a" * 10_000))), pack, FACTS).edits


@pytest.mark.parametrize(
    ("when", "row", "holds"),
    [
        ('modality = "CT"', {"modalities_in_study": ["CT", "SR"]}, True),
        ('modality = "CT"', {"modalities_in_study": "MR\\SR"}, False),
        ('modality = "CT"', {"modalities_in_study": None}, None),
        ('present = "AccessionNumber"', {"accession_number": ""}, False),
        ('present = "AccessionNumber"', {}, None),
        ('present = "AccessionNumber", modality = "MR"', {"modality": "CT"}, False),
        ("study_date = { from = 2001-01-01 }", {"study_date": "2001-02-03"}, True),
    ],
)
def test_a_condition_says_when_a_crawled_row_cannot_tell(
    when: str, row: dict[str, Any], holds: bool | None, tmp_path: Path
) -> None:
    condition = one_rule(tmp_path, f'kind = "remove"\nkeyword = "StudyID"\nwhen = {{ {when} }}').rules[0].condition
    assert condition.holds(next(seen_in_rows([row])).draft(), FACTS) is holds
