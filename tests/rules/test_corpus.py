"""The shipped packs on every readable object of the corpus: nothing breaks, and an independent parser agrees."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest

from migrate.dicom.digest import digest_of
from migrate.dicom.part10 import read_meta
from migrate.dicom.splice import joined, splice
from migrate.errors import IllegalDicom
from migrate.rules import packs
from migrate.rules.apply import normalize
from migrate.rules.ruleset import RuleSet
from migrate.rules.undo import is_reversible
from tests.corpus import CorpusObject
from tests.rules.kit import FACTS

LARGEST_BYTES = 8_000_000


def readable(objects: list[CorpusObject]) -> Iterator[tuple[Path, str, bytes]]:
    """Path, transfer syntax and data set of what our parser and pydicom both take, deflated ones aside."""
    for one in objects:
        if one.path.stat().st_size > LARGEST_BYTES or one.row["readable"] != "yes":
            continue
        content = one.path.read_bytes()
        try:
            meta = read_meta(content)
            received = digest_of(content[meta.dataset_offset :], meta.transfer_syntax_uid)
        except IllegalDicom:
            continue
        if not received.header.syntax.deflated:
            yield one.path, meta.transfer_syntax_uid, content[meta.dataset_offset :]


@pytest.mark.timeout(300)
def test_the_shipped_packs_leave_every_object_readable_at_rest_and_reversible(
    corpus_index: list[CorpusObject], everything: RuleSet
) -> None:
    changed = 0
    for path, syntax, content in readable(corpus_index):
        received = digest_of(content, syntax)
        done = normalize(received.header, everything, FACTS)
        sent = digest_of(joined(splice(received.header, done.edits), content), syntax)
        assert normalize(sent.header, everything, FACTS).edits == {}, path
        assert is_reversible(sent.header, done.changes, received.digests.dataset), path
        assert sent.digests.bulk == received.digests.bulk, path
        changed += bool(done.edits)
    assert changed > 400


@pytest.mark.timeout(300)
def test_pydicom_finds_no_element_changed_that_no_rule_declared(
    corpus_index: list[CorpusObject], tmp_path: Path
) -> None:
    values = {"issuer_of_patient_id": "FHA", "issuer_of_accession_number": "FHA_RIS"}
    issuers = packs.load(["issuers"], values, tmp_path)
    declared = (issuers.touches() or frozenset()) | {0x00080015, 0x04000561}
    compared = 0
    for path, syntax, content in readable(corpus_index[::3]):
        header = digest_of(content, syntax).header
        done = normalize(header, issuers, FACTS)
        before, after = (
            raw_elements(one, header.syntax.explicit, header.syntax.little_endian)
            for one in (content, joined(splice(header, done.edits), content))
        )
        differs = {tag for tag in before.keys() | after.keys() if before.get(tag) != after.get(tag)}
        assert {tag for tag in differs if tag & 0xFFFF} <= declared, path
        assert {int(row.path[:8], 16) for row in done.changes} <= differs, path
        compared += 1
    assert compared > 100


def raw_elements(content: bytes, explicit: bool, little: bool) -> dict[int, bytes | str]:
    """Top-level elements as pydicom sees them: raw bytes, or the text of a sequence."""
    found = pydicom.filereader.read_dataset(io.BytesIO(content), not explicit, little)
    elements = {int(tag): found.get_item(tag) for tag in found.keys()}  # noqa: SIM118 - iterating would decode
    return {
        tag: element.value if isinstance(element.value, bytes) else repr(element.value)
        for tag, element in elements.items()
        if element is not None
    }
