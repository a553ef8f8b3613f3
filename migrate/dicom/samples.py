"""Samples of pixel data in one form, whatever held them: stored bits, little endian, colour by pixel.

Needs numpy, which comes with the extra `pixels`; it is imported when samples are put in form.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from migrate.dicom.bulk import PIXEL_DATA
from migrate.dicom.header import Header

_SAMPLES_PER_PIXEL: Final = 0x00280002
_PHOTOMETRIC_INTERPRETATION: Final = 0x00280004
_PLANAR_CONFIGURATION: Final = 0x00280006
_NUMBER_OF_FRAMES: Final = 0x00280008
_ROWS: Final = 0x00280010
_COLUMNS: Final = 0x00280011
_BITS_ALLOCATED: Final = 0x00280100
_BITS_STORED: Final = 0x00280101
_HIGH_BIT: Final = 0x00280102
_PIXEL_REPRESENTATION: Final = 0x00280103

_ALLOCATED: Final = frozenset({8, 16, 32})
_SUBSAMPLED: Final = ("YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420")


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How samples are described (PS3.3 C.7.6.3). Sizes in pixels, widths of samples in bits."""

    rows: int
    columns: int
    samples: int
    frames: int
    allocated: int
    stored: int
    signed: bool
    planar: int
    photometric: str

    @property
    def frame_bytes(self) -> int:
        """Length of one native frame."""
        return self.rows * self.columns * self.samples * self.allocated // 8

    @property
    def options(self) -> dict[str, Any]:
        """The same in pydicom's words."""
        return {
            "rows": self.rows,
            "columns": self.columns,
            "samples_per_pixel": self.samples,
            "number_of_frames": self.frames,
            "bits_allocated": self.allocated,
            "bits_stored": self.stored,
            "pixel_representation": int(self.signed),
            "photometric_interpretation": self.photometric,
            "planar_configuration": self.planar,
            "pixel_keyword": "PixelData",
            "pixel_vr": "OB",
        }


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: samples of `allocated` bits in little endian; `planar` 1 has one colour after the other."""

    content: bytes
    allocated: int
    planar: int


class Doubtful(ValueError):
    """The samples cannot be told without doubt."""


def layout_of(header: Header) -> Layout | None:
    """The layout that a header gives; None where it is incomplete, or of a kind that is not put in form.

    Not put in form: samples of less than a byte, subsampled colour, stored bits that do not begin at bit 0.
    """
    rows, columns, allocated, stored, high = (
        header.number(tag) for tag in (_ROWS, _COLUMNS, _BITS_ALLOCATED, _BITS_STORED, _HIGH_BIT)
    )
    frames = (header.lenient_text(_NUMBER_OF_FRAMES) or "1").strip()
    photometric = (header.lenient_text(_PHOTOMETRIC_INTERPRETATION) or "").strip()
    if not rows or not columns or not stored or allocated not in _ALLOCATED or not frames.isdigit():
        return None
    if stored > allocated or high != stored - 1 or photometric in _SUBSAMPLED or not photometric:
        return None
    samples = header.number(_SAMPLES_PER_PIXEL) or 1
    return Layout(
        rows=rows,
        columns=columns,
        samples=samples,
        frames=max(1, int(frames)),
        allocated=allocated,
        stored=stored,
        signed=header.number(_PIXEL_REPRESENTATION) == 1,
        planar=(header.number(_PLANAR_CONFIGURATION) or 0) if samples > 1 else 0,
        photometric=photometric,
    )


def native_frames(file: BinaryIO, header: Header, layout: Layout) -> Iterator[Frame]:
    """Frames of native pixel data; the file stands where the value begins.

    Raises:
        Doubtful: Words of a big endian object do not fit its samples or frames, or the value is too short.
    """
    element = header.elements[PIXEL_DATA]
    if element.length < layout.frame_bytes * layout.frames:
        raise Doubtful
    turned = not header.little_endian and element.vr == "OW"
    if turned and (layout.allocated > 16 or layout.frame_bytes & 1):
        raise Doubtful
    for _ in range(layout.frames):
        content = file.read(layout.frame_bytes)
        if turned:
            swapped = bytearray(content)
            swapped[::2], swapped[1::2] = content[1::2], content[::2]
            content = bytes(swapped)
        yield Frame(content, layout.allocated, layout.planar)


def canonical_samples(frame: Frame, layout: Layout) -> bytes:
    """The stored bits of each sample in 1, 2 or 4 bytes, colour by pixel, row by row.

    Raises:
        Doubtful: The frame has another length, or bits that are not stored hold something: a transcoding may
            drop those, so equal samples would not prove that nothing was lost.
    """
    import numpy as np  # noqa: PLC0415 - an extra, and slow to import

    values = np.frombuffer(frame.content, dtype=f"<u{frame.allocated // 8}")
    pixels = layout.rows * layout.columns
    if values.size != pixels * layout.samples or frame.allocated < layout.stored:
        raise Doubtful
    if frame.planar == 1 and layout.samples > 1:
        values = values.reshape(layout.samples, pixels).T
    stored = values & values.dtype.type((1 << layout.stored) - 1)
    rest = values >> values.dtype.type(layout.stored) if layout.stored < frame.allocated else np.zeros_like(values)
    negative = (stored >> values.dtype.type(layout.stored - 1)).astype(bool) if layout.signed else False
    extended = values.dtype.type((1 << (frame.allocated - layout.stored)) - 1)
    if not bool(np.all((rest == 0) | (negative & (rest == extended)))):
        raise Doubtful
    width = 1 if layout.stored <= 8 else 2 if layout.stored <= 16 else 4
    return bytes(stored.astype(f"<u{width}").tobytes())
