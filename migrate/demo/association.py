"""Associations of the embedded peers: quick, bounded, on the loopback interface alone.

What pynetdicom 3.0.4 leaves open is closed here: Nagle off, a time-out inside PDUs, a cap on PDU
length, no copying of the context list for each association, no queue between a service and its
socket, and nothing of an identifier in any log.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from pydicom.uid import UID
from pynetdicom import _config, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from migrate.demo.core import Call, Core
from migrate.demo.messages import AssociationLost, abort_at_once

_config.LOG_HANDLER_LEVEL = "none"
_config.LOG_REQUEST_IDENTIFIERS = False
_config.LOG_RESPONSE_IDENTIFIERS = False

_LOG = logging.getLogger(__name__)
SOCKET_TIMEOUT_S = 30.0
MAXIMUM_PDU_BYTES = 256 * 1024
#: The longest PDU that is read; an A-ASSOCIATE-RQ with 128 contexts is far shorter.
_LONGEST_READ_BYTES = MAXIMUM_PDU_BYTES + 4096


class CappedSocket(AssociationSocket):
    """Reads in large pieces, and refuses a PDU longer than we offered to take."""

    def recv(self, nr_bytes: int) -> bytearray:
        """Read exactly `nr_bytes`, fewer only when the connection ends."""
        if nr_bytes > _LONGEST_READ_BYTES or self.socket is None:
            return bytearray()  # pynetdicom takes a short read for a closed connection
        read = bytearray(nr_bytes)
        view, done = memoryview(read), 0
        while done < nr_bytes:
            count = self.socket.recv_into(view[done:])
            if not count:
                return read[:done]
            done += count
        return read


class PdusLeft:
    """Aborts the association after `count` PDUs, in either direction."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._lock = threading.Lock()

    def take(self, association: Association) -> None:
        """Count one PDU. Raises AssociationLost when it was one too many."""
        with self._lock:
            self._left -= 1
            gone = self._left < 0
        if gone:
            abort_at_once(association)
            raise AssociationLost


class PeerAssociation(Association):
    """An acceptor whose requests go to our services instead of pynetdicom's."""

    core: Core
    pdus_left: PdusLeft | None = None
    is_over = False

    def run(self) -> None:
        """Serve until the association ends; then let go of its socket, which pynetdicom may not."""
        super().run()
        _let_go(self)

    def _serve_request(self, msg: Any, context_id: int) -> None:
        if self.is_over:
            return  # aborted by order: what is still in the pipe was never seen
        service = self.core.services.get(type(msg))
        context = self._accepted_cx.get(context_id)
        if service is None or context is None or not msg.is_valid_request:
            super()._serve_request(msg, context_id)
            return
        self.dimse.cancel_req = {}
        self._is_paused = True  # our services send and wait on this thread
        try:
            service(Call(self.core, self, msg, context))
        except AssociationLost:
            pass
        except Exception as error:  # noqa: BLE001 - a broken request ends its association, never the peer
            _LOG.warning("a %s ended its association (%s)", type(msg).__name__, type(error).__name__)
            self.abort()
        self._is_paused = False


class PeerServer(ThreadedAssociationServer):
    """The accept loop; knows its peer."""

    core: Core
    daemon_threads = True


class PeerRequests(RequestHandler):
    """Makes a `PeerAssociation` of each connection."""

    def _create_association(self) -> Association:
        association = super()._create_association()
        core: Core = self.server.core  # type: ignore[attr-defined]
        # pynetdicom names its classes itself; both of ours only add behaviour
        association.__class__ = PeerAssociation
        association.core = core  # type: ignore[attr-defined]
        if association.dul.socket:
            association.dul.socket.__class__ = CappedSocket
        orders = core.orders.association
        if orders.abort_after_pdus is not None:
            association.pdus_left = PdusLeft(orders.abort_after_pdus)  # type: ignore[attr-defined]
            association.bind(evt.EVT_PDU_RECV, _count_received)
        return association


class SharedContext(PresentationContext):
    """A context that all associations share: negotiation only reads it."""

    def __deepcopy__(self, memo: dict[int, Any]) -> SharedContext:
        return self


@lru_cache(maxsize=1024)
def shared_context(
    abstract_syntax: str, transfer_syntaxes: tuple[UID, ...], *, both_roles: bool = False
) -> SharedContext:
    """A supported context; `both_roles` lets the requestor be SCP too (C-GET, PS3.7 D.3.3.4)."""
    context = SharedContext()
    context.abstract_syntax = UID(abstract_syntax)
    context.transfer_syntax = list(transfer_syntaxes)
    if both_roles:
        context.scu_role = context.scp_role = True
    return context


def tune(event: evt.Event) -> None:
    """Bound to EVT_CONN_OPEN: Nagle off, and no read or write without end."""
    wrapped = event.assoc.dul.socket
    if wrapped and wrapped.socket:
        wrapped.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wrapped.socket.settimeout(SOCKET_TIMEOUT_S)


def _count_received(event: evt.Event) -> None:
    left = getattr(event.assoc, "pdus_left", None)
    if left is not None:
        try:
            left.take(event.assoc)
        except AssociationLost:
            return


@contextmanager
def requested(
    core: Core,
    destination: str,
    contexts: list[PresentationContext],
    roles: list[SCP_SCU_RoleSelectionNegotiation] | None = None,
) -> Iterator[Association]:
    """An association that we request of a known destination.

    Raises:
        AssociationLost: The destination refuses or is not there.
    """
    host, port = core.destinations[destination]
    association = core.ae.associate(
        host,
        port,
        contexts=contexts,
        ae_title=destination,
        max_pdu=MAXIMUM_PDU_BYTES,
        ext_neg=list(roles or ()),
        evt_handlers=[(evt.EVT_CONN_OPEN, tune)],
    )
    if not association.is_established:
        raise AssociationLost
    _guard(association)
    try:
        yield association
    except BaseException:
        association.abort()
        raise
    else:
        association.release()
    finally:
        _let_go(association)


def _let_go(association: Association) -> None:
    wrapped = association.dul.socket
    if wrapped and wrapped.socket:
        wrapped.socket.close()


def _guard(association: Association) -> None:
    """Only our blocking reads may take a DIMSE message.

    pynetdicom 3.0.4 lets its reactor thread take a response that came between its check and its
    read, and then drops it; the reactor is the only one that reads without blocking.
    """
    take = association.dimse.get_msg
    association.dimse.get_msg = (  # type: ignore[method-assign]
        lambda block=False: take(block) if block else (None, None)
    )
