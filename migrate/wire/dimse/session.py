"""One association as acceptor, from the TCP connection to its end (PS3.8 7.1)."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from migrate.errors import PeerError, PeerUnavailable
from migrate.wire.dimse.channel import Patience
from migrate.wire.dimse.dialogue import Dialogue
from migrate.wire.dimse.limits import Limits
from migrate.wire.dimse.negotiation import Acceptance, answer_contexts, answer_roles
from migrate.wire.dimse.pdu import APPLICATION_CONTEXT_UID, AssociateAccept, AssociateReject, AssociateRequest
from migrate.wire.dimse.reception import Reception
from migrate.wire.dimse.socket_shell import Link
from migrate.wire.dimse.upper_layer import Aborted, Role, UpperLayer

_log: Final = logging.getLogger(__name__)

# PS3.8 9.3.4: result, source, reason
_APPLICATION_CONTEXT_NOT_SUPPORTED: Final = AssociateReject(1, 1, 2)
_CALLING_NOT_RECOGNIZED: Final = AssociateReject(1, 1, 3)
_CALLED_NOT_RECOGNIZED: Final = AssociateReject(1, 1, 7)
_PROTOCOL_NOT_SUPPORTED: Final = AssociateReject(1, 2, 2)
_LOCAL_LIMIT: Final = AssociateReject(2, 3, 2)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceiverOptions:
    """How a receiver stands in the network.

    Attributes:
        ae_title: What peers must call.
        host: Address to bind; not 0.0.0.0 unless somebody writes it.
        port: TCP port; 0 takes a free one (see `Receiver.port`).
        allow: Calling AE titles that are accepted; None accepts all.
        allow_hosts: Peer addresses that are accepted; None accepts all.
        tls: Server context; None is plain TCP.
        max_associations: Established ones at a time.
        max_half_open: Connections without an association at a time.
        reuse_port: Share the port with other processes (SO_REUSEPORT).
    """

    ae_title: str
    host: str
    port: int
    allow: frozenset[str] | None = None
    allow_hosts: frozenset[str] | None = None
    tls: ssl.SSLContext | None = None
    limits: Limits = field(default_factory=Limits)
    acceptance: Acceptance = field(default_factory=Acceptance)
    max_associations: int = 16
    max_half_open: int = 128
    reuse_port: bool = False


class Connection:
    """A TCP connection that somebody made; `shut` may be called from any thread."""

    def __init__(self, sock: socket.socket, host: str) -> None:
        self.host = host
        self._socket = sock

    def secure(self, context: ssl.SSLContext, handshake_s: float) -> socket.socket:
        """Shake hands as TLS server.

        Raises:
            PeerUnavailable: The peer did not within `handshake_s`, or speaks no TLS.
        """
        self._socket.settimeout(handshake_s)
        try:
            secured = context.wrap_socket(self._socket, server_side=True, do_handshake_on_connect=False)
            self._socket = secured
            secured.do_handshake()
        except OSError as error:
            cause = getattr(error, "reason", None) or type(error).__name__
            raise PeerUnavailable("TLS handshake failed", peer=self.host, cause=cause) from None
        return secured

    def plain(self) -> socket.socket:
        """The socket as it is."""
        return self._socket

    def shut(self) -> None:
        """End both directions: a blocked read in the serving thread returns at once."""
        with contextlib.suppress(OSError):
            # Not SSLSocket.shutdown, which takes the TLS object away from under the other thread.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close; may be called twice."""
        with contextlib.suppress(OSError):
            self._socket.close()


class Session:
    """Serves one connection until it ends."""

    def __init__(self, options: ReceiverOptions, reception: Reception) -> None:
        self._options = options
        self._reception = reception

    def run(
        self, connection: Connection, establish: Callable[[Connection], bool], stopping: Callable[[], bool]
    ) -> None:
        """Negotiate, then answer requests until the peer releases.

        Args:
            connection: The accepted connection.
            establish: Asked once the request is acceptable; False rejects with a local limit.
            stopping: Asked between messages; True aborts.

        Raises:
            PeerError: The association ended otherwise than by a release.
        """
        options = self._options
        sock = connection.secure(options.tls, options.limits.connect_s) if options.tls else connection.plain()
        link = Link(sock, UpperLayer(Role.ACCEPTOR, options.limits), options.limits)
        request = self._await_request(link)
        reject = self._objection(request) or (None if establish(connection) else _LOCAL_LIMIT)
        if reject is not None:
            _log.warning(
                "association rejected: calling %r, called %r, host %s, result %d source %d reason %d",
                *(request.calling_ae_title, request.called_ae_title, connection.host),
                *(reject.result, reject.source, reject.reason),
            )
            link.layer.reject(reject)
            link.settle()
            link.close(linger=True)
            return
        self._serve(self._accept(link, request), stopping)

    def _await_request(self, link: Link) -> AssociateRequest:
        artim_s = self._options.limits.artim_s
        deadline = time.monotonic() + artim_s
        link.layer.connected()
        while not link.events:
            if time.monotonic() > deadline:
                link.layer.artim_expired()
                link.settle()
                raise PeerUnavailable("no association request came", limit="artim_s")
            link.pump()
            if link.closed:
                break
        event = link.events.popleft() if link.events else None
        # What follows before our answer ends the association: data, an abort, a closed connection.
        later = link.events.popleft() if link.events else None
        if isinstance(event, AssociateRequest) and later is None:
            return event
        link.close(linger=True)
        ending = later or event
        cause = ending.fact if isinstance(ending, Aborted) else "closed"
        raise PeerError("no association request came that could be answered", cause=cause)

    def _objection(self, request: AssociateRequest) -> AssociateReject | None:
        options = self._options
        if not request.protocol_version & 1:
            return _PROTOCOL_NOT_SUPPORTED
        if request.application_context_uid != APPLICATION_CONTEXT_UID:
            return _APPLICATION_CONTEXT_NOT_SUPPORTED
        if request.called_ae_title != options.ae_title:
            return _CALLED_NOT_RECOGNIZED
        if options.allow is not None and request.calling_ae_title not in options.allow:
            return _CALLING_NOT_RECOGNIZED
        return None

    def _accept(self, link: Link, request: AssociateRequest) -> Dialogue:
        answers, accepted = answer_contexts(request, self._options.acceptance)
        link.layer.accept(
            AssociateAccept(
                called_ae_title=request.called_ae_title,
                calling_ae_title=request.calling_ae_title,
                max_pdu_bytes=self._options.limits.max_pdu_bytes,
                contexts=answers,
                roles=answer_roles(request, self._options.acceptance),
            )
        )
        link.settle()
        self._reception.peer_ae_title = request.calling_ae_title
        return Dialogue(link, accepted, request.max_pdu_bytes)

    def _serve(self, dialogue: Dialogue, stopping: Callable[[], bool]) -> None:
        patience = Patience(self._options.limits.idle_s, "idle_s", stopping)
        reception = self._reception
        while (message := dialogue.next(reception.open_body, patience)) is not None:
            answer = reception.answer(message)
            if answer is not None:
                dialogue.send(message.context.context_id, answer)
