"""One example for every kind of rule: the table that a new kind needs a row in."""

from __future__ import annotations

from pathlib import Path

from tests.rules.kit import PHN

EXAMPLES: dict[str, str] = {
    "set": 'keyword = "StationName"\nvalue = "CT1"',
    "set_if_empty": 'keyword = "InstitutionName"\nvalue = "Unknown hospital"',
    "map": 'keyword = "InstitutionName"\ntable = { "Royal Columbian" = "RCH", "RCH New West" = "RCH" }',
    "copy": 'from = "InstitutionName"\nto = "InstitutionalDepartmentName"',
    "prefix": 'keyword = "StudyDescription"\ntext = "FHA "',
    "suffix": 'keyword = "StudyID"\ntext = "-F"',
    "remove": 'keyword = "StudyDescription"',
    "add_sequence_item": 'sequence = "ProcedureCodeSequence"\n'
    'item = { CodeValue = "X1", CodingSchemeDesignator = "99FHA", CodeMeaning = "Head" }',
    "move_into_sequence": 'keyword = "AdmissionID"\nsequence = "ReferencedPatientSequence"',
    "issuer_of_patient_id_set": 'issuer = "FHA"\nuniversal_entity_id = "1.2.3.9"',
    "issuer_of_accession_number_set": 'issuer = "FHA_RIS"\nuniversal_entity_id = "1.2.3.8"',
    "other_patient_ids_kept": "",
    "phn_flagged": 'issuer = "BC_PHN"\nunlabelled = true',
    "phn_promoted": 'issuer = "BC_PHN"\nuniversal_entity_id = "1.2.3.7"\ncrosswalk = "crosswalk.csv"',
    "phn_kept_aside": 'issuer = "BC_PHN"\ncrosswalk = "crosswalk.csv"',
    "phn_from_crosswalk": 'issuer = "BC_PHN"\nuniversal_entity_id = "1.2.3.7"',
    "institution_code_added": 'table = { "Royal Columbian" = ["RCH", "99FHA", "Royal Columbian Hospital"] }',
    "procedure_code_added": 'by = "StudyDescription"\ntable = { "CT HEAD" = ["24725-4", "LN", "CT Head"] }',
    "charset_converted": "",
    "invalid_uids_replaced": "",
    "values_conform": 'keywords = ["StudyDate", "StudyTime", "BodyPartExamined", "StudyDescription"]\ncut = true',
}
"""Kind -> its parameters, as they stand in a pack."""


def write_crosswalk(folder: Path) -> None:
    """The crosswalk that the examples name."""
    (folder / "crosswalk.csv").write_text(f"patient_id,phn\nMRN1,{PHN}\n", encoding="utf-8")
