"""Data sets for the tests of `migrate.dicom`, written by pydicom, which knows nothing of our parser."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from migrate.dicom.digest import Digested, Digester
from migrate.dicom.header import Header
from migrate.dicom.part10 import read_meta
from migrate.dicom.stream import Tokenizer

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG = "1.2.840.10008.1.2.2"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"

CORPUS_SYNTHETIC = "corpus-synthetic"


def image(**changes: object) -> Dataset:
    """A small image with text of several kinds, sequences, private elements and an overlay."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    ds.SOPInstanceUID = "1.2.3.4.5.6.7"
    ds.StudyDate = "20240131"
    ds.AccessionNumber = "ACC1"
    ds.Modality = "CT"
    ds.ReferringPhysicianName = "Müller^Jörg"
    ds.PatientName = "Test^One"
    ds.PatientID = "ID 1"
    ds.StudyInstanceUID = "1.2.3.4"
    ds.SeriesInstanceUID = "1.2.3.4.5"
    ds.SliceThickness = "1.50"
    item = Dataset()
    item.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    item.ReferencedSOPInstanceUID = "1.2.3.99"
    code = Dataset()
    code.CodeValue = "121320"
    code.CodingSchemeDesignator = "DCM"
    code.CodeMeaning = "Größe"
    item.PurposeOfReferenceCodeSequence = [code]
    ds.ReferencedImageSequence = [item, Dataset()]
    block = ds.private_block(0x0029, "ACME 1.0", create=True)
    block.add_new(0x10, "LO", "private text")
    block.add_new(0x11, "US", 4660)
    block.add_new(0x12, "OB", b"\x01\x02\x03\x04")
    _add_pixels(ds)
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    return ds


def _add_pixels(ds: Dataset) -> None:
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows = 5
    ds.Columns = 7
    ds.BitsAllocated = 16
    ds.BitsStored = 16
    ds.HighBit = 15
    ds.PixelRepresentation = 0
    ds.WindowCenter = ["40", "400"]
    ds.add_new(0x60000010, "US", 5)
    ds.add_new(0x60003000, "OW", bytes(range(6)))
    ds.PixelData = bytes(range(70))
    ds["PixelData"].VR = "OW"


def encapsulated_image(frames: Iterable[bytes], *, has_bot: bool = True) -> Dataset:
    """The same with fragments instead of native pixels."""
    ds = image()
    ds.PixelData = encapsulate(list(frames), has_bot=has_bot)
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    return ds


def encode(ds: Dataset, transfer_syntax_uid: str = EXPLICIT, *, undefined_lengths: bool = False) -> bytes:
    """The bytes of a data set as a peer would send them."""
    if undefined_lengths:
        _make_undefined(ds)
    out = DicomBytesIO()
    out.is_implicit_VR = transfer_syntax_uid == IMPLICIT
    out.is_little_endian = transfer_syntax_uid != BIG
    write_dataset(out, _in_byte_order(ds) if transfer_syntax_uid == BIG else ds)
    written = out.getvalue()
    if transfer_syntax_uid != DEFLATED:
        return written
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = deflater.compress(written) + deflater.flush()
    return packed + b"\0" * (len(packed) % 2)


def _in_byte_order(ds: Dataset) -> Dataset:
    """With the words of OW turned round, because pydicom writes them as they are."""
    copy = Dataset()
    copy.update(ds)
    for element in ds:
        if element.VR == "OW":
            value = bytearray(element.value)
            value[::2], value[1::2] = value[1::2], value[::2]
            copy.add_new(element.tag, "OW", bytes(value))
    return copy


def _make_undefined(ds: Dataset) -> None:
    for element in ds:
        if element.VR == "SQ":
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
                _make_undefined(item)


def parse(dataset: bytes, transfer_syntax_uid: str = EXPLICIT) -> Header:
    """The header of a whole data set."""
    tokenizer = Tokenizer(transfer_syntax_uid)
    tokenizer.feed(memoryview(dataset))
    return tokenizer.close()


def digested(dataset: bytes, transfer_syntax_uid: str = EXPLICIT, piece_bytes: int = 1 << 17) -> Digested:
    """The digests of a data set that comes in pieces."""
    digester = Digester(transfer_syntax_uid)
    for start in range(0, len(dataset), piece_bytes):
        digester.feed(memoryview(dataset)[start : start + piece_bytes])
    return digester.close()


def dataset_of(path: Path) -> tuple[str, bytes]:
    """Transfer syntax UID and data set bytes of a file."""
    content = path.read_bytes()
    meta = read_meta(content)
    return meta.transfer_syntax_uid, content[meta.dataset_offset :]


def read_by_pydicom(dataset: bytes, transfer_syntax_uid: str = EXPLICIT) -> Dataset:
    """The independent parser's view."""
    if transfer_syntax_uid == DEFLATED:
        dataset = zlib.decompress(dataset, -15)
    return pydicom.dcmread(
        io.BytesIO(_with_meta(dataset, transfer_syntax_uid)),
        force=True,
    )


def _with_meta(dataset: bytes, transfer_syntax_uid: str) -> bytes:
    uid = EXPLICIT if transfer_syntax_uid == DEFLATED else transfer_syntax_uid
    value = uid.encode() + b"\0" * (len(uid) % 2)
    syntax = b"\x02\x00\x10\x00UI" + len(value).to_bytes(2, "little") + value
    length = b"\x02\x00\x00\x00UL\x04\x00" + len(syntax).to_bytes(4, "little")
    return bytes(128) + b"DICM" + length + syntax + dataset
