"""Objects that are written to a file while they are digested: to land, or to be compared and forgotten."""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from migrate.dicom.digest import Digested
from migrate.dicom.part10 import MetaFields, preamble_and_meta
from migrate.errors import IllegalDicom, MigrateError, StagingFull
from migrate.staging.area import Landed, LandingArea, full, refused
from migrate.staging.intake import (
    NOT_AUTHORISED,
    SUCCESS,
    Arrival,
    Inbox,
    Incoming,
    ReadingObject,
    ReadingSink,
    Registry,
)
from migrate.staging.recent import Recent


class FiledObject(ReadingObject):
    """One object that goes into a temporary file of the landing area while it is digested."""

    def __init__(self, registry: Registry, incoming: Incoming, area: LandingArea) -> None:
        self.area = area
        self.temporary, self.descriptor = area.create()
        super().__init__(registry, incoming)

    def write(self, view: memoryview) -> None:
        """Data set bytes as they come. Raises StagingFull when the reserve would be touched."""
        if self.area.free_bytes() <= 0:
            self._fail(full(self.area.root, self.area.reserve_bytes))
        self._put(view)
        super().write(view)

    def finish(self) -> int:
        """The object is whole: hand it to whoever waits. Returns the C-STORE status."""
        self._close()
        return super().finish()

    def discard(self, reason: str) -> None:
        """Nothing arrived: the temporary file goes."""
        self._drop()
        super().discard(reason)

    def _put(self, view: memoryview) -> None:
        try:
            while view:
                view = view[os.write(self.descriptor, view) :]
        except OSError as error:
            self._fail(refused(self.area.root, error))

    def _fail(self, error: MigrateError) -> None:
        if self.expecting:
            self.expecting.fail(error)
        raise error

    def _drop(self) -> None:
        self._close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.temporary)

    def _close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


Arrived = Recent[Digested]
"""What landed last, by wire digest."""

_MOST_ARRIVED_BYTES = 96 * 1024 * 1024
_MEMORY_PER_BYTE = 20  # a parsed header and its records take so much more memory than its bytes


def new_arrived() -> Arrived:
    """Empty, with a bound on memory."""
    return Recent(_memory_bytes, _MOST_ARRIVED_BYTES)


def _memory_bytes(digested: Digested) -> int:
    header = digested.header
    bulk = sum(element.length for element in header.elements.values() if element.value is None)
    return _MEMORY_PER_BYTE * max(header.size_bytes - bulk, 0)


class LandingObject(FiledObject):
    """One object that stays: it counts when the next durable group is on the disk."""

    def __init__(self, registry: Registry, incoming: Incoming, sink: LandingSink) -> None:
        super().__init__(registry, incoming, sink.area)
        self.arrived = sink.arrived
        meta = preamble_and_meta(
            MetaFields(
                sop_class_uid=incoming.sop_class_uid,
                sop_instance_uid=incoming.sop_instance_uid,
                transfer_syntax_uid=incoming.transfer_syntax_uid,
                sending_ae_title=incoming.calling_ae_title,
                receiving_ae_title=sink.ae_title,
            )
        )
        try:
            self._put(memoryview(meta))
        except MigrateError as error:
            self.discard(error.fact)
            raise

    def write(self, view: memoryview) -> None:
        """Data set bytes as they come, no quicker than the pace that was ordered."""
        self.area.pace.take(len(view))
        super().write(view)

    def _deliver(self, inbox: Inbox | None, arrival: Arrival) -> int:
        if inbox is None:
            self._drop()
            return NOT_AUTHORISED
        inbox.count(+1)

        def durable(error: Exception | None) -> None:
            if error is None:
                self.arrived.put(arrival.digests.wire, arrival.digested)
                inbox.got(arrival)
            else:
                inbox.fail(error if isinstance(error, MigrateError) else StagingFull(str(error)))
            inbox.count(-1)

        landed = Landed(self.temporary, self.area.name_of(arrival.digests.wire), durable)
        self.area.land(landed, at_once=inbox.all_begun)
        return SUCCESS

    def _untrusted(self, error: IllegalDicom) -> int:
        if self.expecting is None:
            self._drop()
        else:
            self.area.set_aside(self.temporary, self.digester.wire())
        return super()._untrusted(error)


@dataclass(frozen=True, kw_only=True, slots=True)
class SpooledArrival(Arrival):
    """One object that came whole. `path` has its data set, without file meta, until it was compared."""

    path: Path


class SpooledObject(FiledObject):
    """One object whose file goes when it was compared."""

    def finish(self) -> int:
        """Compare it and forget it. Returns the C-STORE status."""
        try:
            return super().finish()
        finally:
            self._drop()

    def _deliver(self, inbox: Inbox | None, arrival: Arrival) -> int:
        spooled = SpooledArrival(
            digested=arrival.digested,
            transfer_syntax_uid=arrival.transfer_syntax_uid,
            received_at=arrival.received_at,
            path=Path(self.temporary),
        )
        return super()._deliver(inbox, spooled)


class FilingSink(ReadingSink, ABC):
    """What has a file for each object."""

    def __init__(self, registry: Registry, area: LandingArea) -> None:
        super().__init__(registry)
        self.area = area

    def begin(self, incoming: Incoming) -> FiledObject:
        """A data set is about to come. Raises StagingFull when the reserve would be touched."""
        try:
            return self._begin(incoming)
        except MigrateError as error:
            if inbox := self.registry.of_instance(incoming.sop_instance_uid):
                inbox.fail(error)
            raise

    @abstractmethod
    def _begin(self, incoming: Incoming) -> FiledObject: ...


class LandingSink(FilingSink):
    """Digest and keep: what retrieve needs. `arrived` gets what landed."""

    def __init__(self, registry: Registry, area: LandingArea, ae_title: str, arrived: Arrived | None = None) -> None:
        super().__init__(registry, area)
        self.ae_title = ae_title
        self.arrived = arrived or new_arrived()

    def _begin(self, incoming: Incoming) -> FiledObject:
        return LandingObject(self.registry, incoming, self)


class SpoolingSink(FilingSink):
    """Digest, and keep until it was compared: read-back where pixels may have to be decoded."""

    def _begin(self, incoming: Incoming) -> FiledObject:
        return SpooledObject(self.registry, incoming, self.area)
