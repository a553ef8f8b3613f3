"""What one object may cost before it counts as an attack or an accident."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ParseLimits:
    """What one object may cost us before it counts as an attack or an accident.

    Bytes and counts are for the whole object; `depth` is the number of sequences inside one another.
    `inflate_ratio` applies once more than `inflate_free_bytes` came out of a deflated data set.
    """

    header_bytes: int = 256 * 1024 * 1024
    elements: int = 500_000
    items: int = 200_000
    fragments: int = 1_000_000
    depth: int = 64
    inflated_bytes: int = 8 * 1024**3
    inflate_ratio: int = 200
    inflate_free_bytes: int = 16 * 1024 * 1024
