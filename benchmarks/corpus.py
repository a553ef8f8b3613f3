"""Objects to measure with: CT, MR, compressed and one large multi-frame, made here, no patient in them.

One object of each kind is written with pydicom; the others are the same bytes with other UIDs of
the same length patched in, so that 100,000 objects take seconds, not hours.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
ULTRASOUND_MULTI_FRAME = "1.2.840.10008.5.1.4.1.1.3.1"
HEAD_BYTES = 2048
ROOT = "1.2.826.0.1.3680043.8.498.77"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of study."""

    name: str
    sop_class_uid: str
    modality: str
    rows: int
    columns: int
    frames: int
    compressed: bool
    per_study: int


KINDS = {
    "ct": Kind("ct", CT_IMAGE, "CT", 512, 512, 1, compressed=False, per_study=100),
    "mr": Kind("mr", MR_IMAGE, "MR", 256, 256, 1, compressed=False, per_study=300),
    "j2k": Kind("j2k", CT_IMAGE, "CT", 512, 512, 1, compressed=True, per_study=100),
    "us": Kind("us", ULTRASOUND_MULTI_FRAME, "US", 512, 512, 200, compressed=False, per_study=1),
    "tiny": Kind("tiny", MR_IMAGE, "MR", 16, 16, 1, compressed=False, per_study=100),
}


def _uid(kind: str, study: int, level: int, number: int) -> str:
    code = sum(ord(letter) for letter in kind)
    return f"{ROOT}.1{code:04d}.1{study:07d}.{level}.1{number:07d}"


def template(kind: Kind) -> bytes:
    """One object of the kind as a file, with placeholder UIDs of the final length."""
    rng = random.Random(kind.name)  # noqa: S311 - reproducible noise, no secret
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = kind.sop_class_uid, _uid(kind.name, 0, 3, 0)
    ds.StudyDate, ds.StudyTime, ds.Modality = "20200101", "120000", kind.modality
    ds.AccessionNumber, ds.InstitutionName, ds.Manufacturer = "BENCH0000001", "BENCH GENERAL", "cdi-migrate"
    ds.StudyDescription, ds.SeriesDescription = "Synthetic benchmark study", "Synthetic series"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "Bench^Synthetic", "BENCH00001", "19700101", "O"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = _uid(kind.name, 0, 1, 0), _uid(kind.name, 0, 2, 0)
    ds.FrameOfReferenceUID, ds.StudyID, ds.SeriesNumber, ds.InstanceNumber = f"{ROOT}.9", "1", "1", "1"
    ds.ImagePositionPatient, ds.ImageOrientationPatient = ["0", "0", "0"], ["1", "0", "0", "0", "1", "0"]
    ds.SliceThickness, ds.PixelSpacing, ds.ImageType = "1.25", ["0.5", "0.5"], ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.WindowCenter, ds.WindowWidth, ds.RescaleIntercept, ds.RescaleSlope = "40", "400", "-1024", "1"
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit = kind.rows, kind.columns, 16, 12, 11
    if kind.frames > 1:
        ds.NumberOfFrames = kind.frames
    for number in range(40):
        ds.private_block(0x0019, "CDI BENCH 1", create=True).add_new(number, "LO", f"private value {number:04d}")
    pixels = rng.randbytes(kind.rows * kind.columns * 2) * kind.frames
    # The bytes of a "compressed" object are noise of the right size: nothing here decodes them.
    ds.PixelData = encapsulate([pixels[: len(pixels) // 3 & ~1]]) if kind.compressed else pixels
    ds["PixelData"].VR = "OB" if kind.compressed else "OW"
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = JPEG2000Lossless if kind.compressed else ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.file_meta = meta
    out = BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def objects(kind: Kind, studies: int, per_study: int | None = None, first: int = 1) -> Iterator[bytes]:
    """Files of `studies` studies, one after the other."""
    original = template(kind)
    # The last pixels differ in each: two objects of one study are never the same picture.
    cut = len(original) - (12 if kind.compressed else 4)
    head, pixels, tail = original[:HEAD_BYTES], original[HEAD_BYTES:cut], original[cut + 4 :]
    for study in range(first, first + studies):
        of_study = _patched(head, kind, study)
        for number in range(1, (per_study or kind.per_study) + 1):
            old, new = _uid(kind.name, 0, 3, 0), _uid(kind.name, study, 3, number)
            yield of_study.replace(old.encode(), new.encode()) + pixels + number.to_bytes(4, "little") + tail


def _patched(head: bytes, kind: Kind, study: int) -> bytes:
    for level in (1, 2):
        head = head.replace(_uid(kind.name, 0, level, 0).encode(), _uid(kind.name, study, level, 0).encode())
    return head


@dataclass(frozen=True, slots=True)
class Listed:
    """One object as a crawl lists it."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str


def listing(kind: Kind, studies: int, per_study: int | None = None, first: int = 1) -> Iterator[Listed]:
    """What `objects` with the same arguments makes, without making it."""
    for study in range(first, first + studies):
        of_study, of_series = _uid(kind.name, study, 1, 0), _uid(kind.name, study, 2, 0)
        for number in range(1, (per_study or kind.per_study) + 1):
            yield Listed(of_study, of_series, _uid(kind.name, study, 3, number), kind.sop_class_uid)


def write(folder: Path, kind: str, studies: int, per_study: int | None = None) -> list[Path]:
    """Write them as files; returns the paths in order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, content in enumerate(objects(KINDS[kind], studies, per_study)):
        path = folder / f"{kind}{number:07d}.dcm"
        path.write_bytes(content)
        paths.append(path)
    return paths
