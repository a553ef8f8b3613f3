"""Character sets (PS3.3 C.12.1.1.2, PS3.5 6.1): strict decoding and encoding.

Ours because pydicom replaces what it cannot decode and leaves escape sequences of ISO 2022 IR 58 in the text,
while a migration must know whether a text can be read at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

_ESCAPE: Final = 0x1B

# Defined terms without and with code extensions, spaces and signs made equal: `ISO_IR 100` -> `ISO_IR_100`.
_CODECS: Final = {
    "": "ascii",
    "ISO_IR_6": "ascii",
    "ISO_IR_13": "shift_jis",
    "ISO_IR_100": "latin_1",
    "ISO_IR_101": "iso8859_2",
    "ISO_IR_109": "iso8859_3",
    "ISO_IR_110": "iso8859_4",
    "ISO_IR_126": "iso8859_7",
    "ISO_IR_127": "iso8859_6",
    "ISO_IR_138": "iso8859_8",
    "ISO_IR_144": "iso8859_5",
    "ISO_IR_148": "iso8859_9",
    "ISO_IR_166": "iso8859_11",
    "ISO_IR_192": "utf_8",
    "ISO_IR_203": "iso8859_15",
    "GB18030": "gb18030",
    "GBK": "gbk",
    "ISO_2022_IR_58": "gb2312",
    "ISO_2022_IR_149": "euc_kr",
    "ISO_2022_IR_87": "iso2022_jp",
    "ISO_2022_IR_159": "iso2022_jp_1",
}

# Escape sequences (PS3.3 Tables C.12-3 and C.12-4): what they put into G0 (a codec that wants the escape itself
# in front of the bytes) or into G1 (a codec that reads ASCII and the upper half).
_G0: Final = {b"$B": "iso2022_jp", b"$(D": "iso2022_jp_1", b"(B": "", b"(J": ""}
_G1: Final = {
    b")I": "shift_jis",
    b"-A": "latin_1",
    b"-B": "iso8859_2",
    b"-C": "iso8859_3",
    b"-D": "iso8859_4",
    b"-F": "iso8859_7",
    b"-G": "iso8859_6",
    b"-H": "iso8859_8",
    b"-L": "iso8859_5",
    b"-M": "iso8859_9",
    b"-T": "iso8859_11",
    b"-b": "iso8859_15",
    b"$)C": "euc_kr",
    b"$)A": "gb2312",
}
_ESCAPES: Final = re.compile(rb"\x1b(\$\(D|\$\)[AC]|\$B|\([BJ]|\)I|-[A-DF-HLMTb])")
_G1_ESCAPE: Final = {codec: b"\x1b" + escape for escape, codec in _G1.items()}
_G0_CODECS: Final = frozenset({"iso2022_jp", "iso2022_jp_1"})


class UnknownCharset(ValueError):
    """A defined term that the Standard does not have."""


def charset_terms(value: bytes | None) -> tuple[str, ...]:
    """The defined terms of a Specific Character Set value, first one first; `("",)` for none."""
    text = (value or b"").decode("ascii", "replace")
    return tuple(term.strip(" \0") for term in text.split("\\"))


@lru_cache(maxsize=256)
def codec_of(term: str) -> str:
    """The Python codec of a defined term, tolerant of its spelling (`ISO-IR 192`, `ISO 2022 IR_6`).

    Raises:
        UnknownCharset: No such term.
    """
    name = re.sub(r"[ _-]+", "_", term.strip().upper())
    codec = _CODECS.get(name) or _CODECS.get(name.replace("ISO_2022_IR", "ISO_IR"))
    if codec is None:
        raise UnknownCharset("unknown character set")
    return codec


def decode(value: bytes, terms: Sequence[str]) -> str:
    """Decode text strictly; delimiters are left in place.

    Args:
        value: The bytes of the whole value field.
        terms: The effective Specific Character Set, see `charset_terms`.

    Raises:
        UnicodeDecodeError: The bytes are not text in this character set.
        UnknownCharset: The set is not defined.
    """
    codec = codec_of(terms[0])
    if _ESCAPE not in value:
        return value.decode("ascii" if codec in _G0_CODECS else codec)
    return "".join(_runs(value, "ascii" if codec in _G0_CODECS else codec))


def _runs(value: bytes, codec: str) -> list[str]:
    """Decode between the escapes. G1 stays as set until the next escape, which forgives a missing one."""
    text: list[str] = []
    g0 = b""
    start = 0
    for escape in _ESCAPES.finditer(value):
        text.append(_run(value[start : escape.start()], g0, codec))
        start = escape.end()
        if escape[1] in _G1:
            codec = _G1[escape[1]]
        else:
            g0 = escape[0] if _G0[escape[1]] else b""
    text.append(_run(value[start:], g0, codec))
    return text


def _run(piece: bytes, g0: bytes, codec: str) -> str:
    if _ESCAPE in piece:
        raise UnicodeDecodeError(codec, piece, 0, 1, "unknown escape sequence")
    return (g0 + piece).decode(_G0[g0[1:]]) if g0 else piece.decode(codec)


def encode(text: str, terms: Sequence[str]) -> bytes:
    """Encode text, escaping into the further sets of ISO 2022 where the first cannot hold it.

    Raises:
        UnicodeEncodeError: No declared set holds all of the text.
        UnknownCharset: A set is not defined.
    """
    if text.isascii():
        return text.encode("ascii")
    codec = codec_of(terms[0])
    if len(terms) == 1 or codec in {"utf_8", "gb18030", "gbk"}:
        return text.encode(codec)
    return b"".join(_extended(part, terms) for part in re.split(r"([\\^=\r\n\f\t])", text))


def _extended(part: str, terms: Sequence[str]) -> bytes:
    """One component: code extensions end at every delimiter (PS3.5 6.1.2.5.3)."""
    failure: UnicodeEncodeError | None = None
    for position, codec in enumerate(codec_of(term) for term in terms):
        try:
            encoded = _in_codec(part, codec)
        except UnicodeEncodeError as error:
            failure = failure or error
            continue
        escaped = part.isascii() or codec in _G0_CODECS or position == 0
        return encoded if escaped else _G1_ESCAPE.get(codec, b"") + encoded
    assert failure is not None
    raise failure


def _in_codec(part: str, codec: str) -> bytes:
    """Encode in one set, without what Python's codec has beyond it: kanji in ISO_IR 13, ESC ( J in ISO_IR 87."""
    encoded = part.encode(codec)
    if (codec == "shift_jis" and len(encoded) != len(part)) or b"\x1b(J" in encoded:
        raise UnicodeEncodeError(codec, part, 0, len(part), "not in the character set")
    return encoded
