"""The same associations on pynetdicom: another implementation, selectable when ours meets its match.

Guards, each for something that was seen with pynetdicom 3.0.4:
- its reactor thread may take a response that `send_*` waits for: a C-FIND then ends short, with
  success. Here only this thread reads the queue of messages;
- a peer that stops in the middle of a PDU holds a thread for ever: the socket gets a time limit;
- it believes any PDU length: reads beyond the limit fail;
- it leaves Nagle on and logs identifiers at INFO.
Objects pass through memory whole, so large multi-frame objects want our own stack.
"""

from __future__ import annotations

import logging
import socket
import time
from collections import deque
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, Final, NoReturn, Self

from pydicom.uid import UID
from pynetdicom import _config, ae, evt
from pynetdicom.association import Association as PynetdicomConnection
from pynetdicom.presentation import build_context

from migrate.errors import PeerRefused, PeerUnavailable
from migrate.wire.dimse.bodies import MemoryBody
from migrate.wire.dimse.channel import AcceptedContext, Message, OpenBody, Patience
from migrate.wire.dimse.command import CommandField, CommandSet
from migrate.wire.dimse.endpoint import NO_EXTENDED, Context, Endpoint, rejection
from migrate.wire.dimse.limits import Limits
from migrate.wire.dimse.outgoing import FileRange, Outgoing, blocks
from migrate.wire.dimse.pdu import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, AssociateReject
from migrate.wire.dimse.pynetdicom_messages import accepted_of, answer_of, message_of, negotiation_items, primitive_of
from migrate.wire.dimse.scu import Association

_config.LOG_REQUEST_IDENTIFIERS = False
_config.LOG_RESPONSE_IDENTIFIERS = False
# It logs what it receives and with tracebacks; what matters we raise.
logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)

_BLOCK_BYTES: Final = 262_144


class PynetdicomAssociation(Association):
    """`Association` with pynetdicom underneath."""

    @classmethod
    def open(cls, endpoint: Endpoint, contexts: Sequence[Context], extended: Mapping[str, bytes] = NO_EXTENDED) -> Self:
        """See `Association.open`."""
        channel = PynetdicomChannel(endpoint, contexts, extended)
        return cls(endpoint, channel, channel.answer)


class PynetdicomChannel:
    """A `Channel` on a pynetdicom association.

    Attributes:
        contexts: What was agreed, by presentation context id.
        answer: What the peer said in its A-ASSOCIATE-AC.
    """

    def __init__(self, endpoint: Endpoint, contexts: Sequence[Context], extended: Mapping[str, bytes]) -> None:
        if len(contexts) > endpoint.limits.max_contexts:
            raise ValueError(f"{len(contexts)} presentation contexts, max_contexts={endpoint.limits.max_contexts}")
        self._endpoint = endpoint
        self._connected = False
        self._events: deque[Message] = deque()
        self._peer = self._associate(contexts, extended)
        if not self._peer.is_established:
            self._not_established()
        _only_this_thread_reads(self._peer)
        self.answer = answer_of(self._peer)
        self.contexts: Mapping[int, AcceptedContext] = {
            one.context_id: accepted_of(one) for one in self._peer.accepted_contexts if one.context_id is not None
        }

    @property
    def is_open(self) -> bool:
        """See `Channel.is_open`."""
        return bool(self._peer.is_established)

    def next(self, open_body: OpenBody, patience: Patience) -> Message | None:
        """See `Channel.next`."""
        began = time.monotonic()
        while True:
            if self._events:
                return self._events.popleft()
            context_id, primitive = self._peer.dimse.get_msg(block=True)
            if primitive is not None and context_id is not None:
                return message_of(self.contexts[context_id], primitive, open_body)
            if self._peer.is_released:
                return None
            if not self._peer.is_established or not self._peer.is_alive():
                raise PeerUnavailable("the association was aborted", peer=self._endpoint.ae_title)
            if patience.abandon is not None and patience.abandon():
                self._give_up("the wait was ended", "abandon")
            if patience.wait_s is not None and time.monotonic() - began > patience.wait_s:
                self._give_up("no answer in time", patience.limit)

    def poll(self) -> bool:
        """See `Channel.poll`."""
        deadline = time.monotonic() + self._endpoint.limits.tick_s
        while time.monotonic() < deadline and self.is_open:
            if self._events or not self._peer.dimse.msg_queue.empty():
                return True
            time.sleep(0.01)
        return not self.is_open

    def send(self, context_id: int, command: CommandSet, data_set: bytes | None = None) -> None:
        """See `Channel.send`."""
        if command.command_field == CommandField.N_EVENT_REPORT_RSP:
            return  # pynetdicom has answered already
        self._send(context_id, primitive_of(command, data_set))

    def send_object(self, context_id: int, command: CommandSet, item: Outgoing) -> None:
        """See `Channel.send_object`."""
        primitive = primitive_of(command, None)
        rest = _rest_of_file(item)
        whole = bytearray()
        for block in blocks(item, memoryview(bytearray(_BLOCK_BYTES))):
            if rest is None:
                whole += block
        if rest is not None:
            primitive._dataset_path = (rest.path, rest.offset)  # noqa: SLF001  its way to send in chunks
        else:
            primitive.DataSet = BytesIO(whole)
        self._send(context_id, primitive)

    def release(self) -> None:
        """See `Channel.release`."""
        if self._peer.is_established:
            self._peer.release()

    def abort(self) -> None:
        """See `Channel.abort`."""
        if self._peer.is_established:
            self._peer.abort()

    # ---- inside

    def _send(self, context_id: int, primitive: Any) -> None:
        if not self._peer.is_established:
            raise PeerUnavailable("the association has ended", peer=self._endpoint.ae_title)
        self._peer.dimse.send_msg(primitive, context_id)

    def _associate(self, contexts: Sequence[Context], extended: Mapping[str, bytes]) -> PynetdicomConnection:
        endpoint, limits = self._endpoint, self._endpoint.limits
        entity = ae.ApplicationEntity(endpoint.calling_ae_title)
        entity.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
        entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        entity.connection_timeout = limits.connect_s
        entity.acse_timeout = limits.artim_s
        entity.dimse_timeout = limits.tick_s
        entity.network_timeout = None
        return entity.associate(
            endpoint.host,
            endpoint.port,
            contexts=[build_context(one.abstract_syntax, list(one.transfer_syntaxes)) for one in contexts],
            ae_title=endpoint.ae_title,
            max_pdu=limits.max_pdu_bytes,
            ext_neg=negotiation_items(contexts, extended),
            tls_args=(endpoint.tls, endpoint.host) if endpoint.tls else None,
            evt_handlers=[(evt.EVT_CONN_OPEN, self._on_open), (evt.EVT_N_EVENT_REPORT, self._on_event)],
        )

    def _on_open(self, event: evt.Event) -> None:
        self._connected = True
        transport = event.assoc.dul.socket
        assert transport is not None
        raw = transport.socket
        assert raw is not None
        raw.settimeout(self._endpoint.limits.stall_s)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.recv = _capped(transport.recv, self._endpoint.limits)  # type: ignore[method-assign]

    def _on_event(self, event: evt.Event) -> tuple[int, None]:
        context = self.contexts[event.context.context_id]
        body = MemoryBody(self._endpoint.limits.max_identifier_bytes)
        self._events.append(message_of(context, event.request, lambda *_: body))
        return 0x0000, None

    def _not_established(self) -> NoReturn:
        peer, endpoint = self._peer, self._endpoint
        answer = peer.acceptor.primitive
        if peer.is_rejected and answer is not None:
            raise rejection(
                endpoint, AssociateReject(answer.result or 0, answer.result_source or 0, answer.diagnostic or 0)
            )
        fact = "association aborted at once" if self._connected else "no connection"
        if self._connected and peer.acceptor.primitive is not None:
            peer.abort()
            raise PeerRefused("the peer accepts none of the services we ask for", peer=endpoint.ae_title)
        raise PeerUnavailable(fact, peer=f"{endpoint.host}:{endpoint.port}")

    def _give_up(self, fact: str, limit: str) -> NoReturn:
        self.abort()
        raise PeerUnavailable(fact, limit=limit)


def _only_this_thread_reads(peer: PynetdicomConnection) -> None:
    """Keep the reactor away from the message queue: it alone asks without blocking."""
    take = peer.dimse.get_msg

    def get_msg(block: bool = False) -> Any:  # noqa: FBT001, FBT002  as pynetdicom declares it
        return take(block) if block else (None, None)

    peer.dimse.get_msg = get_msg  # type: ignore[method-assign]


def _capped(recv: Any, limits: Limits) -> Any:
    most = max(limits.max_associate_bytes, limits.max_pdu_bytes + limits.pdu_slack_bytes)

    def capped(nr_bytes: int) -> bytearray:
        if nr_bytes > most:
            raise OSError("a PDU longer than the limit")
        return bytearray(recv(nr_bytes))

    return capped


def _rest_of_file(item: Outgoing) -> FileRange | None:
    """The one file that `item` is the end of, if it is: that can be sent in chunks."""
    if len(item.segments) == 1 and isinstance(only := item.segments[0], FileRange):
        return only if only.offset + only.length == only.path.stat().st_size else None
    return None
