"""Read-back from a destination that transcodes: each object lies in a file while it is compared, no longer."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from migrate.errors import MigrateError
from migrate.staging.area import LandingArea, full, refused
from migrate.staging.intake import Arrival, Inbox, Incoming, ReadingObject, ReadingSink, Registry


@dataclass(frozen=True, kw_only=True, slots=True)
class SpooledArrival(Arrival):
    """One object that came whole. `path` has its data set, without file meta, until it was compared."""

    path: Path


class SpoolingObject(ReadingObject):
    """One object that is digested, and written to a temporary file that goes when it was compared."""

    def __init__(self, registry: Registry, incoming: Incoming, area: LandingArea) -> None:
        self.area = area
        self.path, self._descriptor = area.create()
        super().__init__(registry, incoming)

    def write(self, view: memoryview) -> None:
        """Data set bytes as they come. Raises StagingFull when the reserve would be touched."""
        if self.area.free_bytes() <= 0:
            self._fail(full(self.area.root, self.area.reserve_bytes))
        left = view
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError as error:
            self._fail(refused(self.area.root, error))
        super().write(view)

    def finish(self) -> int:
        """Compare it and forget it. Returns the C-STORE status."""
        self._close()
        try:
            return super().finish()
        finally:
            self.path.unlink(missing_ok=True)

    def discard(self, reason: str) -> None:
        """Nothing arrived: the temporary file goes."""
        self._close()
        self.path.unlink(missing_ok=True)
        super().discard(reason)

    def _deliver(self, inbox: Inbox | None, arrival: Arrival) -> int:
        spooled = SpooledArrival(
            digested=arrival.digested,
            transfer_syntax_uid=arrival.transfer_syntax_uid,
            received_at=arrival.received_at,
            path=self.path,
        )
        return super()._deliver(inbox, spooled)

    def _fail(self, error: MigrateError) -> None:
        if self.expecting:
            self.expecting.fail(error)
        raise error

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class SpoolingSink(ReadingSink):
    """What read-back needs where pixels may have to be decoded."""

    def __init__(self, registry: Registry, area: LandingArea) -> None:
        super().__init__(registry)
        self.area = area

    def begin(self, incoming: Incoming) -> SpoolingObject:
        """A data set is about to come. Raises StagingFull when the reserve would be touched."""
        try:
            return SpoolingObject(self.registry, incoming, self.area)
        except MigrateError as error:
            if inbox := self.registry.of_instance(incoming.sop_instance_uid):
                inbox.fail(error)
            raise
