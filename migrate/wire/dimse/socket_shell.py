"""A thin blocking shell around a socket: moves bytes between it and an `UpperLayer`.

Nagle is off and delayed acknowledgement is disarmed after each read: a peer that has Nagle on
(DCMTK and Orthanc as Debian builds them) otherwise waits 40 ms for our ACK in every message.
No call waits longer than a tick without looking at the clock, nothing is read beyond a limit.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import time
from collections import deque
from collections.abc import Sequence
from typing import Final

from migrate.errors import PeerUnavailable
from migrate.wire.dimse.limits import Limits
from migrate.wire.dimse.upper_layer import Event, UpperLayer

_QUICKACK: Final = getattr(socket, "TCP_QUICKACK", None)  # Linux only
_LINGER_S: Final = 1.0
_LINGER_BYTES: Final = 64 * 1024 * 1024

Buffer = bytes | bytearray | memoryview


class Link:
    """One connection and its upper layer.

    Attributes:
        layer: The state machine.
        events: What came in and was not yet taken. Views in it are good until the next `pump`.
    """

    def __init__(self, sock: socket.socket, layer: UpperLayer, limits: Limits) -> None:
        self.layer = layer
        self.events: deque[Event] = deque()
        self.limits = limits
        self._socket = sock
        self._is_tls = isinstance(sock, ssl.SSLSocket)
        self._buffer = memoryview(bytearray(limits.max_pdu_bytes + limits.pdu_slack_bytes + 1024))
        self._last_byte_at = time.monotonic()
        self._closed = False
        _set_up(sock, limits, is_tls=self._is_tls)

    @property
    def silent_s(self) -> float:
        """How long no byte has come."""
        return time.monotonic() - self._last_byte_at

    @property
    def closed(self) -> bool:
        """Whether the connection is gone."""
        return self._closed

    def touch(self) -> None:
        """Start to wait for something new: silence counts from now."""
        self._last_byte_at = time.monotonic()

    def pump(self) -> bool:
        """Read once, for a tick at most, and queue the events; False when nothing came."""
        got = self._read()
        if got is None:
            return False
        if got == 0:
            self.events.extend(self.layer.transport_closed())
            self.close()
            return True
        self._last_byte_at = time.monotonic()
        self.events.extend(self.layer.receive(self._buffer[:got]))
        self.settle()
        return True

    def is_readable(self, wait_s: float) -> bool:
        """Whether a read would return at once, now or within `wait_s`."""
        if self._is_tls and isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return True
        poll = select.poll()  # select() ends at descriptor 1024
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(wait_s * 1000))

    def _read(self) -> int | None:
        if self._closed:
            return 0
        certain = self.layer.certain_bytes
        try:
            if self._is_tls:
                return self._socket.recv_into(self._buffer)
            if certain:
                # These bytes come before the peer waits for anything: one call fetches them all.
                wanted = min(certain, len(self._buffer))
                got = self._socket.recv_into(self._buffer, wanted, socket.MSG_WAITALL)
            else:
                got = self._socket.recv_into(self._buffer)
            if _QUICKACK is not None:
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
        except (BlockingIOError, TimeoutError, ssl.SSLWantReadError):
            return None
        except OSError:
            return 0  # reset by the peer, or closed by `stop`: the same to the state machine
        return got

    def settle(self) -> None:
        """Send what the state machine wants sent and close what it wants closed."""
        out = self.layer.outgoing()
        if out:
            with contextlib.suppress(PeerUnavailable):
                self.send(out)
        if self.layer.closing:
            self.close()

    def send(self, *buffers: Buffer) -> None:
        """Send all bytes, in one system call where the kernel takes them.

        Raises:
            PeerUnavailable: The peer took nothing for `stall_s`, or the connection is gone.
        """
        try:
            if self._is_tls:
                self._send_tls(buffers)
            else:
                self._send_plain(buffers)
        except (BlockingIOError, TimeoutError):
            self.close()
            raise PeerUnavailable("the peer stopped reading", stall_s=self.limits.stall_s) from None
        except OSError as error:
            self._fail(error)

    def close(self, *, linger: bool = False) -> None:
        """Close the connection; with `linger` let an A-ABORT arrive before.

        Closing with unread bytes would make the kernel reset the connection, and the peer might
        never see our last PDU.
        """
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError, ValueError):
            if linger:
                self._drain()
        with contextlib.suppress(OSError):
            self._socket.close()

    def shut(self) -> None:
        """End both directions from another thread: its blocked read returns at once."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _drain(self) -> None:
        if not self._is_tls:
            self._socket.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + _LINGER_S
        left = _LINGER_BYTES
        while left > 0 and (remaining := deadline - time.monotonic()) > 0:
            got = self._socket.recv_into(self._buffer) if self.is_readable(remaining) else 0
            if not got:
                return
            left -= got

    def _send_plain(self, buffers: Sequence[Buffer]) -> None:
        total = sum(len(one) for one in buffers)
        sent = self._socket.sendmsg(buffers)
        while sent < total:  # the kernel took a part before `stall_s` ran out: the peer is slow, not gone
            total -= sent
            buffers = _after(buffers, sent)
            sent = self._socket.sendmsg(buffers)

    def _send_tls(self, buffers: Sequence[Buffer]) -> None:
        self._socket.settimeout(self.limits.stall_s)
        try:
            for one in buffers:
                self._socket.sendall(one)
        finally:
            self._socket.settimeout(self.limits.tick_s)

    def _fail(self, error: OSError) -> None:
        self.close()
        raise PeerUnavailable("the connection was lost while sending", errno=error.errno) from None


def _after(buffers: Sequence[Buffer], sent: int) -> list[Buffer]:
    rest: list[Buffer] = []
    for one in buffers:
        if sent >= len(one):
            sent -= len(one)
            continue
        rest.append(memoryview(one)[sent:] if sent else one)
        sent = 0
    return rest


def _set_up(sock: socket.socket, limits: Limits, *, is_tls: bool) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if is_tls:
        sock.settimeout(limits.tick_s)
        return
    # Time limits in the kernel instead of poll() before each call; MSG_WAITALL needs a blocking socket.
    sock.settimeout(None)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(limits.tick_s))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(limits.stall_s))


def _timeval(seconds: float) -> bytes:
    whole = int(seconds)
    return struct.pack("@ll", whole, max(int((seconds - whole) * 1e6), 0 if whole else 1000))


def connect(host: str, port: int, tls: ssl.SSLContext | None, connect_s: float) -> socket.socket:
    """Open a TCP connection, with TLS when a context is given.

    Raises:
        PeerUnavailable: Nobody listens, no answer within `connect_s`, or the TLS handshake failed.
    """
    try:
        sock = socket.create_connection((host, port), timeout=connect_s)
    except (OSError, UnicodeError) as error:  # a host such as `a..b` cannot even be asked for
        hint = "is the peer running, and does a firewall let us through?"
        raise PeerUnavailable("no connection", hint, peer=f"{host}:{port}", cause=_cause(error)) from None
    if tls is None:
        return sock
    try:
        return tls.wrap_socket(sock, server_hostname=host)
    except (OSError, ValueError) as error:
        sock.close()
        hint = "compare certificates, authorities and host name of both sides; does the port speak TLS?"
        raise PeerUnavailable("TLS handshake failed", hint, peer=f"{host}:{port}", cause=_cause(error)) from None


def _cause(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return str(getattr(error, "reason", "") or getattr(error, "strerror", "") or type(error).__name__)
