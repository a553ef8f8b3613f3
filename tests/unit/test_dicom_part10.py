"""Preamble and file meta information: written strictly, read tolerantly."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pydicom
import pytest

from migrate.dicom.part10 import MetaFields, preamble_and_meta, read_meta
from migrate.dicom.uid import IMPLEMENTATION_CLASS_UID
from migrate.errors import IllegalDicom
from tests.dicom_kit import BIG, EXPLICIT, IMPLICIT, encode, image

FIELDS = MetaFields(
    sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
    sop_instance_uid="1.2.3.4.5.6.7",
    transfer_syntax_uid=EXPLICIT,
    source_ae_title="LEGACY",
    sending_ae_title="LEGACY",
    receiving_ae_title="MIGRATE",
)


def test_pydicom_reads_the_file_that_we_write() -> None:
    ds = pydicom.dcmread(io.BytesIO(preamble_and_meta(FIELDS) + encode(image())))
    assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID
    assert ds.file_meta.TransferSyntaxUID == EXPLICIT
    assert ds.file_meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert ds.file_meta.SourceApplicationEntityTitle == "LEGACY"
    assert ds.file_meta.ReceivingApplicationEntityTitle == "MIGRATE"
    assert ds.preamble == bytes(128)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    front = preamble_and_meta(FIELDS)
    path = tmp_path / "object"
    path.write_bytes(front + encode(image()))
    descriptor = os.open(path, os.O_RDONLY)
    try:
        meta = read_meta(descriptor)
    finally:
        os.close(descriptor)
    assert meta.transfer_syntax_uid == EXPLICIT
    assert (meta.sop_class_uid, meta.sop_instance_uid) == (FIELDS.sop_class_uid, FIELDS.sop_instance_uid)
    assert meta.dataset_offset == len(front)
    assert meta.deviations == ()


def test_the_front_has_an_even_length_whatever_the_uids_are() -> None:
    for uid in ("1.2", "1.23"):
        assert (
            len(preamble_and_meta(MetaFields(sop_class_uid=uid, sop_instance_uid=uid, transfer_syntax_uid=uid))) % 2
            == 0
        )


@pytest.mark.parametrize("uid", [IMPLICIT, EXPLICIT, BIG])
def test_a_file_that_is_a_bare_data_set_shows_its_syntax(uid: str) -> None:
    meta = read_meta(encode(image(), uid))
    assert (meta.transfer_syntax_uid, meta.dataset_offset) == (uid, 0)
    assert "no preamble" in meta.deviations


@pytest.mark.parametrize("cut", [128, 132])
def test_a_file_without_preamble_is_read(cut: int) -> None:
    content = preamble_and_meta(FIELDS) + encode(image())
    meta = read_meta(content[cut:])
    assert meta.transfer_syntax_uid == EXPLICIT
    assert meta.dataset_offset == len(preamble_and_meta(FIELDS)) - cut
    assert meta.deviations == ("no preamble",)


def test_a_file_without_a_transfer_syntax_shows_it_by_its_first_element() -> None:
    front = preamble_and_meta(FIELDS)
    without = bytes(128) + b"DICM" + front[132:].split(b"\x02\x00\x10\x00")[0]
    meta = read_meta(without + encode(image(), IMPLICIT))
    assert meta.transfer_syntax_uid == IMPLICIT
    assert meta.deviations


@pytest.mark.parametrize("content", [b"", b"<html>", bytes(200), bytes(128) + b"DICM", b"MZ" + bytes(500)])
def test_what_is_not_dicom_is_refused(content: bytes) -> None:
    with pytest.raises(IllegalDicom):
        read_meta(content)
