"""Spoilt associations through the sans-I/O core, and through a real socket with everything around it."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.fuzz.captured import FIND, KEYS, MOVE, NATIVE, Captured, DroppingSink
from benchmarks.fuzz.damage import noise, segments, spoilt
from migrate.errors import PeerError
from migrate.model import Level
from migrate.wire.dimse.command import BadCommand, CommandSet, decode
from migrate.wire.dimse.endpoint import Context, Endpoint, request_of
from migrate.wire.dimse.framing import Fragment
from migrate.wire.dimse.identifier import decode as decode_answer
from migrate.wire.dimse.identifier import encode, tags_of
from migrate.wire.dimse.limits import Limits
from migrate.wire.dimse.negotiation import Acceptance, answer_contexts, answer_roles
from migrate.wire.dimse.opening import open_over
from migrate.wire.dimse.pdu import APPLICATION_CONTEXT_UID, AssociateAccept, AssociateRequest, BadPdu, decode_request
from migrate.wire.dimse.reception import Reception
from migrate.wire.dimse.retrieval import end_of
from migrate.wire.dimse.scp import ReceiverOptions
from migrate.wire.dimse.scu import VERIFICATION, Association
from migrate.wire.dimse.session import Connection, Session
from migrate.wire.dimse.state_table import State
from migrate.wire.dimse.upper_layer import Aborted, ReleaseRequested, Role, UpperLayer

LIMITS = Limits(max_pdu_bytes=16_384, artim_s=2, stall_s=2, idle_s=2, dimse_s=2, connect_s=2, tick_s=0.2)
HELD_BYTES = LIMITS.max_associate_bytes + LIMITS.max_command_bytes
WANTED = tags_of(KEYS)
PEER = Endpoint(ae_title="ARCHIVE", host="127.0.0.1", port=1, calling_ae_title="MIGRATE", limits=LIMITS)
CONTEXTS = (Context(VERIFICATION, NATIVE), Context(FIND, NATIVE), Context(MOVE, NATIVE))
RESET = struct.pack("ii", 1, 0)


def _input(seeds: tuple[bytes, ...], chance: random.Random) -> bytes:
    return noise(chance) if chance.random() < 0.1 else spoilt(chance.choice(seeds), seeds, chance)


@dataclass
class Core:
    """The core as `Dialogue` uses it, without a socket: framing, state machine, negotiation, command sets."""

    layer: UpperLayer
    command: bytearray = field(default_factory=bytearray)
    running: CommandSet | None = None
    identifier: bytearray = field(default_factory=bytearray)

    def feed(self, view: memoryview) -> str:
        """Feed one segment; how the association ended, or "" while it lives."""
        for event in self.layer.receive(view):
            if isinstance(event, Aborted):
                sent = self.layer.outgoing()
                assert event.by_peer or sent[-10:-4] == b"\x07\x00\x00\x00\x00\x04", "no A-ABORT went out"
                return "aborted by the peer" if event.by_peer else "aborted by us"
            if isinstance(event, AssociateRequest):
                self._accept(event)
            elif isinstance(event, ReleaseRequested):
                self.layer.release_response()
                return "released"
            elif isinstance(event, Fragment):
                self._take(event)
        self.layer.outgoing()
        return "closed" if self.layer.closing else ""

    def _accept(self, request: AssociateRequest) -> None:
        answers, _ = answer_contexts(request, Acceptance())
        roles = answer_roles(request, Acceptance())
        accept = AssociateAccept(
            called_ae_title="M", calling_ae_title="P", max_pdu_bytes=0, contexts=answers, roles=roles
        )
        self.layer.accept(accept)

    def _take(self, piece: Fragment) -> None:
        if piece.is_command:
            self.command += piece.view[: HELD_BYTES - len(self.command)]
            if piece.last:
                self.running = decode(bytes(self.command))
                self.command.clear()
            return
        self.identifier += piece.view[: HELD_BYTES - len(self.identifier)]
        if piece.last:
            self._answered(bytes(self.identifier))
            self.identifier.clear()

    def _answered(self, identifier: bytes) -> None:
        if self.running is not None:
            end_of(self.running, identifier, NATIVE[1])
        decode_answer(identifier, NATIVE[len(identifier) % 2], WANTED)


def converse(captured: Captured, chance: random.Random) -> tuple[str, int]:
    """One spoilt association through the core; it must end in events or an A-ABORT, and hold little."""
    is_acceptor = chance.random() < 0.5
    layer = UpperLayer(Role.ACCEPTOR if is_acceptor else Role.REQUESTOR, LIMITS)
    core = Core(layer)
    if not is_acceptor:
        layer.associate(request_of(PEER, CONTEXTS, {}))
    layer.connected()
    content = _input(captured.as_acceptor if is_acceptor else captured.as_requestor, chance)
    end = ""
    for view in segments(content, chance):
        try:
            end = core.feed(view)
        except (BadCommand, PeerError) as bad:
            list(layer.violated(str(bad)))
            end = "aborted by us: command set or identifier"
        assert layer.state in State
        assert len(layer._framer._body) <= LIMITS.max_associate_bytes  # noqa: SLF001 - the only thing that could grow
        if end:
            break
    list(layer.transport_closed())
    return end or "cut off", len(content)


def session(captured: Captured, chance: random.Random) -> tuple[str, int]:
    """One spoilt association through a loopback socket, `Link`, `Dialogue` and `Session` or `Association`."""
    is_acceptor = chance.random() < 0.5
    content = _input(captured.as_acceptor if is_acceptor else captured.as_requestor, chance)
    near, far = _pair()
    try:
        if is_acceptor:
            _serve(near, far, content)
        else:
            _say(far, content)
            _request(near, chance)
    except PeerError as error:
        return type(error).__name__, len(content)
    finally:
        near.close()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)  # leaves no connection in TIME-WAIT
        far.close()
    return "ended", len(content)


def _pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        far = socket.create_connection(listener.getsockname())
        near, _ = listener.accept()
    return near, far


def _say(far: socket.socket, content: bytes) -> bool:
    far.sendall(content)
    far.shutdown(socket.SHUT_WR)
    return True


def _serve(near: socket.socket, far: socket.socket, content: bytes) -> None:
    """What follows a request that we accept is sent after it was read, as a peer does that waits for its answer."""
    first = _acceptable_bytes(content)
    if first:
        far.sendall(content[:first])
    else:
        _say(far, content)
    options = ReceiverOptions(ae_title="MIGRATE", host="127.0.0.1", port=0, limits=LIMITS)
    session = Session(options, Reception(LIMITS, "", DroppingSink(), lambda _: None))
    session.run(
        Connection(near, "127.0.0.1"), lambda _: not first or _say(far, content[first:]), stopping=lambda: False
    )


def _acceptable_bytes(content: bytes) -> int:
    """Size of the association request with which `content` begins and that we would accept, else 0."""
    size = 6 + int.from_bytes(content[2:6], "big")
    if content[:1] != b"\1" or len(content) < size or len(content) % 8 == 0:
        return 0
    try:
        request = decode_request(content[6:size])
    except BadPdu:
        return 0
    accepted = (request.called_ae_title, request.application_context_uid, request.protocol_version & 1)
    return size if accepted == ("MIGRATE", APPLICATION_CONTEXT_UID, 1) and len(request.contexts) <= 128 else 0


def _request(near: socket.socket, chance: random.Random) -> None:
    with Association(PEER, *open_over(near, PEER, request_of(PEER, CONTEXTS, {}))) as association:
        chance.choice(_OPERATIONS)(association)


def _find(association: Association) -> None:
    identifier = encode(Level.STUDY, KEYS, association.transfer_syntax(FIND))

    def read(_: int, value: bytes, syntax: str) -> None:
        decode_answer(value, syntax, WANTED)

    association.find(FIND, identifier, read)


def _move(association: Association) -> None:
    identifier = encode(Level.STUDY, {"StudyInstanceUID": "1.2"}, association.transfer_syntax(MOVE))
    association.move(MOVE, identifier, "MIGRATE", 1)


_OPERATIONS: tuple[Callable[[Association], object], ...] = (_find, _move, Association.echo)
