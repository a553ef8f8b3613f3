"""The data dictionary (PS3.6): the VR of a public tag, from the published tables."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from migrate.dicom.published import KEYWORDS, entry_of

UNKNOWN: Final = "UN"

_AMBIGUOUS: Final = {"US or SS": "US", "US or OW": "OW", "US or SS or OW": "OW", "OB or OW": "OW", "NONE": UNKNOWN}
_CREATORS: Final = range(0x10, 0x100)


def is_private(tag: int) -> bool:
    """Whether the group is odd (PS3.5 7.8)."""
    return bool(tag & 0x10000)


def is_private_creator(tag: int) -> bool:
    """Whether the tag reserves a block of private elements (PS3.5 7.8.1)."""
    return bool(tag & 0x10000) and (tag & 0xFFFF) in _CREATORS


@lru_cache(maxsize=65_536)
def vr_of(tag: int) -> str:
    """The VR of a tag in implicit VR; `UN` for private and unknown tags (PS3.5 6.2.2, A.1).

    Where the dictionary leaves a choice the widest reading is given (`US`, `OW`): all of them are binary
    words of two bytes, so nothing that is computed here depends on the choice.
    """
    if not tag & 0xFFFF:
        return "UL"
    if is_private(tag):
        return "LO" if is_private_creator(tag) else UNKNOWN
    entry = entry_of(tag)
    return _AMBIGUOUS.get(entry[0], entry[0]) if entry else UNKNOWN


def keyword_of(tag: int) -> str:
    """The keyword of a public tag, else an empty string."""
    entry = entry_of(tag)
    return entry[4] if entry else ""


def tag_of(keyword: str) -> int | None:
    """The tag of a keyword, or None when the dictionary has no such keyword."""
    return KEYWORDS.get(keyword)


def tag_text(tag: int) -> str:
    """`(gggg,eeee)` as people write it."""
    return f"({tag >> 16:04x},{tag & 0xFFFF:04x})"


def tag_path(tag: int) -> str:
    """`ggggeeee`, upper case: how tables name a tag."""
    return f"{tag:08X}"
