"""How numbers, bytes, shares and times are written in each language."""

from __future__ import annotations

from typing import Literal

# `amount` is bytes in rows whose `level` is BYTES and a count in all others.
Kind = Literal[
    "text", "count", "bytes", "amount", "share", "level", "study", "uid", "code", "date", "detail", "days", "year"
]

NUMERIC: frozenset[Kind] = frozenset({"count", "bytes", "amount", "share", "days", "year"})

_UNITS = {"en": ("B", "kB", "MB", "GB", "TB", "PB"), "fr": ("o", "ko", "Mo", "Go", "To", "Po")}
# The browser's Intl.NumberFormat groups French with U+202F; the page must not change when it sorts.
_GROUP = {"en": ",", "fr": "\u202f"}
_POINT = {"en": ".", "fr": ","}
_NO_BREAK = "\u00a0"
UNKNOWN = "\u2013"


def units(language: str) -> tuple[str, ...]:
    """The decimal units of bytes, from one byte on."""
    return _UNITS[language]


def count(value: int | None, language: str) -> str:
    """A whole number in groups of three; a dash when it is not known."""
    return UNKNOWN if value is None else f"{value:,}".replace(",", _GROUP[language])


def size(value_bytes: int | None, language: str) -> str:
    """Bytes in the largest decimal unit that leaves at least one whole digit."""
    if value_bytes is None:
        return UNKNOWN
    units, amount, step = _UNITS[language], float(value_bytes), 0
    while abs(amount) >= 1000 and step < len(units) - 1:
        amount, step = amount / 1000, step + 1
    digits = f"{amount:.0f}" if step == 0 else f"{amount:.2f}".replace(".", _POINT[language])
    return f"{digits}{_NO_BREAK}{units[step]}"


def share(value: float | None, language: str, places: int = 2) -> str:
    """A fraction of one in percent; never rounded up to 100 nor down to 0."""
    if value is None:
        return UNKNOWN
    least = 10.0**-places
    percent = value * 100
    if 0 < percent < 100:
        percent = min(max(percent, least), 100 - least)
    digits = f"{percent:.0f}" if percent == int(percent) else f"{percent:.{places}f}"
    sign = "%" if language == "en" else f"{_NO_BREAK}%"
    return digits.replace(".", _POINT[language]) + sign


def written(value: object, kind: Kind, language: str) -> str:
    """Any value as the reader sees it."""
    if value is None:
        return UNKNOWN
    if kind == "bytes":
        return size(int(str(value)), language)
    if kind == "share":
        return share(float(str(value)), language)
    if kind in {"count", "amount", "days"}:
        return count(int(str(value)), language)
    return str(value)
