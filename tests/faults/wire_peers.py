"""Peers that misbehave to order, made of a bare socket."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator

from migrate.wire.dimse.command import CommandSet, encode
from migrate.wire.dimse.pdu import (
    AnsweredContext,
    AssociateAccept,
    AssociateRequest,
    ProposedContext,
    decode_request,
    encode_accept,
    encode_request,
)

CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT = "1.2.840.10008.1.2"


def value(body: bytes, *, is_command: bool, last: bool = True, context_id: int = 1) -> bytes:
    """One P-DATA-TF with one value."""
    control = (1 if is_command else 0) | (2 if last else 0)
    return struct.pack(">BxIIBB", 4, len(body) + 6, len(body) + 2, context_id, control) + body


def command(what: CommandSet, context_id: int = 1) -> bytes:
    """A command set as P-DATA-TF."""
    return value(encode(what), is_command=True, context_id=context_id)


def store_request(**more: int) -> CommandSet:
    """A C-STORE-RQ."""
    return CommandSet(
        command_field=1,
        command_data_set_type=1,
        affected_sop_class_uid=CT,
        affected_sop_instance_uid="1.2.3",
        message_id=more.get("message_id", 1),
        priority=0,
    )


def read_pdu(sock: socket.socket) -> tuple[int, bytes]:
    """One PDU: type and body; type 0 when the connection has ended."""
    head = _read(sock, 6)
    if len(head) < 6:
        return 0, b""
    kind, length = struct.unpack(">BxI", head)
    return kind, _read(sock, length)


def _read(sock: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size:
        try:
            piece = sock.recv(size - len(got))
        except ConnectionError:
            return got
        if not piece:
            return got
        got += piece
    return got


def read_to_end(sock: socket.socket) -> list[tuple[int, bytes]]:
    """Every PDU until the peer closes."""
    seen = []
    while (pdu := read_pdu(sock))[0]:
        seen.append(pdu)
    return seen


def request(called: str = "MIGRATE", contexts: int = 1) -> bytes:
    """An A-ASSOCIATE-RQ for CT storage."""
    return encode_request(
        AssociateRequest(
            called_ae_title=called,
            calling_ae_title="BARE",
            max_pdu_bytes=16384,
            contexts=tuple(ProposedContext(2 * index % 256 + 1, CT, (IMPLICIT,)) for index in range(contexts)),
        )
    )


@contextlib.contextmanager
def dialled(port: int, *, associate: bool = True) -> Iterator[socket.socket]:
    """A connection to a receiver on this machine, with an association if wanted."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        if associate:
            sock.sendall(request())
            assert read_pdu(sock)[0] == 2
        yield sock


@contextlib.contextmanager
def answering(script: Callable[[socket.socket], object], *, associate: bool = True) -> Iterator[int]:
    """A server for one connection that accepts every context, then follows `script`; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                sock, _ = listener.accept()
                with sock:
                    sock.settimeout(20)
                    if associate:
                        _accept(sock)
                    script(sock)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.close()
        thread.join(timeout=20)


def _accept(sock: socket.socket) -> None:
    _, body = read_pdu(sock)
    asked = decode_request(body)
    answers = tuple(AnsweredContext(one.context_id, 0, one.transfer_syntaxes[0]) for one in asked.contexts)
    accept = AssociateAccept(
        called_ae_title=asked.called_ae_title,
        calling_ae_title=asked.calling_ae_title,
        max_pdu_bytes=16384,
        contexts=answers,
    )
    sock.sendall(encode_accept(accept))
