"""Other people's validators find nothing wrong after the rules that was not wrong before."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from migrate.dicom.digest import digest_of
from migrate.dicom.part10 import MetaFields, preamble_and_meta
from migrate.dicom.splice import joined, splice
from migrate.rules import packs
from migrate.rules.apply import normalize
from migrate.rules.ruleset import RuleSet
from tests.corpus import CorpusObject
from tests.peers import tools
from tests.rules.kit import FACTS
from tests.rules.test_corpus import readable

EVERY = 17


@pytest.fixture(scope="module")
def issuers(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    """The pack that writes the most: issuers with OIDs, the primary id repeated, a PHN promoted."""
    values = {
        "issuer_of_patient_id": "FHA",
        "issuer_of_patient_id_oid": "1.2.3.9",
        "issuer_of_accession_number": "FHA_RIS",
        "issuer_of_accession_number_oid": "1.2.3.8",
        "phn_issuer": "BC_PHN",
    }
    return packs.load(["bc-promoted"], values, tmp_path_factory.mktemp("site"))


def complaints(arguments: list[str], path: Path) -> set[str]:
    """The lines of a validator that are errors."""
    done = subprocess.run([*arguments, path], capture_output=True, text=True, errors="replace", check=False, timeout=60)
    return {line for line in (done.stdout + done.stderr).splitlines() if line.startswith(("Error", "E: "))}


@pytest.mark.dcmtk
@pytest.mark.parametrize("validator", ["dcmdump -q", "dciodvfy"])
def test_a_validator_finds_no_error_that_was_not_there_before(
    validator: str, corpus_index: list[CorpusObject], issuers: RuleSet, tmp_path: Path
) -> None:
    name, *options = validator.split()
    if name == "dciodvfy" and shutil.which(name) is None:
        pytest.skip("needs dciodvfy: apt-get install dicom3tools")
    before, after = tmp_path / "before.dcm", tmp_path / "after.dcm"
    for path, syntax, content in readable(corpus_index[::EVERY]):
        header = digest_of(content, syntax).header
        done = normalize(header, issuers, FACTS)
        fields = MetaFields(
            sop_class_uid=header.sop_class_uid, sop_instance_uid=header.sop_instance_uid, transfer_syntax_uid=syntax
        )
        before.write_bytes(preamble_and_meta(fields) + content)
        after.write_bytes(preamble_and_meta(fields) + joined(splice(header, done.edits), content))
        command = [tools.program(name), *options]
        assert complaints(command, after) <= complaints(command, before), path
