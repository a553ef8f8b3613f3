"""Query/Retrieve levels in the Study Root model (PS3.4 C.6.2): their unique keys and their order."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from migrate.model import Level

LEVELS: Final = (Level.STUDY, Level.SERIES, Level.IMAGE)

UNIQUE_KEYS: Final = MappingProxyType(
    {
        Level.STUDY: "StudyInstanceUID",
        Level.SERIES: "SeriesInstanceUID",
        Level.IMAGE: "SOPInstanceUID",
    }
)


def keys_above(level: Level) -> tuple[str, ...]:
    """The unique keys that a hierarchical request at this level must give one value for (PS3.4 C.4.1.2.2.1)."""
    return tuple(UNIQUE_KEYS[above] for above in LEVELS[: LEVELS.index(level)])
