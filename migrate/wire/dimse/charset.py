"""Bytes to text by Specific Character Set, strictly (PS3.3 C.12.1.1.2, PS3.5 6.1).

pydicom's tables say which Python codec and escape sequence belong to which term; its decoder is
not used because it replaces what it cannot decode with a warning, and we must know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

_ESC: Final = b"\x1b"
_ESCAPE: Final = re.compile(rb"\x1b[\x20-\x2f]+[\x30-\x7e]")
_USUAL: Final = {"ISO_IR 100": "latin_1", "ISO_IR 192": "utf_8"}
# These codecs want to see the escape sequence themselves.
_STATEFUL: Final = ("iso2022_jp", "iso2022_jp_2", "iso2022_jp_3", "iso2022_jp_1")
_HIGH_BYTES: Final = ("euc_kr", "iso_ir_58")
# Where code extensions end (PS3.5 6.1.2.5.3); `^` and `=` in person names only.
_DELIMITERS: Final = re.compile(rb"[\\\r\n\f\t]")
_NAME_DELIMITERS: Final = re.compile(rb"[\\\r\n\f\t^=]")
_LOOSE_TERM: Final = re.compile(r"ISO[ _-]?(2022)?[ _-]?IR[ _-]?(\d+)", re.IGNORECASE)


class Undecodable(ValueError):
    """Bytes that the declared character set does not explain."""


def decode_text(value: bytes, charset: bytes, *, is_name: bool = False) -> str:
    """`value` as text; `charset` is the raw value of (0008,0005).

    Raises:
        Undecodable: Some byte is not of the declared sets.
    """
    codecs = codecs_of(charset)
    try:
        if _ESC not in value:
            return value.decode(codecs[0])
        return "".join(_fragments(value, codecs[0], _NAME_DELIMITERS if is_name else _DELIMITERS))
    except (UnicodeDecodeError, LookupError):
        raise Undecodable from None


def replaced_text(value: bytes, charset: bytes) -> str:
    """`value` as text with U+FFFD for what cannot be decoded."""
    return value.decode(codecs_of(charset)[0], errors="replace")


@lru_cache(maxsize=64)
def codecs_of(charset: bytes) -> tuple[str, ...]:
    """The Python codecs for a Specific Character Set; ASCII where nothing is declared or known."""
    terms = charset.decode("latin-1").split("\\")
    return tuple(_codec(term.strip(" \0")) for term in terms)


def _codec(term: str) -> str:
    loose = _LOOSE_TERM.fullmatch(term)
    if loose is not None:
        # `ISO_IR_100`, `ISO-IR 100`, `ISO IR 100` are met in old archives.
        term = f"ISO 2022 IR {loose[2]}" if loose[1] else f"ISO_IR {loose[2]}"
    if term.upper() in ("UTF-8", "UTF8"):
        term = "ISO_IR 192"
    if term in ("", "ISO_IR 6", "ISO 2022 IR 6"):
        return "ascii"  # pydicom takes Latin-1, which decodes anything to something
    return _USUAL.get(term) or _python_encoding().get(term, "ascii")


def _python_encoding() -> Mapping[str, str]:
    from pydicom.charset import python_encoding  # noqa: PLC0415 - slow to import, and most archives have the usual ones

    return python_encoding


def _fragments(value: bytes, initial: str, delimiters: re.Pattern[bytes]) -> list[str]:
    """Text piece by piece: each escape sequence rules up to the next one or a delimiter."""
    out: list[str] = []
    escape, codec, at = b"", initial, 0
    for match in [*_ESCAPE.finditer(value), None]:
        end = match.start() if match is not None else len(value)
        out.append(_piece(escape, value[at:end], codec, (initial, delimiters)))
        if match is not None:
            escape, at = match[0], match.end()
            codec = _codec_of_escape(escape)
    return out


def _codec_of_escape(escape: bytes) -> str:
    from pydicom.charset import CODES_TO_ENCODINGS  # noqa: PLC0415 - slow to import, and few texts have escapes

    codec = CODES_TO_ENCODINGS[escape]
    return "ascii" if escape == b"\x1b(B" else codec


def _piece(escape: bytes, raw: bytes, codec: str, rest: tuple[str, re.Pattern[bytes]]) -> str:
    if codec in _STATEFUL:
        return (escape + raw).decode(codec)
    initial, delimiters = rest
    end = delimiters.search(raw)
    # Some writers (pydicom) do not repeat the escape sequence after a delimiter. Where the initial set
    # is ASCII, high bytes there can mean nothing else.
    if not escape or end is None or (codec in _HIGH_BYTES and initial == "ascii"):
        return raw.decode(codec)
    return raw[: end.start()].decode(codec) + raw[end.start() :].decode(initial)
