"""Kinds of sources. `SOURCES` is the only place that knows which there are."""

from __future__ import annotations

from collections.abc import Callable

from migrate.errors import ConfigError
from migrate.peers import Source
from migrate.sources.dimse import DimseSource
from migrate.staging.doorstep import Doorstep

SOURCES: dict[str, Callable[[Doorstep], Source]] = {"dimse": DimseSource}


def open_source(door: Doorstep) -> Source:
    """The source that `[source] kind` names.

    Raises:
        ConfigError: No such kind.
    """
    kind = door.config.source.kind
    if kind not in SOURCES:
        raise ConfigError(f"source.kind: no such kind {kind}", f"allowed: {', '.join(SOURCES)}")
    return SOURCES[kind](door)
