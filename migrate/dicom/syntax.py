"""Transfer syntaxes: how a data set is encoded and whether its pixels lost anything (PS3.5 section 10, PS3.6 A).

The table is ours because libraries raise on what old archives hold (private and future syntaxes) and take
the encapsulated uncompressed syntax for a compressed one.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """One transfer syntax.

    `encapsulated`: pixel data comes in fragments. `lossy`: the syntax may have lost detail (near-lossless,
    and the syntaxes that allow both, count as lossy). `known` is False for a UID that is not in the table.
    """

    uid: str
    name: str
    explicit: bool = True
    little_endian: bool = True
    deflated: bool = False
    encapsulated: bool = False
    lossy: bool = False
    known: bool = True


def _syntax(uid: str, name: str, **properties: bool) -> TransferSyntax:
    return TransferSyntax(uid, name, **properties)


IMPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1.99"
EXPLICIT_VR_BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"

# JPIP syntaxes (.94 .95 .204 .205) carry a URL instead of pixel data, hence not encapsulated.
# The GE private syntax was met in old archives; only its pixels are big endian.
_TABLE: Final = (
    _syntax("1.2.840.10008.1.2", "Implicit VR Little Endian", explicit=False),
    _syntax("1.2.840.10008.1.2.1", "Explicit VR Little Endian"),
    _syntax("1.2.840.10008.1.2.1.98", "Encapsulated Uncompressed Explicit VR Little Endian", encapsulated=True),
    _syntax("1.2.840.10008.1.2.1.99", "Deflated Explicit VR Little Endian", deflated=True),
    _syntax("1.2.840.10008.1.2.2", "Explicit VR Big Endian", little_endian=False),
    _syntax("1.2.840.10008.1.2.4.50", "JPEG Baseline (Process 1)", encapsulated=True, lossy=True),
    _syntax("1.2.840.10008.1.2.4.51", "JPEG Extended (Process 2 and 4)", encapsulated=True, lossy=True),
    _syntax("1.2.840.10008.1.2.4.52", "JPEG Extended (Process 3 and 5)", encapsulated=True, lossy=True),
    _syntax(
        "1.2.840.10008.1.2.4.53",
        "JPEG Spectral Selection, Non-Hierarchical (Process 6 and 8)",
        encapsulated=True,
        lossy=True,
    ),
    _syntax(
        "1.2.840.10008.1.2.4.54",
        "JPEG Spectral Selection, Non-Hierarchical (Process 7 and 9)",
        encapsulated=True,
        lossy=True,
    ),
    _syntax(
        "1.2.840.10008.1.2.4.55",
        "JPEG Full Progression, Non-Hierarchical (Process 10 and 12)",
        encapsulated=True,
        lossy=True,
    ),
    _syntax(
        "1.2.840.10008.1.2.4.56",
        "JPEG Full Progression, Non-Hierarchical (Process 11 and 13)",
        encapsulated=True,
        lossy=True,
    ),
    _syntax("1.2.840.10008.1.2.4.57", "JPEG Lossless, Non-Hierarchical (Process 14)", encapsulated=True),
    _syntax("1.2.840.10008.1.2.4.58", "JPEG Lossless, Non-Hierarchical (Process 15)", encapsulated=True),
    _syntax(
        "1.2.840.10008.1.2.4.59",
        "JPEG Extended, Hierarchical (Process 16 and 18)",
        encapsulated=True,
        lossy=True,
    ),
    _syntax(
        "1.2.840.10008.1.2.4.60",
        "JPEG Extended, Hierarchical (Process 17 and 19)",
        encapsulated=True,
        lossy=True,
    ),
    _syntax(
        "1.2.840.10008.1.2.4.61",
        "JPEG Spectral Selection, Hierarchical (Process 20 and 22)",
        encapsulated=True,
        lossy=True,
    ),
    _syntax(
        "1.2.840.10008.1.2.4.62",
        "JPEG Spectral Selection, Hierarchical (Process 21 and 23)",
        encapsulated=True,
        lossy=True,
    ),
    _syntax(
        "1.2.840.10008.1.2.4.63",
        "JPEG Full Progression, Hierarchical (Process 24 and 26)",
        encapsulated=True,
        lossy=True,
    ),
    _syntax(
        "1.2.840.10008.1.2.4.64",
        "JPEG Full Progression, Hierarchical (Process 25 and 27)",
        encapsulated=True,
        lossy=True,
    ),
    _syntax("1.2.840.10008.1.2.4.65", "JPEG Lossless, Hierarchical (Process 28)", encapsulated=True),
    _syntax("1.2.840.10008.1.2.4.66", "JPEG Lossless, Hierarchical (Process 29)", encapsulated=True),
    _syntax(
        "1.2.840.10008.1.2.4.70",
        "JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])",
        encapsulated=True,
    ),
    _syntax("1.2.840.10008.1.2.4.80", "JPEG-LS Lossless Image Compression", encapsulated=True),
    _syntax(
        "1.2.840.10008.1.2.4.81",
        "JPEG-LS Lossy (Near-Lossless) Image Compression",
        encapsulated=True,
        lossy=True,
    ),
    _syntax("1.2.840.10008.1.2.4.90", "JPEG 2000 Image Compression (Lossless Only)", encapsulated=True),
    _syntax("1.2.840.10008.1.2.4.91", "JPEG 2000 Image Compression", encapsulated=True, lossy=True),
    _syntax(
        "1.2.840.10008.1.2.4.92",
        "JPEG 2000 Part 2 Multi-component Image Compression (Lossless Only)",
        encapsulated=True,
    ),
    _syntax(
        "1.2.840.10008.1.2.4.93",
        "JPEG 2000 Part 2 Multi-component Image Compression",
        encapsulated=True,
        lossy=True,
    ),
    _syntax("1.2.840.10008.1.2.4.94", "JPIP Referenced"),
    _syntax("1.2.840.10008.1.2.4.95", "JPIP Referenced Deflate", deflated=True),
    _syntax("1.2.840.10008.1.2.4.100", "MPEG2 Main Profile / Main Level", encapsulated=True, lossy=True),
    _syntax(
        "1.2.840.10008.1.2.4.100.1",
        "Fragmentable MPEG2 Main Profile / Main Level",
        encapsulated=True,
        lossy=True,
    ),
    _syntax("1.2.840.10008.1.2.4.101", "MPEG2 Main Profile / High Level", encapsulated=True, lossy=True),
    _syntax(
        "1.2.840.10008.1.2.4.101.1",
        "Fragmentable MPEG2 Main Profile / High Level",
        encapsulated=True,
        lossy=True,
    ),
    _syntax("1.2.840.10008.1.2.4.102", "MPEG-4 AVC/H.264 High Profile / Level 4.1", encapsulated=True, lossy=True),
    _syntax(
        "1.2.840.10008.1.2.4.102.1",
        "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.1",
        encapsulated=True,
        lossy=True,
    ),
    _syntax(
        "1.2.840.10008.1.2.4.103",
        "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1",
        encapsulated=True,
        lossy=True,
    ),
    _syntax(
        "1.2.840.10008.1.2.4.103.1",
        "Fragmentable MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1",
        encapsulated=True,
        lossy=True,
    ),
    _syntax(
        "1.2.840.10008.1.2.4.104",
        "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video",
        encapsulated=True,
        lossy=True,
    ),
    _syntax(
        "1.2.840.10008.1.2.4.104.1",
        "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video",
        encapsulated=True,
        lossy=True,
    ),
    _syntax(
        "1.2.840.10008.1.2.4.105",
        "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video",
        encapsulated=True,
        lossy=True,
    ),
    _syntax(
        "1.2.840.10008.1.2.4.105.1",
        "Fragmentable MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video",
        encapsulated=True,
        lossy=True,
    ),
    _syntax(
        "1.2.840.10008.1.2.4.106",
        "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2",
        encapsulated=True,
        lossy=True,
    ),
    _syntax(
        "1.2.840.10008.1.2.4.106.1",
        "Fragmentable MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2",
        encapsulated=True,
        lossy=True,
    ),
    _syntax("1.2.840.10008.1.2.4.107", "HEVC/H.265 Main Profile / Level 5.1", encapsulated=True, lossy=True),
    _syntax("1.2.840.10008.1.2.4.108", "HEVC/H.265 Main 10 Profile / Level 5.1", encapsulated=True, lossy=True),
    _syntax("1.2.840.10008.1.2.4.110", "JPEG XL Lossless", encapsulated=True),
    _syntax("1.2.840.10008.1.2.4.111", "JPEG XL JPEG Recompression", encapsulated=True, lossy=True),
    _syntax("1.2.840.10008.1.2.4.112", "JPEG XL", encapsulated=True, lossy=True),
    _syntax(
        "1.2.840.10008.1.2.4.201",
        "High-Throughput JPEG 2000 Image Compression (Lossless Only)",
        encapsulated=True,
    ),
    _syntax(
        "1.2.840.10008.1.2.4.202",
        "High-Throughput JPEG 2000 with RPCL Options Image Compression (Lossless Only)",
        encapsulated=True,
    ),
    _syntax("1.2.840.10008.1.2.4.203", "High-Throughput JPEG 2000 Image Compression", encapsulated=True, lossy=True),
    _syntax("1.2.840.10008.1.2.4.204", "JPIP HTJ2K Referenced"),
    _syntax("1.2.840.10008.1.2.4.205", "JPIP HTJ2K Referenced Deflate", deflated=True),
    _syntax("1.2.840.10008.1.2.5", "RLE Lossless", encapsulated=True),
    _syntax("1.2.840.10008.1.2.6.1", "RFC 2557 MIME encapsulation"),
    _syntax("1.2.840.10008.1.2.6.2", "XML Encoding"),
    _syntax("1.2.840.10008.1.2.7.1", "SMPTE ST 2110-20 Uncompressed Progressive Active Video"),
    _syntax("1.2.840.10008.1.2.7.2", "SMPTE ST 2110-20 Uncompressed Interlaced Active Video"),
    _syntax("1.2.840.10008.1.2.7.3", "SMPTE ST 2110-30 PCM Digital Audio"),
    _syntax("1.2.840.10008.1.2.8.1", "Deflated Image Frame Compression", encapsulated=True),
    _syntax("1.2.840.10008.1.20", "Papyrus 3 Implicit VR Little Endian", explicit=False),
    _syntax("1.2.840.113619.5.2", "GE Private Implicit VR Little Endian with Big Endian Pixels", explicit=False),
)

SYNTAXES: Final = MappingProxyType({syntax.uid: syntax for syntax in _TABLE})

_LOSSLESS_FIRST: Final = (
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.92",
    "1.2.840.10008.1.2.4.110",
    "1.2.840.10008.1.2.4.111",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.4.202",
    "1.2.840.10008.1.2.5",
)
_NATIVE_LAST: Final = (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
)


def _preference() -> tuple[str, ...]:
    placed = {*_LOSSLESS_FIRST, *_NATIVE_LAST}
    encapsulated = [syntax for syntax in _TABLE if syntax.encapsulated and syntax.uid not in placed]
    rest_lossless = tuple(syntax.uid for syntax in encapsulated if not syntax.lossy)
    lossy = tuple(syntax.uid for syntax in encapsulated if syntax.lossy)
    return (*_LOSSLESS_FIRST, *rest_lossless, *lossy, *_NATIVE_LAST)


RECEIVE_PREFERENCE: Final = _preference()
"""What a receiver accepts, best first: lossless compressed, lossy originals, native, big endian, deflated.

A peer that offers several syntaxes in one context holds the compressed one and would decompress for the
others. Lossy syntaxes should be accepted only in a context that offers nothing else, so that no peer
compresses on export.
"""


def syntax_of(uid: str) -> TransferSyntax:
    """The syntax with this UID; an unknown one counts as explicit little endian, maybe with fragments.

    Every compressed syntax so far is explicit little endian (PS3.5 A.4), so a private or future one most
    likely is too; the parser finds out when it is not.
    """
    known = SYNTAXES.get(uid)
    return known or TransferSyntax(uid, "Unknown transfer syntax", encapsulated=True, known=False)
