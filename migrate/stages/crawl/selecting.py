"""What a returned value says about the keys that select it: which day, which minute, which pattern.

Everything here is asked once or twice for each answer of a crawl, so it is written to be quick.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache

from migrate.manifest.fold import study_day

_MINUTES = {f"{hour:02d}{minute:02d}": hour * 60 + minute for hour in range(24) for minute in range(60)}
_SECONDS = frozenset(f"{second:02d}" for second in range(60))
_FRACTION = re.compile(r"\.[0-9]{1,6}")
_PLAIN_TIME = 6
# No wildcard, no value separator, no control character, no leading space.
_SELECTABLE = re.compile(r"[^*?\\\x00-\x20][^*?\\\x00-\x1f]*")
_PATTERNS = 10_000

Values = Sequence[str | None]


def full_time(text: str | None) -> int | None:
    """The minute of the day of a complete time `HHMMSS[.F]`; None for anything less (PS3.5 6.2, TM)."""
    if text is None:
        return None
    if len(text) != _PLAIN_TIME:
        text = text.strip()
        if len(text) != _PLAIN_TIME and not _FRACTION.fullmatch(text, _PLAIN_TIME):
            return None
    return _MINUTES.get(text[:4]) if text[4:_PLAIN_TIME] in _SECONDS else None


@lru_cache(maxsize=32_768)
def plain_day(text: str | None) -> date | None:
    """The day of a date `YYYYMMDD` that every peer must match by range; None for anything else."""
    return study_day(text) if text and "." not in text else None


def selectable(text: str | None) -> bool:
    """Whether a wildcard query can be expected to select this value by its prefix."""
    return text is not None and _SELECTABLE.fullmatch(text) is not None


def matches_pattern(pattern: str, text: str | None) -> bool:
    """Whether a returned value agrees with a wildcard key; case does not count, nor does an absent value."""
    if text is None:
        return True
    prefix, found = _compiled(pattern)
    if prefix and text.startswith(prefix):
        return True
    return any(found.fullmatch(value.strip(" ")) for value in text.split("\\"))


@lru_cache(maxsize=_PATTERNS)
def _compiled(pattern: str) -> tuple[str, re.Pattern[str]]:
    """What a value may start with to match at once ("" when that says nothing), and the whole pattern."""
    parts = {"*": ".*", "?": "."}
    text = "".join(parts.get(letter, re.escape(letter)) for letter in pattern.strip(" "))
    prefix = pattern.removesuffix("*")
    plain = pattern.endswith("*") and prefix == prefix.strip(" ") and not set(prefix) & set("*?\\")
    return prefix if plain else "", re.compile(text, re.DOTALL | re.IGNORECASE)


def all_match(pattern: str, texts: Values) -> list[bool]:
    """`matches_pattern` for many values."""
    return [matches_pattern(pattern, text) for text in texts]


def _without_moment(days: Sequence[date | None], minutes: Sequence[int | None], _: Values) -> list[bool]:
    return [day is None or minute is None for day, minute in zip(days, minutes, strict=True)]


def _not_selectable(_: Sequence[date | None], __: Sequence[int | None], texts: Values) -> list[bool]:
    return [not selectable(text) for text in texts]


#: By axis: whether its finer keys cannot be expected to select a study; from days, minutes and the axis's text key.
BLIND: dict[str, Callable[[Sequence[date | None], Sequence[int | None], Values], list[bool]]] = {
    "date": _without_moment,
    "patient": _not_selectable,
    "accession": _not_selectable,
}
