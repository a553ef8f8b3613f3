"""Where received objects go: the protocols that the receiver and C-GET write into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Incoming:
    """What a C-STORE request says before its data set comes (PS3.7 9.3.1)."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    calling_ae_title: str
    move_originator_ae_title: str | None = None
    move_originator_message_id: int | None = None


class ObjectSink(Protocol):
    """One data set on its way in. Exactly one of `finish` and `discard` ends it."""

    def write(self, view: memoryview) -> object:
        """Take the next bytes; `view` is only good until this returns."""
        ...

    def finish(self) -> int:
        """All bytes came: return the C-STORE status to answer (PS3.4 B.2.3)."""
        ...

    def discard(self, reason: str) -> None:
        """The association died in the middle, or `write` raised: forget the object."""
        ...


class StoreSink(Protocol):
    """Makes an `ObjectSink` for each object. Called from several threads at once by a receiver."""

    def begin(self, incoming: Incoming) -> ObjectSink:
        """An object begins.

        What this or the sink raises is answered with A700 (`StagingFull`) or C000 (anything
        else); the association goes on.
        """
        ...
