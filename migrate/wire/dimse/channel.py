"""What one established association can do, whichever stack drives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from migrate.wire.dimse.bodies import Body
from migrate.wire.dimse.command import CommandSet
from migrate.wire.dimse.outgoing import Outgoing


@dataclass(frozen=True, slots=True)
class AcceptedContext:
    """One presentation context both sides agreed on."""

    context_id: int
    abstract_syntax: str
    transfer_syntax: str


class Message(NamedTuple):
    """One complete DIMSE message; `body` took its data set, if it had one."""

    context: AcceptedContext
    command: CommandSet
    body: Body | None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a message to begin (None: for ever) and whom to ask while waiting.

    `limit` is the name of the limit, for the error. `abandon` is asked about once a tick, between
    messages only. `gather_s` lets messages gather for so long before they are read: of a peer that
    sends many, several are read at once, and waking up for each would cost more than its reading.
    """

    wait_s: float | None
    limit: str
    abandon: Callable[[], bool] | None = None
    gather_s: float = 0.0


OpenBody = Callable[[AcceptedContext, CommandSet], Body]


class Channel(Protocol):
    """Whole DIMSE messages in and out. One thread at a time."""

    @property
    def contexts(self) -> Mapping[int, AcceptedContext]:
        """What was agreed, by presentation context id."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether messages may still be sent."""
        ...

    def next(self, open_body: OpenBody, patience: Patience) -> Message | None:
        """The next whole message; None when the peer released the association.

        Args:
            open_body: Called when a command set with a data set has come, before the data set.
            patience: How long to wait for the message to begin.

        Raises:
            PeerUnavailable: The association was aborted, lost, or the wait took too long.
            PeerError: The peer broke the protocol or a limit; the association is aborted.
        """
        ...

    def poll(self) -> bool:
        """Wait a tick at most; whether a message begins to come."""
        ...

    def send(self, context_id: int, command: CommandSet, data_set: bytes | None = None) -> None:
        """Send one message whose data set is small.

        Raises:
            PeerUnavailable: The connection is gone or the peer stopped reading.
        """
        ...

    def send_object(self, context_id: int, command: CommandSet, item: Outgoing) -> None:
        """Send a C-STORE request.

        Raises:
            PeerUnavailable: The connection was lost or the peer stopped reading.
            LocalError: A file cannot be read or is too short. The association is aborted.
        """
        ...

    def release(self) -> None:
        """End in order, or abort when the peer does not agree; may be called twice."""
        ...

    def abort(self) -> None:
        """A-ABORT as the service user; may be called twice."""
        ...
