"""The `pixels` digest: bulk data with decoded samples in the place of compressed ones.

It is the same on both sides of a lossless transcoding (`manifests/DIGESTS.md` defines it). Lossy pixels have none:
what a decoder makes of them depends on the decoder, so only their bytes are evidence. Codecs come from pydicom's
plugins (the extra `pixels`) and are loaded when something is decoded.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import BinaryIO, Final

from migrate.dicom.bulk import PIXEL_DATA
from migrate.dicom.digest import Xxh3, combined_bulk
from migrate.dicom.header import Header
from migrate.dicom.samples import Frame, Layout, canonical_samples, layout_of, native_frames
from migrate.errors import ConfigError

CODECS: Final = ("numpy", "gdcm", "jpeg_ls", "openjpeg", "rle")
"""Modules that the extra `pixels` brings."""

PLUGINS: Final = {  # one for each syntax, so that a digest does not depend on what else is installed
    "1.2.840.10008.1.2.4.57": "gdcm",
    "1.2.840.10008.1.2.4.70": "gdcm",
    "1.2.840.10008.1.2.4.80": "pyjpegls",
    "1.2.840.10008.1.2.4.90": "pylibjpeg",
    "1.2.840.10008.1.2.4.201": "pylibjpeg",
    "1.2.840.10008.1.2.4.202": "pylibjpeg",
    "1.2.840.10008.1.2.5": "pylibjpeg",
}
"""Lossless syntaxes that are decoded, and by what; native ones are read as they are."""

READ_BACK_SYNTAXES: Final = ("1.2.840.10008.1.2.1", *PLUGINS)
"""What a destination that transcodes may give back."""

_EXTENDED_OFFSETS: Final = 0x7FE00001
_EXTENDED_LENGTHS: Final = 0x7FE00002


def require_codecs() -> None:
    """Say which codecs are missing before anything moves.

    Raises:
        ConfigError: The extra `pixels` is not installed.
    """
    missing = [name for name in CODECS if importlib.util.find_spec(name) is None]
    if missing:
        hint = "pip install 'cdi-migrate[pixels]', or leave destination.transcodes out"
        raise ConfigError("the codecs for the digest of decoded pixels are not installed", hint, missing=missing)


def pixels_digest(file: BinaryIO, dataset_offset: int, header: Header) -> str | None:
    """The `pixels` digest of one object; None without pixels, or where they cannot be decoded without doubt.

    Args:
        file: Open for reading, the whole object in it.
        dataset_offset: Where its data set begins.
        header: From a `Digester` that was fed this data set.

    Raises:
        OSError: The file cannot be read.
    """
    layout = layout_of(header)
    if layout is None or PIXEL_DATA not in header.bulk_xxh3 or header.syntax.deflated:
        return None
    file.seek(dataset_offset + header.elements[PIXEL_DATA].value_offset)
    state = Xxh3()
    try:
        for frame in _frames(file, header, layout):
            state.update(canonical_samples(frame, layout))
    except OSError:
        raise
    except Exception:  # noqa: BLE001 - codecs raise whatever they like; what cannot be decoded proves nothing
        return None
    return combined_bulk(header, {PIXEL_DATA: state.hexdigest()})


def _frames(file: BinaryIO, header: Header, layout: Layout) -> Iterator[Frame]:
    """Decoded frames, one in memory at a time."""
    if header.elements[PIXEL_DATA].undefined:
        return _decoded(file, header, layout)
    return native_frames(file, header, layout)


def _decoded(file: BinaryIO, header: Header, layout: Layout) -> Iterator[Frame]:
    """Frames out of fragments, as the codec gives them: no correction of bits that are not used."""
    from pydicom.pixels.decoders.base import get_decoder  # noqa: PLC0415 - slow to import, and most runs decode nothing
    from pydicom.uid import UID  # noqa: PLC0415 - as above

    decoder, plugin = get_decoder(UID(header.transfer_syntax_uid)), PLUGINS[header.transfer_syntax_uid]
    options = layout.options | _extended_offsets(header)
    for frame, found in decoder.iter_buffer(file, raw=True, decoding_plugin=plugin, **options):
        yield Frame(bytes(frame), int(found["bits_allocated"]), int(found.get("planar_configuration", 0)))


def _extended_offsets(header: Header) -> dict[str, tuple[bytes, bytes]]:
    """The Extended Offset Table (PS3.5 A.4), where there is one."""
    offsets, lengths = header.raw(_EXTENDED_OFFSETS), header.raw(_EXTENDED_LENGTHS)
    return {"extended_offsets": (offsets, lengths)} if offsets and lengths else {}
