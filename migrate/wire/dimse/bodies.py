"""Where the data set of an incoming message goes while its bytes arrive."""

from __future__ import annotations

import logging
from typing import Final, Protocol

from migrate.errors import StagingFull
from migrate.wire.dimse.sinks import Incoming, ObjectSink, StoreSink

_log: Final = logging.getLogger(__name__)
OUT_OF_RESOURCES: Final = 0xA700  # PS3.4 B.2.3
CANNOT_UNDERSTAND: Final = 0xC000


class Body(Protocol):
    """Takes one data set. `limit_bytes` ends the association when it is exceeded."""

    limit_bytes: int

    def write(self, view: memoryview) -> object:
        """Take the next bytes; must not raise."""
        ...

    def discard(self, reason: str) -> None:
        """The association died before the last byte."""
        ...


class MemoryBody:
    """A small data set kept whole: identifiers and event reports."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._parts: list[bytes] = []

    @property
    def value(self) -> bytes:
        """All bytes so far."""
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    def write(self, view: memoryview) -> None:
        """Keep a copy of `view`."""
        self._parts.append(bytes(view))

    def discard(self, reason: str) -> None:
        """Nothing to undo."""


class DroppedBody:
    """A data set that nobody wants."""

    limit_bytes = 1 << 62

    def write(self, view: memoryview) -> None:
        """Forget `view`."""

    def discard(self, reason: str) -> None:
        """Nothing to undo."""


class ObjectBody:
    """One C-STORE data set on its way into an `ObjectSink`, whose errors become a status."""

    def __init__(self, sink: StoreSink, incoming: Incoming, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._status = 0
        self._object: ObjectSink | None = None
        try:
            self._object = sink.begin(incoming)
        except Exception as error:  # noqa: BLE001  whatever a sink raises becomes a status
            self._failed(error)

    def write(self, view: memoryview) -> None:
        """Hand `view` on; after an error the rest is read and dropped."""
        if self._object is not None:
            try:
                self._object.write(view)
            except Exception as error:  # noqa: BLE001  whatever a sink raises becomes a status
                self._failed(error)

    def finish(self) -> int:
        """All bytes came: the status to answer."""
        taken, self._object = self._object, None
        if taken is not None:
            try:
                return taken.finish()
            except Exception as error:  # noqa: BLE001  whatever a sink raises becomes a status
                self._failed(error)
        return self._status

    def discard(self, reason: str) -> None:
        """Tell the sink that the rest will not come."""
        taken, self._object = self._object, None
        if taken is not None:
            try:
                taken.discard(reason)
            except Exception as error:  # noqa: BLE001  whatever a sink raises becomes a status
                self._failed(error)

    def _failed(self, error: Exception) -> None:
        self._status = OUT_OF_RESOURCES if isinstance(error, StagingFull) else CANNOT_UNDERSTAND
        # The text of the error may hold what stood in the object: only its kind is logged.
        _log.warning("an object was not taken: %s, answered %04X", type(error).__name__, self._status)
        self.discard("the sink failed")
