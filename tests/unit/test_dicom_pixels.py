"""The digest of decoded pixels: the same after a lossless transcoding, another one after any other change."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.uid import UID, ExplicitVRLittleEndian, HTJ2KLossless, JPEG2000Lossless, JPEGLSLossless

from migrate.dicom.decoding import PixelReader
from migrate.dicom.digest import digest_file
from migrate.dicom.part10 import MetaFields, preamble_and_meta, read_meta
from migrate.dicom.pixels import CODECS, PLUGINS, pixels_digest, require_codecs
from tests.dicom_kit import BIG, EXPLICIT, IMPLICIT, encode, image

ENCODERS = {JPEG2000Lossless: "pylibjpeg", JPEGLSLossless: "pyjpegls"}
DCMTK_ENCODERS = ("dcmcjpeg +e1", "dcmcjpeg +el +sv 6", "dcmcjpls", "dcmcrle")


def gray(bits: int = 12, *, signed: bool = False, frames: int = 2, **changes: object) -> Dataset:
    """A picture with every kind of value that fits; negative ones are extended to 16 bits."""
    count = 64 * 48 * frames
    top = 1 << bits
    values = [(n * 2654435761 >> 7) % top for n in range(count)]
    if signed:
        values = [value - top // 2 for value in values]
    ds = image(
        Rows=48,
        Columns=64,
        NumberOfFrames=frames,
        BitsAllocated=16,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=int(signed),
        PixelData=b"".join(value.to_bytes(2, "little", signed=signed) for value in values),
    )
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    return ds


def colour(planar: int = 0) -> Dataset:
    """RGB, colour by pixel or by plane."""
    pixels = [bytes(((x * 5) & 255, (x * 7 + 3) & 255, (x * 11 + 9) & 255)) for x in range(48 * 64)]
    by_pixel = b"".join(pixels)
    return image(
        Rows=48,
        Columns=64,
        SamplesPerPixel=3,
        PhotometricInterpretation="RGB",
        PlanarConfiguration=planar,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelData=by_pixel if planar == 0 else by_pixel[0::3] + by_pixel[1::3] + by_pixel[2::3],
    )


PICTURES: dict[str, Callable[[], Dataset]] = {
    "twelve bits": gray,
    "sixteen bits": lambda: gray(16),
    "eight of sixteen bits": lambda: gray(8),
    "signed": lambda: gray(12, signed=True),
    "signed whole words": lambda: gray(16, signed=True),
    "colour by pixel": colour,
    "colour by plane": lambda: colour(1),
}


def written(ds: Dataset, uid: str, path: Path) -> Path:
    """A file of a data set, whatever encapsulates its pixels."""
    if ds["PixelData"].is_undefined_length:
        ds["PixelData"].VR = "OB"
    fields = MetaFields(sop_class_uid=ds.SOPClassUID, sop_instance_uid=ds.SOPInstanceUID, transfer_syntax_uid=uid)
    path.write_bytes(preamble_and_meta(fields) + encode(ds, uid))
    return path


def digest(path: Path) -> str | None:
    with path.open("rb") as file:
        meta = read_meta(file.fileno())
        header = digest_file(file, meta.dataset_offset, meta.transfer_syntax_uid).header
        return pixels_digest(file, meta.dataset_offset, header)


def compressed(ds: Dataset, uid: UID, path: Path) -> Path:
    native = dcmread(written(ds, EXPLICIT, path))
    native.compress(uid, encoding_plugin=ENCODERS[uid], generate_instance_uid=False)
    native.save_as(path)
    return path


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize("uid", ENCODERS, ids=lambda uid: uid.keyword)
def test_compressed_pixels_have_the_digest_of_native_ones(
    uid: UID, picture: Callable[[], Dataset], tmp_path: Path
) -> None:
    before = digest(written(picture(), EXPLICIT, tmp_path / "native.dcm"))
    assert before is not None
    assert digest(compressed(picture(), uid, tmp_path / "compressed.dcm")) == before


@pytest.mark.dcmtk
@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
@pytest.mark.parametrize("encoder", DCMTK_ENCODERS)
def test_what_dcmtk_compresses_without_loss_has_the_same_digest(
    encoder: str, picture: Callable[[], Dataset], dcmtk: Callable[..., str], tmp_path: Path
) -> None:
    native, after = written(picture(), EXPLICIT, tmp_path / "native.dcm"), tmp_path / "after.dcm"
    dcmtk(*encoder.split(), native, after)
    assert read_meta(after.read_bytes()).transfer_syntax_uid in PLUGINS
    assert digest(after) == digest(native) is not None


@pytest.mark.parametrize("uid", [IMPLICIT, BIG])
@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_native_pixels_have_one_digest_in_every_encoding(
    uid: str, picture: Callable[[], Dataset], tmp_path: Path
) -> None:
    paths = written(picture(), EXPLICIT, tmp_path / "one.dcm"), written(picture(), uid, tmp_path / "two.dcm")
    assert digest(paths[0]) == digest(paths[1]) is not None


def test_colour_by_plane_is_colour_by_pixel(tmp_path: Path) -> None:
    one, other = (written(colour(planar), EXPLICIT, tmp_path / f"{planar}.dcm") for planar in (0, 1))
    assert digest(one) == digest(other) is not None


def in_fragments(frames: list[bytes], way: str, ds: Dataset) -> None:
    """The same frames behind another offset table, or in more fragments."""
    if way == "extended offset table":
        ds.PixelData, ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = encapsulate_extended(frames)
    else:
        count = 2 if way == "two fragments a frame" else 1
        ds.PixelData = encapsulate(frames, fragments_per_frame=count, has_bot=way != "no offset table")


@pytest.mark.parametrize("way", ["offset table", "no offset table", "two fragments a frame", "extended offset table"])
@pytest.mark.parametrize("uid", [JPEGLSLossless, JPEG2000Lossless], ids=lambda uid: uid.keyword)
def test_the_framing_of_compressed_pixels_does_not_count(uid: UID, way: str, tmp_path: Path) -> None:
    ds = dcmread(compressed(gray(), uid, tmp_path / "one.dcm"))
    in_fragments(list(generate_frames(ds.PixelData, number_of_frames=2)), way, ds)
    ds["PixelData"].is_undefined_length = True
    ds.save_as(tmp_path / "two.dcm")
    assert digest(tmp_path / "two.dcm") == digest(tmp_path / "one.dcm") is not None


@pytest.mark.parametrize("position", [0, 1, 4095, 64 * 48 * 2 - 1])
def test_one_changed_bit_of_one_sample_is_another_digest_through_every_codec(position: int, tmp_path: Path) -> None:
    changed = gray()
    content = bytearray(changed.PixelData)
    content[2 * position] ^= 1
    changed.PixelData = bytes(content)
    before = digest(written(gray(), EXPLICIT, tmp_path / "before.dcm"))
    found = {digest(compressed(changed, uid, tmp_path / "after.dcm")) for uid in ENCODERS}
    assert len(found) == 1
    assert before not in found


def test_an_overlay_counts_as_well(tmp_path: Path) -> None:
    other = gray()
    other[0x6000, 0x3000].value = b"\x01\0\0\0\0\0"
    assert digest(written(gray(), EXPLICIT, tmp_path / "a")) != digest(written(other, EXPLICIT, tmp_path / "b"))


def with_an_overlay_in_the_pixels() -> Dataset:
    ds = gray()
    content = bytearray(ds.PixelData)
    content[1] |= 0x80
    ds.PixelData = bytes(content)
    return ds


def lossy() -> Dataset:
    ds = gray()
    ds.PixelData = encapsulate([b"\xff\xd8\xff\xd9"] * 2)
    ds["PixelData"].is_undefined_length = True
    return ds


NOT_PROVEN: dict[str, tuple[Callable[[], Dataset], str]] = {
    "bits that are not stored hold something": (with_an_overlay_in_the_pixels, EXPLICIT),
    "stored bits that begin higher up": (lambda: gray(HighBit=14), EXPLICIT),
    "one bit a sample": (lambda: image(BitsAllocated=1, BitsStored=1, HighBit=0, PixelData=bytes(6)), EXPLICIT),
    "subsampled colour": (lambda: image(PhotometricInterpretation="YBR_FULL_422", PixelData=bytes(140)), EXPLICIT),
    "lossy": (lossy, "1.2.840.10008.1.2.4.50"),
    "no frame that the codec knows": (lossy, "1.2.840.10008.1.2.4.80"),
}


@pytest.mark.parametrize(("made", "uid"), NOT_PROVEN.values(), ids=NOT_PROVEN)
def test_what_cannot_be_told_without_doubt_has_no_digest(made: Callable[[], Dataset], uid: str, tmp_path: Path) -> None:
    assert digest(written(made(), uid, tmp_path / "one.dcm")) is None


def test_an_object_without_pixels_has_no_digest(tmp_path: Path) -> None:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2", "1.3"
    path = tmp_path / "one.dcm"
    fields = MetaFields(sop_class_uid="1.2", sop_instance_uid="1.3", transfer_syntax_uid=EXPLICIT)
    path.write_bytes(preamble_and_meta(fields) + encode(ds))
    assert digest(path) is None


def asked(reader: PixelReader, path: Path) -> str | None:
    meta = read_meta(path.read_bytes())
    return reader.digest(path, meta.dataset_offset, meta.transfer_syntax_uid)


def test_a_child_says_the_same_object_after_object(tmp_path: Path) -> None:
    reader = PixelReader()
    paths = [
        written(gray(), EXPLICIT, tmp_path / "one.dcm"),
        written(lossy(), JPEGLSLossless, tmp_path / "broken.dcm"),
        compressed(colour(), JPEGLSLossless, tmp_path / "two.dcm"),
    ]
    try:
        assert [asked(reader, path) for path in paths] == [digest(path) for path in paths]
    finally:
        reader.close()


CHILDREN = {
    "dies": "import os; input(); os.abort()",
    "hangs": "import time; input(); time.sleep(60)",
    "is not there": "raise SystemExit",
}


@pytest.mark.parametrize("script", CHILDREN.values(), ids=CHILDREN)
def test_a_codec_that_takes_its_process_along_proves_nothing_and_harms_nobody(script: str, tmp_path: Path) -> None:
    reader = PixelReader((sys.executable, "-c", script), least_time_s=0.5)
    path = written(gray(), EXPLICIT, tmp_path / "one.dcm")
    assert [asked(reader, path), asked(reader, path)] == [None, None]
    reader.close()


def test_every_codec_of_the_extra_is_installed_here_and_each_syntax_has_one() -> None:
    require_codecs()
    assert set(CODECS) >= {"numpy", "gdcm"}
    assert set(ENCODERS) | {HTJ2KLossless} <= set(PLUGINS)
    assert ExplicitVRLittleEndian not in PLUGINS
