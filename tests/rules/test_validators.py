"""Other people's validators find nothing wrong after the rules that was not wrong before."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
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
# Its table allows one item, and one item can name one attribute (PS3.3 C.12.1.1.9): two bad values need two.
MISTAKEN = ("<NonconformingModifiedAttributesSequence>",)


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


def spread(objects: list[CorpusObject]) -> list[CorpusObject]:
    """The smallest object of each SOP class and of each transfer syntax."""
    smallest: dict[str, CorpusObject] = {}
    for one in sorted(objects, key=lambda one: -int(one.row["size"])):
        smallest |= {one.row["sop_class_uid"]: one, one.row["ts_uid"]: one}
    chosen = {one.path: one for one in smallest.values()}
    return [chosen[path] for path in sorted(chosen)]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One object as received and as it would be sent, as files."""

    path: Path
    before: Path
    after: Path


def pairs(objects: list[CorpusObject], rules: RuleSet, folder: Path) -> Iterator[Pair]:
    """Every readable object that the rules change; the files are the same two each time."""
    before, after = folder / "before.dcm", folder / "after.dcm"
    for path, syntax, content in readable(objects):
        header = digest_of(content, syntax).header
        done = normalize(header, rules, FACTS)
        fields = MetaFields(
            sop_class_uid=header.sop_class_uid, sop_instance_uid=header.sop_instance_uid, transfer_syntax_uid=syntax
        )
        if done.edits:
            before.write_bytes(preamble_and_meta(fields) + content)
            after.write_bytes(preamble_and_meta(fields) + joined(splice(header, done.edits), content))
            yield Pair(path=path, before=before, after=after)


@pytest.mark.dcmtk
def test_dcmdump_finds_no_error_that_was_not_there_before(
    corpus_index: list[CorpusObject], issuers: RuleSet, tmp_path: Path
) -> None:
    command = [tools.program("dcmdump"), "-q"]
    for pair in pairs(corpus_index[::EVERY], issuers, tmp_path):
        assert complaints(command, pair.after) <= complaints(command, pair.before), pair.path


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dciodvfy: apt-get install dicom3tools")
@pytest.mark.parametrize("which", ["issuers", "everything"])
def test_dciodvfy_finds_no_error_that_was_not_there_before(
    which: str, corpus_index: list[CorpusObject], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    rules: RuleSet = request.getfixturevalue(which)
    checked = 0
    for pair in pairs(spread(corpus_index), rules, tmp_path):
        found = {line for line in complaints(["dciodvfy"], pair.after) if not any(one in line for one in MISTAKEN)}
        assert found <= complaints(["dciodvfy"], pair.before), pair.path
        checked += 1
    assert checked > 30


def test_the_spread_has_every_kind_of_object_in_every_transfer_syntax(corpus_index: list[CorpusObject]) -> None:
    chosen = spread(corpus_index)
    for column in ("sop_class_uid", "ts_uid"):
        assert {one.row[column] for one in chosen} == {one.row[column] for one in corpus_index}
