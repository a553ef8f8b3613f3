"""Opening an association as requestor (PS3.8 7.1): connect, propose, read what was agreed."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence

from migrate.errors import PeerError, PeerUnavailable
from migrate.wire.dimse.channel import AcceptedContext
from migrate.wire.dimse.dialogue import Dialogue
from migrate.wire.dimse.endpoint import Context, Endpoint, rejection, request_of
from migrate.wire.dimse.pdu import AssociateAccept, AssociateReject, AssociateRequest
from migrate.wire.dimse.socket_shell import Link, connect
from migrate.wire.dimse.upper_layer import Aborted, Role, UpperLayer


def open_dialogue(
    endpoint: Endpoint, contexts: Sequence[Context], extended: Mapping[str, bytes]
) -> tuple[Dialogue, AssociateAccept]:
    """An established association.

    Raises:
        PeerUnavailable: No connection, no answer, an abort or a transient reject.
        PeerRefused: A permanent reject.
    """
    request = request_of(endpoint, contexts, extended)
    sock = connect(endpoint.host, endpoint.port, endpoint.tls, endpoint.limits.connect_s)
    return open_over(sock, endpoint, request)


def open_over(sock: socket.socket, endpoint: Endpoint, request: AssociateRequest) -> tuple[Dialogue, AssociateAccept]:
    """The same over a connection that is there already; it is closed when the association does not come about.

    Raises:
        PeerUnavailable: No answer, an abort or a transient reject.
        PeerRefused: A permanent reject.
    """
    link = Link(sock, UpperLayer(Role.REQUESTOR, endpoint.limits), endpoint.limits)
    try:
        answer = _negotiate(link, endpoint, request)
    except BaseException:
        link.close()
        raise
    return Dialogue(link, _agreed(request, answer), answer.max_pdu_bytes), answer


def _negotiate(link: Link, endpoint: Endpoint, request: AssociateRequest) -> AssociateAccept:
    link.layer.associate(request)
    link.layer.connected()
    link.touch()
    link.settle()
    while not link.events:
        if link.closed:
            raise PeerUnavailable("the connection was closed", peer=endpoint.ae_title)
        if not link.pump() and link.silent_s > endpoint.limits.artim_s:
            link.layer.abort()
            link.settle()
            raise PeerUnavailable("no answer to our association request", peer=endpoint.ae_title, limit="artim_s")
    event = link.events.popleft()
    if isinstance(event, AssociateAccept):
        return event
    link.settle()
    if isinstance(event, AssociateReject):
        raise rejection(endpoint, event)
    if isinstance(event, Aborted) and event.by_peer:
        hint = "the peer may not know our AE title or address, or may not speak plain DICOM on this port"
        raise PeerUnavailable("association aborted at once", hint, peer=endpoint.ae_title, cause=event.fact)
    raise PeerError("the peer answered our association request with something else", peer=endpoint.ae_title)


def _agreed(request: AssociateRequest, answer: AssociateAccept) -> dict[int, AcceptedContext]:
    proposed = {one.context_id: one for one in request.contexts}
    return {
        one.context_id: AcceptedContext(one.context_id, proposed[one.context_id].abstract_syntax, one.transfer_syntax)
        for one in answer.contexts
        if one.result == 0 and one.context_id in proposed
    }
