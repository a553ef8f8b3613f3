"""Text that came from somebody else's system, made fit to be shown.

DICOM text may hold control characters, line ends and the Unicode controls that reverse the reading
order. A reader must see them, and no program may obey them. Spreadsheets also run text that starts
like a formula, so cells get an apostrophe in front (OWASP, "CSV injection").
"""

from __future__ import annotations

import re

# C0 and C1 controls, line and paragraph separators, and every bidirectional control (UAX #9).
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def shown(text: object) -> str:
    r"""The text with every unseen character written out (`\u202e`); None is empty."""
    return _UNSEEN.sub(_written, "" if text is None else str(text))


def cell(text: object) -> str:
    """The text for one spreadsheet cell: shown, and never a formula."""
    raw = "" if text is None else str(text)
    return f"'{shown(raw)}" if raw.startswith(_FORMULA) else shown(raw)


def _written(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
