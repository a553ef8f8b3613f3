"""The least that receiving costs in Python: a loop that promises nothing, to tell what a miss is made of.

It negotiates with our own codec, then reads PDUs into one buffer, hashes and writes the bytes and renames the
file. It checks no structure, no length, no state and no caller, digests neither pixels nor elements, makes
nothing durable, and an unusual message ends it. Nobody should receive like this.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import xxhash

from migrate.wire.dimse.negotiation import Acceptance, answer_contexts
from migrate.wire.dimse.pdu import RELEASE_RP, AssociateAccept, AssociateRequest, decode_request, encode_accept

_PDU: Final = struct.Struct(">BxI")
_VALUE: Final = struct.Struct(">IBB")
_ELEMENT: Final = struct.Struct("<HHI")
_MAX_PDU_BYTES: Final = 131_072
_META_BYTES: Final = 358  # what our preamble and meta information take
_P_DATA_TF, _RELEASE_RQ = 4, 5


class BareReceiver:
    """Listens and writes what comes into `folder`, a thread for each association."""

    def __init__(self, folder: Path, port: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """Take no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=_Bare(connection, str(self.folder)).run, daemon=True).start()


class _Bare:
    """One association."""

    def __init__(self, connection: socket.socket, folder: str) -> None:
        self._socket = connection
        self._folder = folder
        self._head = memoryview(bytearray(_PDU.size))
        self._body = memoryview(bytearray(_MAX_PDU_BYTES + 65_536))
        self._command = b""
        self._fields: dict[int, bytes] = {}
        self._name = f"{folder}/{os.getpid()}-{connection.fileno()}"
        self._file = -1
        self._digest = xxhash.xxh3_128()

    def run(self) -> None:
        """Until the peer releases or goes."""
        with self._socket, contextlib.suppress(EOFError):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(_accepted(decode_request(bytes(self._read()[1]))))
            while True:
                kind, body = self._read()
                if kind == _RELEASE_RQ:
                    self._socket.sendall(RELEASE_RP)
                if kind != _P_DATA_TF:
                    return
                self._values(body)

    def _read(self) -> tuple[int, memoryview]:
        self._fill(self._head)
        kind, length = _PDU.unpack(self._head)
        body = self._body[:length]
        self._fill(body)
        return kind, body

    def _fill(self, view: memoryview) -> None:
        if self._socket.recv_into(view, len(view), socket.MSG_WAITALL) != len(view):
            raise EOFError
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _values(self, body: memoryview) -> None:
        at = 0
        while at < len(body):
            length, context_id, control = _VALUE.unpack_from(body, at)
            view = body[at + _VALUE.size : at + 4 + length]
            at += 4 + length
            if control & 1:
                self._command += view
                if control & 2:
                    self._begin()
            else:
                self._digest.update(view)
                os.write(self._file, view)
                if control & 2:
                    self._end(context_id)

    def _begin(self) -> None:
        at, command = 0, self._command
        while at < len(command):
            _, element, length = _ELEMENT.unpack_from(command, at)
            self._fields[element] = command[at + 8 : at + 8 + length]
            at += 8 + length
        self._command = b""
        self._digest = xxhash.xxh3_128()
        self._file = os.open(self._name, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        os.write(self._file, bytes(_META_BYTES))

    def _end(self, context_id: int) -> None:
        os.close(self._file)
        os.replace(self._name, f"{self._folder}/{self._digest.hexdigest()}.dcm")  # noqa: PTH105 - the least
        answer = b"".join(
            _ELEMENT.pack(0, element, len(value)) + value
            for element, value in (
                (0x0002, self._fields[0x0002]),
                (0x0100, b"\x01\x80"),
                (0x0120, self._fields[0x0110]),
                (0x0800, b"\x01\x01"),
                (0x0900, b"\0\0"),
                (0x1000, self._fields[0x1000]),
            )
        )
        answer = _ELEMENT.pack(0, 0, 4) + len(answer).to_bytes(4, "little") + answer
        size = len(answer)
        self._socket.sendall(_PDU.pack(_P_DATA_TF, size + 6) + _VALUE.pack(size + 2, context_id, 3) + answer)


def _accepted(request: AssociateRequest) -> bytes:
    contexts, _ = answer_contexts(request, Acceptance())
    return encode_accept(
        AssociateAccept(
            called_ae_title=request.called_ae_title,
            calling_ae_title=request.calling_ae_title,
            max_pdu_bytes=_MAX_PDU_BYTES,
            contexts=contexts,
        )
    )


def start(folder: Path, port: int) -> Callable[[], None]:
    """Listen; what ends it."""
    return BareReceiver(folder, port).stop
