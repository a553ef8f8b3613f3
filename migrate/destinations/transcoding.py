"""A destination that compresses pixels anew without loss: proven by decoded pixels, and which tags may follow."""

from __future__ import annotations

from typing import Final

from migrate.dicom.bulk import PIXEL_DATA
from migrate.dicom.decoding import PixelReader
from migrate.dicom.dictionary import tag_path
from migrate.dicom.header import Header
from migrate.dicom.syntax import syntax_of
from migrate.staging.filing import SpooledArrival
from migrate.staging.intake import Arrival

PIXELS: Final = tag_path(PIXEL_DATA)
_PHOTOMETRIC_INTERPRETATION: Final = 0x00280004
_PLANAR_CONFIGURATION: Final = 0x00280006
_DERIVATION_DESCRIPTION: Final = 0x00082111
_SAME_COLOURS: Final = frozenset({"RGB", "YBR_RCT"})  # PS3.3 C.7.6.3.1.2: RCT is RGB, reversibly


def may_be_transcoded(arrival: Arrival, sent_syntax_uid: str) -> bool:
    """Whether other pixel bytes can be the same pixels: no side is lossy, and at least one is compressed."""
    if not isinstance(arrival, SpooledArrival) or PIXEL_DATA not in arrival.digested.header.bulk_xxh3:
        return False
    sent, came = syntax_of(sent_syntax_uid), syntax_of(arrival.transfer_syntax_uid)
    return not sent.lossy and not came.lossy and (sent.encapsulated or came.encapsulated)


def pixels_of(arrival: Arrival, reader: PixelReader) -> str | None:
    """The pixels digest of what came back; None where it cannot be decoded without doubt."""
    if not isinstance(arrival, SpooledArrival):
        return None
    return reader.digest(arrival.path, 0, arrival.transfer_syntax_uid)


def follows_from_transcoding(path: str, sent: Header, came: Header) -> bool:
    """Whether a tag may differ because the same pixels are in another syntax (PS3.5 8.2, PS3.3 C.7.6.3)."""
    if path in {PIXELS, tag_path(_PLANAR_CONFIGURATION)}:
        return True
    if path == tag_path(_PHOTOMETRIC_INTERPRETATION):
        names = {(side.lenient_text(_PHOTOMETRIC_INTERPRETATION) or "").strip() for side in (sent, came)}
        return names <= _SAME_COLOURS
    if path == tag_path(_DERIVATION_DESCRIPTION):
        before, after = (side.lenient_text(_DERIVATION_DESCRIPTION) or "" for side in (sent, came))
        return before.strip() in after  # it may add what it did, and may not drop what was there
    return False
