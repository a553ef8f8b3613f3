"""The DICOM upper layer without I/O: bytes in, events out (PS3.8 9.2), for both roles.

Who owns a socket feeds `receive` with what it read, sends what `outgoing` returns and closes the
transport when `closing` is set. Whatever the bytes are, they give events or an A-ABORT.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from migrate.wire.dimse.framing import Fragment, Framer, WholePdu
from migrate.wire.dimse.limits import Limits
from migrate.wire.dimse.pdu import (
    RELEASE_RP,
    RELEASE_RQ,
    Abort,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    BadPdu,
    PduType,
    decode_abort,
    decode_accept,
    decode_reject,
    decode_request,
    encode_abort,
    encode_accept,
    encode_reject,
    encode_request,
)
from migrate.wire.dimse.state_table import EFFECTS, TRANSITIONS, Happening, State


class Role(Enum):
    """Who asked for the association."""

    REQUESTOR = "requestor"
    ACCEPTOR = "acceptor"


@dataclass(frozen=True, slots=True)
class ReleaseRequested:
    """The peer asks for an orderly end; answer with `UpperLayer.release_response`."""


@dataclass(frozen=True, slots=True)
class Released:
    """The peer confirmed the release: nothing can follow."""


@dataclass(frozen=True, slots=True)
class Aborted:
    """The association is gone. `by_peer` is False when we aborted because of what the peer sent."""

    by_peer: bool
    source: int
    reason: int
    fact: str


Event = Fragment | AssociateRequest | AssociateAccept | AssociateReject | ReleaseRequested | Released | Aborted

_DECODERS: Final[dict[PduType, tuple[Happening, Callable[[bytes], object]]]] = {
    PduType.ASSOCIATE_RQ: (Happening.ASSOCIATE_RQ_PDU, decode_request),
    PduType.ASSOCIATE_AC: (Happening.ASSOCIATE_AC_PDU, decode_accept),
    PduType.ASSOCIATE_RJ: (Happening.ASSOCIATE_RJ_PDU, decode_reject),
    PduType.RELEASE_RQ: (Happening.RELEASE_RQ_PDU, lambda _: ReleaseRequested()),
    PduType.RELEASE_RP: (Happening.RELEASE_RP_PDU, lambda _: Released()),
    PduType.ABORT: (Happening.ABORT_PDU, decode_abort),
}
_UNEXPECTED_PDU: Final = 2
_SHORT_PDU_BYTES: Final = 64


class UpperLayer:
    """One association's state (PS3.8 9.2).

    Attributes:
        state: Where in Table 9-10 the association is.
        closing: The transport must be closed.
        artim_running: The ARTIM timer must run (PS3.8 9.1.5).
    """

    def __init__(self, role: Role, limits: Limits) -> None:
        self.role = role
        self.state = State.IDLE
        self.closing = False
        self.artim_running = False
        self._limits = limits
        self._outgoing = bytearray()
        self._request = b""
        self._framer = Framer(self._admit, limits.max_fragments)

    @property
    def in_pdu(self) -> bool:
        """Whether the peer is in the middle of a PDU."""
        return self._framer.in_pdu

    @property
    def certain_bytes(self) -> int:
        """How many bytes a reader may safely wait for in one call; 0 if unknown."""
        return self._framer.certain_bytes if self.state is State.ASSOCIATED else 0

    def outgoing(self) -> bytes:
        """Take what must be sent now."""
        if not self._outgoing:
            return b""
        taken, self._outgoing = bytes(self._outgoing), bytearray()
        return taken

    # ---- our own requests and responses

    def associate(self, request: AssociateRequest) -> None:
        """Begin as requestor: Evt1. The PDU goes out with `connected`."""
        self._request = encode_request(request)
        self._step(Happening.ASSOCIATE_REQUEST)

    def connected(self) -> None:
        """The transport is there: Evt2 for a requestor, Evt5 for an acceptor."""
        if self.role is Role.REQUESTOR:
            self._step(Happening.TRANSPORT_CONFIRMED, self._request)
        else:
            self._step(Happening.TRANSPORT_INDICATED)

    def accept(self, answer: AssociateAccept) -> None:
        """Accept the association that was asked for: Evt7."""
        self._step(Happening.ASSOCIATE_RESPONSE_ACCEPT, encode_accept(answer))

    def reject(self, answer: AssociateReject) -> None:
        """Reject the association that was asked for: Evt8."""
        self._step(Happening.ASSOCIATE_RESPONSE_REJECT, encode_reject(answer))

    def release(self) -> None:
        """Ask for an orderly end: Evt11."""
        self._step(Happening.RELEASE_REQUEST, RELEASE_RQ)

    def release_response(self) -> None:
        """Agree to the peer's release: Evt14."""
        self._step(Happening.RELEASE_RESPONSE, RELEASE_RP)

    def abort(self) -> None:
        """Abort as the service user: Evt15. Does nothing when there is nothing to abort."""
        if (Happening.ABORT_REQUEST, self.state) in TRANSITIONS:
            self._step(Happening.ABORT_REQUEST)

    def may_send_data(self) -> bool:
        """Whether P-DATA may go out now: Evt9."""
        return (Happening.P_DATA_REQUEST, self.state) in TRANSITIONS

    # ---- what the transport says

    def receive(self, view: memoryview) -> Iterator[Event]:
        """Take what was read; yield what it means.

        All of the iterator must be consumed before the buffer behind `view` is used again.
        """
        if self.state in (State.IDLE, State.AWAITING_CLOSE):
            return
        try:
            for frame in self._framer.feed(view):
                if type(frame) is Fragment:
                    # Admitted with its PDU header: Sta6 and Sta7 are the only states that let it in.
                    yield frame
                elif type(frame) is WholePdu:
                    yield from self._whole(frame)
                    if self.state in (State.IDLE, State.AWAITING_CLOSE):
                        return
        except BadPdu as bad:
            yield from self.violated(str(bad), bad.reason)

    def violated(self, fact: str, reason: int = 6) -> Iterator[Event]:
        """Abort as the service provider because of what the peer sent: Evt19."""
        if self._step(Happening.INVALID_PDU, encode_abort(Abort(2, reason))):
            yield Aborted(by_peer=False, source=2, reason=reason, fact=fact)
        elif self.state is State.AWAITING_CLOSE:
            self.closing = True
            yield Aborted(by_peer=False, source=2, reason=reason, fact=fact)

    def transport_closed(self) -> Iterator[Event]:
        """The peer closed the connection: Evt17."""
        if self._step(Happening.TRANSPORT_CLOSED):
            yield Aborted(by_peer=True, source=0, reason=0, fact="the connection was closed")

    def artim_expired(self) -> None:
        """ARTIM ran out: Evt18."""
        if (Happening.ARTIM_EXPIRED, self.state) in TRANSITIONS:
            self._step(Happening.ARTIM_EXPIRED)

    # ---- inside

    def _admit(self, pdu_type: PduType, length: int) -> None:
        """Look at a PDU's type and length before any of its body is read."""
        limits = self._limits
        if pdu_type is PduType.P_DATA_TF:
            if self.state is not State.ASSOCIATED and not self._takes_data():
                raise BadPdu("P-DATA-TF outside an association", _UNEXPECTED_PDU)
            if length > limits.max_pdu_bytes + limits.pdu_slack_bytes:
                raise BadPdu(f"P-DATA-TF of {length} bytes, max_pdu_bytes={limits.max_pdu_bytes}")
            if length < 6:
                raise BadPdu("P-DATA-TF without a value")
            return
        is_long = pdu_type in (PduType.ASSOCIATE_RQ, PduType.ASSOCIATE_AC)
        cap = limits.max_associate_bytes if is_long else _SHORT_PDU_BYTES
        if length > cap:
            raise BadPdu(f"{pdu_type.name} of {length} bytes, max_associate_bytes={cap}")

    def _takes_data(self) -> bool:
        return TRANSITIONS.get((Happening.P_DATA_TF_PDU, self.state)) in ("DT-2", "AR-6")

    def _whole(self, frame: WholePdu) -> Iterator[Event]:
        happening, decode = _DECODERS[frame.pdu_type]
        try:
            value = decode(frame.body)
        except BadPdu as bad:
            yield from self.violated(str(bad), bad.reason)
            return
        contexts = getattr(value, "contexts", ())
        if len(contexts) > self._limits.max_contexts:
            yield from self.violated(f"{len(contexts)} contexts, max_contexts={self._limits.max_contexts}")
            return
        before = self.state
        indicated = self._step(happening, encode_abort(Abort(2, _UNEXPECTED_PDU)))
        if not indicated:
            return
        if isinstance(value, Abort):
            yield Aborted(by_peer=True, source=value.source, reason=value.reason, fact="the peer aborted")
        elif self.state is State.AWAITING_CLOSE:
            yield Aborted(
                by_peer=False,
                source=2,
                reason=_UNEXPECTED_PDU,
                fact=f"{frame.pdu_type.name} in state Sta{before.value}",
            )
        else:
            yield value  # type: ignore[misc]

    def _step(self, happening: Happening, own: bytes = b"") -> bool:
        """Follow the table once; return whether the user hears of it."""
        action = TRANSITIONS.get((happening, self.state))
        if action is None:
            if happening in _OURS:
                raise ValueError(f"{happening.name} is not possible in state Sta{self.state.value}")
            return False
        effect = EFFECTS[action]
        if effect.sends == "own":
            self._outgoing += own
        elif effect.sends == "abort":
            self._outgoing += own or encode_abort(Abort(0, 0))
        self.state = effect.state
        if action == "AR-8" and self.role is Role.ACCEPTOR:
            self.state = State.COLLISION_ACCEPTOR_REMOTE
        self.closing = self.closing or effect.closes
        if effect.artim is not None:
            self.artim_running = effect.artim
        return effect.indicates


_OURS: Final = frozenset(
    {
        Happening.ASSOCIATE_REQUEST,
        Happening.TRANSPORT_CONFIRMED,
        Happening.TRANSPORT_INDICATED,
        Happening.ASSOCIATE_RESPONSE_ACCEPT,
        Happening.ASSOCIATE_RESPONSE_REJECT,
        Happening.P_DATA_REQUEST,
        Happening.RELEASE_REQUEST,
        Happening.RELEASE_RESPONSE,
        Happening.ABORT_REQUEST,
    }
)
