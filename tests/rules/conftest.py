"""The rules of a site that wants all of the shipped packs."""

from __future__ import annotations

import pytest

from migrate.rules import packs
from migrate.rules.ruleset import RuleSet


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    """Every shipped pack but the other choice for the PHN."""
    folder = tmp_path_factory.mktemp("site")
    header = "key,code_value,coding_scheme_designator,code_meaning\n"
    (folder / "codes.csv").write_text(header + "RCH,R,99FHA,Royal Columbian Hospital\n", encoding="utf-8")
    values = {
        "issuer_of_patient_id": "FHA",
        "issuer_of_patient_id_oid": "1.2.3.9",
        "issuer_of_accession_number": "FHA_RIS",
        "phn_issuer": "BC_PHN",
        "facility_codes": "codes.csv",
        "description_codes": "codes.csv",
    }
    names = [name for name in packs.shipped() if name != "bc-promoted"]
    return packs.load(names, values, folder)
