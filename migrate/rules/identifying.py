"""Which values say who a patient is: they stand in `identity_changes` alone and are masked elsewhere."""

from __future__ import annotations

IDENTIFYING = frozenset(
    {
        0x00100020, 0x00100030, 0x00100032, 0x00100033, 0x00100034, 0x00100040, 0x00101000, 0x00101040,
        0x00101080, 0x00101081, 0x00101090, 0x00102154, 0x00102155, 0x00104000, 0x00380010, 0x00380300,
    }
)  # fmt: skip
"""Values that belong to `identity_changes`: a patient's numbers, dates, addresses; every PN is one too."""


def identifies(tag: int, vr: str) -> bool:
    """Whether a value may name a person; one of unknown VR may."""
    return tag in IDENTIFYING or vr in ("PN", "UN")
