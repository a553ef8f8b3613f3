"""Objects about which a rule could only guess: nothing is lost, a class and a tag are named, no value is seen."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from migrate.journal import read
from tests.engine.inline import run_inline
from tests.engine.migration import Migrate, Migration
from tests.engine.objects import CANARY_ID, CANARY_NAME, TestObject, many
from tests.rules.kit import item

ISSUERS = {
    "normalize": {"packs": ["issuers"]},
    "normalize.values": {"issuer_of_patient_id": "FHA", "issuer_of_accession_number": "FHA_RIS"},
    "limits": {"attempts": 2},
}
CHARSET = {"normalize": {"packs": ["issuers", "charset"]}}
MARK = b"Zzq J\xe9r\xf4me"  # Latin-1, in an object that says that it is UTF-8
SEEN_NOWHERE = ("Zzq", "Privatemark", CANARY_ID, CANARY_NAME)
Spoil = Callable[[Dataset], None]


def spoilt(one: Migration, spoil: Spoil) -> TestObject:
    """The first object of the legacy PACS, made worse."""
    first = one.objects[0]
    dataset = dcmread(first.path)
    spoil(dataset)
    dataset.save_as(first.path)
    first.path.write_bytes(first.path.read_bytes().replace(b"x" * len(MARK), MARK))
    return first


def other_charset(dataset: Dataset) -> None:
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.StudyDescription = "x" * len(MARK)


def without_creator(dataset: Dataset) -> None:
    dataset.add_new(0x00991001, "LO", "Privatemark")
    dataset.add_new(0x009B2203, "OB", b"Privatemark!")


def signed(dataset: Dataset) -> None:
    dataset.DigitalSignaturesSequence = Sequence([item(MACIDNumber=1, DigitalSignatureUID="1.2.9")])


def register(one: Migration) -> list[dict[str, Any]]:
    """The register's lines, after making sure that none of them shows a value."""
    lines = list(read.exceptions(one.run.folder))
    assert not [text for text in SEEN_NOWHERE if text in str(lines)]
    return lines


def run_without_a_word(one: Migration, caplog: pytest.LogCaptureFixture) -> None:
    """A run whose logs, all of them, show no value."""
    with caplog.at_level(logging.DEBUG, logger="migrate"):
        assert run_inline(one.run) is None
    assert not [text for text in SEEN_NOWHERE if text in caplog.text]


def test_text_in_another_charset_than_declared_is_held_back_by_a_rule_that_would_convert_it(
    migration: Migrate, caplog: pytest.LogCaptureFixture
) -> None:
    one = migration(many(1), ISSUERS, CHARSET)
    bad = spoilt(one, other_charset)
    run_without_a_word(one, caplog)
    (line,) = register(one)
    assert (line["exception_class"], line["uid"]) == ("ILLEGAL_DICOM", bad.sop_instance_uid)
    assert "00081030 is not text in the declared character set" in line["detail"]
    assert set(one.held()) == set(one.expected()) - {bad.sop_instance_uid}


def test_text_in_another_charset_than_declared_moves_as_it_is_where_no_rule_reads_it(
    migration: Migrate, caplog: pytest.LogCaptureFixture
) -> None:
    one = migration(many(1), ISSUERS)
    bad = spoilt(one, other_charset)
    run_without_a_word(one, caplog)
    assert (read.states(one.run.folder), register(one)) == ({"VERIFIED": 1}, [])
    assert MARK in one.held()[bad.sop_instance_uid]


def test_private_elements_without_a_creator_move_as_they_are(
    migration: Migrate, caplog: pytest.LogCaptureFixture
) -> None:
    one = migration(many(1), ISSUERS)
    bad = spoilt(one, without_creator)
    run_without_a_word(one, caplog)
    assert (read.states(one.run.folder), register(one)) == ({"VERIFIED": 1}, [])
    assert one.held()[bad.sop_instance_uid].count(b"Privatemark") == 2
    assert {row["keyword"] for row in one.run.rows("changes")} >= {"IssuerOfPatientID"}


def test_a_private_element_without_a_creator_that_the_destination_changes_is_named(migration: Migrate) -> None:
    one = migration(many(1), ISSUERS)
    bad = spoilt(one, without_creator)
    assert run_inline(one.run, stages=("retrieve", "checksum", "normalize", "upload")) is None
    held = next(path for path in one.dir_folder.rglob("*.dcm") if b"Privatemark" in path.read_bytes())
    held.write_bytes(held.read_bytes().replace(b"Privatemark", b"Privatemerk"))
    assert run_inline(one.run, stages=("verify",)) is None
    (line,) = register(one)
    assert (line["exception_class"], line["uid"]) == ("DEST_COERCED", bad.sop_instance_uid)
    assert line["detail"] == "the destination changed: 00991001 009B2203"


def test_a_signed_object_moves_untouched_and_the_register_says_so(
    migration: Migrate, caplog: pytest.LogCaptureFixture
) -> None:
    one = migration(many(1), ISSUERS)
    bad = spoilt(one, signed)
    run_without_a_word(one, caplog)
    (line,) = register(one)
    assert (line["exception_class"], line["disposition"], line["uid"]) == (
        "EXCLUDED_BY_POLICY",
        "noted",
        bad.sop_instance_uid,
    )
    assert one.held()[bad.sop_instance_uid] == bad.dataset_bytes
    assert bad.sop_instance_uid not in {row["sop_instance_uid"] for row in one.run.rows("changes")}


def another_description(dataset: Dataset) -> None:
    dataset.StudyDescription = "Zzq"


def other_pixels(dataset: Dataset) -> None:
    dataset.PixelData = bytes([dataset.PixelData[0] ^ 1]) + dataset.PixelData[1:]


def another_object(dataset: Dataset) -> None:
    another_description(dataset)
    other_pixels(dataset)


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (another_description, "its data set"),
        (other_pixels, "its bulk data"),
        (another_object, "its data set and bulk data"),
    ],
    ids=["header", "pixels", "both"],
)
def test_an_object_that_changes_between_retrieve_and_retrieve_again_is_noted_and_moved_as_it_is_now(
    migration: Migrate, caplog: pytest.LogCaptureFixture, spoil: Spoil, what: str
) -> None:
    one = migration(many(1))
    assert run_inline(one.run, stages=("retrieve",)) is None
    for path in one.run.staged_files():
        path.unlink()
    bad = spoilt(one, spoil)
    run_without_a_word(one, caplog)
    (line,) = register(one)
    assert (line["exception_class"], line["disposition"], line["uid"]) == ("UID_DRIFT", "noted", bad.sop_instance_uid)
    assert line["detail"].endswith(what)
    assert one.held() == one.expected()


def test_an_object_that_is_fetched_again_and_is_the_same_is_not_noted(migration: Migrate) -> None:
    one = migration(many(1))
    assert run_inline(one.run, stages=("retrieve",)) is None
    for path in one.run.staged_files():
        path.unlink()
    assert run_inline(one.run) is None
    assert (read.states(one.run.folder), register(one)) == ({"VERIFIED": 1}, [])
