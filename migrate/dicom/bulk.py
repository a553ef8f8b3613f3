"""Which elements are bulk data and how long pixel data must be (PS3.3 C.7.6.3, PS3.5 section 8)."""

from __future__ import annotations

from typing import Final

from migrate.dicom.dictionary import is_private, vr_of
from migrate.dicom.element import Element
from migrate.dicom.walk import LONG_VRS, UNDEFINED, Head

FLOAT_PIXEL_DATA: Final = 0x7FE00008
DOUBLE_FLOAT_PIXEL_DATA: Final = 0x7FE00009
PIXEL_DATA: Final = 0x7FE00010
ENCAPSULATED_DOCUMENT: Final = 0x00420011
ENCAPSULATED_DOCUMENT_LENGTH: Final = 0x00420015

PIXEL_ELEMENTS: Final = frozenset({FLOAT_PIXEL_DATA, DOUBLE_FLOAT_PIXEL_DATA, PIXEL_DATA})
BULK_ELEMENTS: Final = PIXEL_ELEMENTS | frozenset(
    {
        ENCAPSULATED_DOCUMENT,
        0x54001010,  # Waveform Data
        0x56000020,  # Spectroscopy Data
        *(0x00281201 + colour for colour in range(4)),  # palette lookup tables
        *(0x00281221 + colour for colour in range(4)),  # segmented palette lookup tables
        *(0x60003000 + (plane << 16) for plane in range(0, 0x100, 2)),  # Overlay Data
        *(0x50003000 + (curve << 16) for curve in range(0, 0x100, 2)),  # Curve Data, retired
    }
)
"""Top level elements whose bytes are hashed as they pass and are not kept."""

LARGE_BYTES: Final = 1024 * 1024
"""A top level value of at least this size that is neither text nor a sequence is bulk as well."""

_BINARY: Final = (LONG_VRS - {"SQ", "UC", "UR", "UT"}) | {"AT", "FD", "FL", "SL", "SS", "UL", "US"}

_SAMPLES_PER_PIXEL: Final = 0x00280002
_PHOTOMETRIC_INTERPRETATION: Final = 0x00280004
_NUMBER_OF_FRAMES: Final = 0x00280008
_ROWS: Final = 0x00280010
_COLUMNS: Final = 0x00280011
_BITS_ALLOCATED: Final = 0x00280100


def is_bulk(head: Head) -> bool:
    """Whether a top level element is bulk data; the length decides only where the dictionary says binary.

    A large private value counts as binary whatever its VR, because implicit VR does not tell it.
    """
    if head.length == 0:
        return False
    if head.tag in BULK_ELEMENTS:
        return head.vr != "SQ"
    if head.length < LARGE_BYTES or head.length == UNDEFINED:
        return False
    return head.vr != "SQ" and (is_private(head.tag) or vr_of(head.tag) in _BINARY)


def _number(elements: dict[int, Element], tag: int, *, little: bool) -> int | None:
    element = elements.get(tag)
    if element is None or not element.value or len(element.value) < 2:
        return None
    return int.from_bytes(element.value[:2], "little" if little else "big")


def _frames(elements: dict[int, Element]) -> int | None:
    element = elements.get(_NUMBER_OF_FRAMES)
    text = (element.value or b"").strip(b" \0") if element else b""
    if not text:
        return 1
    return max(1, int(text)) if text.isdigit() and len(text) <= 12 else None


def expected_pixel_bytes(elements: dict[int, Element], *, little: bool) -> int | None:
    """How many bytes native pixel data must have, or None when the header does not say.

    Rows x Columns x Samples x Bits Allocated x Frames, in bits, rounded up to bytes. Chroma subsampled
    colour (YBR_FULL_422, PS3.3 C.7.6.3.1.2) has two samples a pixel.
    """
    rows, columns, bits = (_number(elements, tag, little=little) for tag in (_ROWS, _COLUMNS, _BITS_ALLOCATED))
    frames = _frames(elements)
    if not rows or not columns or not bits or frames is None:
        return None
    samples = _number(elements, _SAMPLES_PER_PIXEL, little=little) or 1
    photometric = elements.get(_PHOTOMETRIC_INTERPRETATION)
    if photometric and (photometric.value or b"").startswith((b"YBR_FULL_422", b"YBR_PARTIAL_422")):
        samples = 2
    return (rows * columns * samples * bits * frames + 7) // 8
