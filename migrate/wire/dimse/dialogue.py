"""DIMSE messages over one association, for both roles (PS3.7 6.3, PS3.8 Annex E)."""

from __future__ import annotations

import contextlib
import struct
import time
from collections.abc import Mapping
from typing import Final, NoReturn

from migrate.errors import PeerError, PeerUnavailable
from migrate.wire.dimse.bodies import Body, DroppedBody
from migrate.wire.dimse.channel import AcceptedContext, Message, OpenBody, Patience
from migrate.wire.dimse.command import BadCommand, CommandSet, decode, encode
from migrate.wire.dimse.framing import Fragment
from migrate.wire.dimse.outgoing import Outgoing, blocks
from migrate.wire.dimse.socket_shell import Buffer, Link
from migrate.wire.dimse.upper_layer import Aborted, Event, Released, ReleaseRequested

_VALUE_HEADER: Final = struct.Struct(">BxIIBB")
_COMMAND_PART: Final = 1
_LAST_PART: Final = 2
# What we send at most in one P-DATA-TF to a peer that sets no limit or a very large one.
_LARGEST_SENT_BYTES: Final = 131_072
# Of command and data set each: what a pause must bring to be worth it, and how many reads go without one if not.
_SEVERAL_EVENTS: Final = 4
_MOST_READS_BETWEEN: Final = 64
# Read and handed to the kernel at a time; fits the second level cache.
_BLOCK_BYTES: Final = 262_144


class Dialogue:
    """Sends and receives whole messages; cuts and joins fragments.

    Args:
        link: A connection with an established association.
        contexts: What was agreed, by presentation context id.
        peer_max_pdu_bytes: What the peer offers to receive; 0 is no limit.
    """

    def __init__(self, link: Link, contexts: Mapping[int, AcceptedContext], peer_max_pdu_bytes: int) -> None:
        self.link = link
        self.contexts = contexts
        largest = min(peer_max_pdu_bytes or _LARGEST_SENT_BYTES, _LARGEST_SENT_BYTES)
        # PS3.8 D.1.1: the limit counts from after the PDU header. Even, because some peers insist.
        self.value_bytes = max(2, (largest - 6) & ~1)
        self._command_parts = bytearray()
        self._context: AcceptedContext | None = None
        self._command: CommandSet | None = None
        self._body: Body | None = None
        self._body_bytes = 0
        self._deadline = 0.0
        self._asked_at = 0.0
        self._buffer: memoryview | None = None
        self._reads_between = self._unpaused = 1

    @property
    def is_open(self) -> bool:
        """See `Channel.is_open`: looks at what has come meanwhile, without waiting."""
        while self._may_send() and not self.link.events and self.link.is_readable(0):
            self.link.pump()
        if self.link.events and isinstance(self.link.events[0], ReleaseRequested | Aborted):
            with contextlib.suppress(PeerError):
                self._is_end(self.link.events.popleft())
        return self._may_send()

    # ---- receiving

    def poll(self) -> bool:
        """See `Channel.poll`."""
        return bool(self.link.events) or (self.link.pump() and bool(self.link.events))

    def next(self, open_body: OpenBody, patience: Patience) -> Message | None:
        """See `Channel.next`."""
        link = self.link
        link.touch()
        try:
            while True:
                while link.events:
                    event = link.events.popleft()
                    if type(event) is Fragment:
                        message = self._take(event, open_body)
                        if message is not None:
                            return message
                    elif self._is_end(event):
                        return None
                self._wait(patience)
        except BaseException as error:
            if self._body is not None:
                self._body.discard(type(error).__name__)
                self._body = None
            raise

    def _take(self, piece: Fragment, open_body: OpenBody) -> Message | None:
        body = self._body
        if not piece.is_command:
            if body is None or self._context is None or piece.context_id != self._context.context_id:
                self.violate("a data set without its command set")
            self._body_bytes += len(piece.view)
            if self._body_bytes > body.limit_bytes:
                self.violate(f"a data set of more than {body.limit_bytes} bytes")
            body.write(piece.view)
            return self._complete() if piece.last else None
        if body is not None:
            self.violate("a command set inside a data set")
        self._command_parts += piece.view
        if not self._deadline:
            self._deadline = time.monotonic() + self.link.limits.transfer_s
        if len(self._command_parts) > self.link.limits.max_command_bytes:
            self.violate(f"a command set of more than max_command_bytes={self.link.limits.max_command_bytes}")
        if not piece.last:
            return None
        return self._begin(piece.context_id, open_body)

    def _begin(self, context_id: int, open_body: OpenBody) -> Message | None:
        context = self.contexts.get(context_id)
        if context is None:
            self.violate(f"presentation context {context_id} was not accepted")
        try:
            self._command = decode(bytes(self._command_parts))
        except BadCommand as bad:
            self.violate(str(bad))
        self._command_parts.clear()
        self._context = context
        if not self._command.has_data_set:
            return self._complete()
        self._body = open_body(context, self._command)
        self._body_bytes = 0
        return None

    def _complete(self) -> Message:
        assert self._context is not None
        assert self._command is not None
        message = Message(self._context, self._command, self._body)
        self._context = self._command = self._body = None
        self._deadline = 0.0
        return message

    def _is_end(self, event: Event) -> bool:
        if isinstance(event, ReleaseRequested):
            if self.link.events:
                return False  # what came behind it has ended the association already, and says how
            self.link.layer.release_response()
            self.link.settle()
            self.link.close(linger=True)
            return True
        if isinstance(event, Released):
            return True
        if isinstance(event, Aborted):
            self.link.close(linger=not event.by_peer)
            if event.by_peer:
                raise PeerUnavailable(
                    "the association was aborted", cause=event.fact, source=event.source, reason=event.reason
                )
            raise PeerError("the peer broke the protocol, association aborted", cause=event.fact)
        return self.violate(f"{type(event).__name__} inside an association")

    def _wait(self, patience: Patience) -> None:
        link = self.link
        if link.closed:
            raise PeerUnavailable("the connection is closed")
        came = self._gathered(patience.gather_s) if patience.gather_s else link.pump()
        now = time.monotonic()
        if self._deadline and now > self._deadline:
            self.give_up("a message took too long", "transfer_s")
        if patience.abandon is not None and not self._deadline and now - self._asked_at >= link.limits.tick_s:
            self._asked_at = now
            if patience.abandon():
                self.give_up("the wait was ended", "abandon")
        if came:
            return
        if self._deadline or link.layer.in_pdu:
            if link.silent_s > link.limits.stall_s:
                self.give_up("the peer fell silent in the middle of a message", "stall_s")
        elif patience.wait_s is not None and link.silent_s > patience.wait_s:
            self.give_up("no answer in time", patience.limit)

    def _gathered(self, gather_s: float) -> bool:
        """Read after a pause, but rarely where a pause brings nothing more.

        A peer with Nagle on sends the next message only when we have acknowledged the one before.
        """
        self._unpaused -= 1
        if self._unpaused > 0:
            return self.link.pump()
        time.sleep(gather_s)
        came = self.link.pump()
        few = len(self.link.events) < _SEVERAL_EVENTS
        self._reads_between = min(2 * self._reads_between, _MOST_READS_BETWEEN) if few else 1
        self._unpaused = self._reads_between
        return came

    def _may_send(self) -> bool:
        return not self.link.closed and self.link.layer.may_send_data()

    # ---- ending

    def give_up(self, fact: str, limit: str) -> NoReturn:
        """Abort as the service user and raise PeerUnavailable."""
        self.abort()
        raise PeerUnavailable(fact, limit=limit)

    def violate(self, fact: str) -> NoReturn:
        """Abort as the service provider because of what the peer sent, and raise PeerError."""
        for _ in self.link.layer.violated(fact):
            pass  # the event says what the exception says
        self.link.settle()
        self.link.close(linger=True)
        raise PeerError("the peer broke the protocol, association aborted", cause=fact)

    def release(self) -> None:
        """See `Channel.release`."""
        link = self.link
        with contextlib.suppress(PeerError):  # ending is all that is wanted
            if self.is_open:
                link.layer.release()
                link.settle()
                self.next(_dropped, Patience(link.limits.artim_s, "artim_s"))
        link.close()

    def abort(self) -> None:
        """See `Channel.abort`."""
        if not self.link.closed:
            self.link.layer.abort()
            self.link.settle()
            self.link.close(linger=True)

    # ---- sending

    def send_object(self, context_id: int, command: CommandSet, item: Outgoing) -> None:
        """See `Channel.send_object`."""
        if self._buffer is None:
            values = max(1, _BLOCK_BYTES // self.value_bytes)
            self._buffer = memoryview(bytearray(values * self.value_bytes))
        parts = self.values(context_id, memoryview(encode(command)), is_command=True, ends=True)
        left = item.size_bytes
        try:
            for block in blocks(item, self._buffer):
                left -= len(block)
                parts += self.values(context_id, block, is_command=False, ends=left == 0)
                self.send_values(parts)
                parts = []
        except BaseException:
            # Half an object may have gone out: nothing but an abort can follow.
            self.abort()
            raise

    def send(self, context_id: int, command: CommandSet, data_set: bytes | None = None) -> None:
        """See `Channel.send`."""
        parts = self.values(context_id, memoryview(encode(command)), is_command=True, ends=True)
        if data_set is not None:
            parts += self.values(context_id, memoryview(data_set), is_command=False, ends=True)
        self.send_values(parts)

    def send_values(self, parts: list[Buffer]) -> None:
        """Send buffers made by `values`. Raises PeerUnavailable when the association is gone."""
        if not self._may_send():
            raise PeerUnavailable("the association has ended")
        for at in range(0, len(parts), 512):  # IOV_MAX is 1024
            self.link.send(*parts[at : at + 512])

    def values(self, context_id: int, view: memoryview, *, is_command: bool, ends: bool) -> list[Buffer]:
        """Cut `view` into P-DATA-TF PDUs of one value each: headers and slices in turn."""
        size = self.value_bytes
        total = len(view)
        parts: list[Buffer] = []
        control = _COMMAND_PART if is_command else 0
        at = 0
        while True:
            taken = min(size, total - at)
            last = ends and at + taken == total
            header = _VALUE_HEADER.pack(4, taken + 6, taken + 2, context_id, control | (_LAST_PART if last else 0))
            parts += (header, view[at : at + taken])
            at += taken
            if at >= total:
                return parts


def _dropped(context: AcceptedContext, command: CommandSet) -> Body:
    """Where data sets go that come when nobody wants them any more."""
    return DroppedBody()
