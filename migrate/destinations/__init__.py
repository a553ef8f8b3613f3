"""Kinds of destinations. `DESTINATIONS` is the only place that knows which there are."""

from __future__ import annotations

from collections.abc import Callable

from migrate.destinations.dimse import DimseDestination
from migrate.errors import ConfigError
from migrate.peers import Destination
from migrate.staging.doorstep import Doorstep

DESTINATIONS: dict[str, Callable[[Doorstep], Destination]] = {"dimse": DimseDestination}


def open_destination(door: Doorstep) -> Destination:
    """The destination that `[destination] kind` names.

    Raises:
        ConfigError: No such kind.
    """
    kind = door.config.destination.kind
    if kind not in DESTINATIONS:
        raise ConfigError(f"destination.kind: no such kind {kind}", f"allowed: {', '.join(DESTINATIONS)}")
    return DESTINATIONS[kind](door)
