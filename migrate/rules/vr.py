"""Whether a value fits its value representation (PS3.5 section 6.2, table 6.2-1).

Strict, because this is for what rules write; what a source sent is never refused here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from migrate.dicom.published import ELEMENTS, KEYWORDS
from migrate.dicom.uid import valid_uid

LIMITS: dict[str, int] = {
    "AE": 16,
    "AS": 4,
    "CS": 16,
    "DA": 8,
    "DS": 16,
    "DT": 26,
    "IS": 12,
    "LO": 64,
    "LT": 10240,
    "PN": 64,
    "SH": 16,
    "ST": 1024,
    "TM": 14,
    "UC": 65534,
    "UI": 64,
    "UR": 65534,
    "UT": 65534,
}
"""Most characters of one value; for PN of one component group. Longer UC, UR, UT are not for rules."""

SINGLE_VALUED = frozenset({"LT", "ST", "UT", "UR"})
"""A backslash is an ordinary character here (PS3.5 section 6.4)."""

TEXT_IN_CHARSET = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
"""Specific Character Set (0008,0005) governs these (PS3.5 section 6.1.2.3)."""

_PATTERNS: dict[str, re.Pattern[str]] = {
    "AE": re.compile(r"[^\x00-\x1f\x7f]*"),
    "AS": re.compile(r"[0-9]{3}[DWMY]"),
    "CS": re.compile(r"[A-Z0-9 _]*"),
    "DA": re.compile(r"[0-9]{8}"),
    "DS": re.compile(r" *[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)? *"),
    "DT": re.compile(r"[0-9]{4,14}(\.[0-9]{1,6})?([+-][0-9]{4})?"),
    "IS": re.compile(r" *[+-]?[0-9]{1,11} *"),
    "TM": re.compile(r"[0-9]{2,6}(\.[0-9]{1,6})?"),
    "UR": re.compile(r"[!-~]+ *"),
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
_PLAIN = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"})


@dataclass(frozen=True, slots=True)
class Attribute:
    """One element of the data dictionary (PS3.6): `most` is the greatest VM, None without bound."""

    tag: int
    keyword: str
    vr: str
    least: int
    most: int | None


@lru_cache(maxsize=8192)
def attribute(name: str) -> Attribute | None:
    """The dictionary entry of a keyword, or of a tag written `ggggeeee`; None when unknown."""
    tag = KEYWORDS.get(name)
    if tag is None and re.fullmatch(r"[0-9A-Fa-f]{8}", name):
        tag = int(name, 16)
    if tag is None or tag not in ELEMENTS:
        return None
    vr, multiplicity, _, _, keyword = ELEMENTS[tag]
    least, most = _multiplicity(multiplicity)
    return Attribute(tag, keyword, vr, least, most)


def _multiplicity(text: str) -> tuple[int, int | None]:
    low, _, high = text.partition("-")
    if not high:
        return int(low), int(low)
    return int(low), int(high) if high.isdigit() else None


def misfit(vr: str, value: str) -> str | None:
    """What is wrong with one single value under `vr`; None when it fits.

    Never shows the value: a rule may carry an identifier.
    """
    if vr not in LIMITS:
        return f"a rule cannot write VR {vr}"
    if _control_characters(vr).search(value):
        return f"control characters do not fit {vr}"
    if "\\" in value and vr not in SINGLE_VALUED:
        return f"a backslash separates values and cannot stand inside one {vr}"
    if value != value.strip(" "):
        return "a space at the beginning or the end is padding, not value"
    return _misfit_name(value) if vr == "PN" else _misfit_pattern(vr, value)


def misfit_of_all(attribute: Attribute, values: list[str]) -> str | None:
    """The first thing wrong with all values of one element: their number, then each of them."""
    most = 1 if attribute.vr in SINGLE_VALUED else attribute.most
    if most is not None and len(values) > most:
        return f"{len(values)} values do not fit {attribute.keyword}, which holds {most}"
    if values and len(values) < attribute.least:
        return f"{len(values)} values are too few for {attribute.keyword}, which needs {attribute.least}"
    return next((wrong for value in values if (wrong := misfit(attribute.vr, value))), None)


def _control_characters(vr: str) -> re.Pattern[str]:
    return _CONTROL_IN_TEXT if vr in ("LT", "ST", "UT") else _CONTROL


def _misfit_pattern(vr: str, value: str) -> str | None:
    if len(value) > LIMITS[vr]:
        return f"{len(value)} characters do not fit {vr}, which holds {LIMITS[vr]}"
    if vr in _PLAIN and not value.isascii():
        return f"characters outside the default repertoire do not fit {vr}"
    if vr == "UI" and value and not valid_uid(value):
        return "the value is not a valid UID"
    pattern = _PATTERNS.get(vr)
    if value and pattern is not None and not pattern.fullmatch(value):
        return f"the value is not a valid {vr}"
    return None


def _misfit_name(value: str) -> str | None:
    groups = value.split("=")
    if len(groups) > 3:
        return "a person name has at most 3 component groups"
    if any(len(group) > LIMITS["PN"] for group in groups):
        return f"a component group does not fit PN, which holds {LIMITS['PN']} characters"
    if any(group.count("^") > 4 for group in groups):
        return "a person name has at most 5 components"
    return None
