"""The least that sending costs in Python: a loop that promises nothing (see `benchmarks.bare`).

It reads each file, hashes it, sends it in the largest P-DATA-TF PDUs that the peer takes and waits for one
response, which it does not look at. It compares the digest with nothing.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import xxhash

from migrate.dicom.part10 import FileMeta, read_meta
from migrate.wire.dimse.command import CommandField, CommandSet, encode
from migrate.wire.dimse.pdu import RELEASE_RQ, AssociateRequest, ProposedContext, decode_accept, encode_request

_PDU: Final = struct.Struct(">BxI")
_HEADER: Final = struct.Struct(">BxIIBB")
_BLOCK_BYTES: Final = 131_072
_CONTEXT_ID: Final = 1


class BareSender:
    """One association to a peer, for files of one SOP class and transfer syntax."""

    def __init__(self, called_ae_title: str, port: int, first: Path) -> None:
        self._block = memoryview(bytearray(_BLOCK_BYTES))
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        meta = _meta(first)
        context = ProposedContext(_CONTEXT_ID, meta.sop_class_uid, (meta.transfer_syntax_uid,))
        request = AssociateRequest(
            called_ae_title=called_ae_title, calling_ae_title="BARE", max_pdu_bytes=131_072, contexts=(context,)
        )
        self._socket.sendall(encode_request(request))
        largest = decode_accept(self._answer()).max_pdu_bytes or _BLOCK_BYTES
        self._value_bytes = min(largest, _BLOCK_BYTES) - 6

    def send(self, paths: Sequence[Path]) -> None:
        """C-STORE each; no status is looked at."""
        for number, path in enumerate(paths):
            self._one(path, number)
        self._socket.sendall(RELEASE_RQ)
        self._answer()
        self._socket.close()

    def _one(self, path: Path, number: int) -> None:
        meta = _meta(path)
        command = encode(
            CommandSet(
                command_field=CommandField.C_STORE_RQ,
                command_data_set_type=1,
                affected_sop_class_uid=meta.sop_class_uid,
                affected_sop_instance_uid=meta.sop_instance_uid,
                message_id=number & 0xFFFF,
                priority=0,
            )
        )
        parts: list[bytes | memoryview] = [_header(len(command), 3), command]
        digest = xxhash.xxh3_128()
        file = os.open(path, os.O_RDONLY)
        at, size = meta.dataset_offset, os.fstat(file).st_size
        while at < size:
            count = os.preadv(file, [self._block], at)
            at += count
            digest.update(self._block[:count])
            for begin in range(0, count, self._value_bytes):
                value = self._block[begin : min(begin + self._value_bytes, count)]
                is_last = at == size and begin + len(value) == count
                parts += (_header(len(value), 2 if is_last else 0), value)
            self._socket.sendmsg(parts)
            parts = []
        os.close(file)
        digest.hexdigest()
        self._answer()

    def _answer(self) -> bytes:
        head = self._socket.recv(_PDU.size, socket.MSG_WAITALL)
        body = self._socket.recv(_PDU.unpack(head)[1], socket.MSG_WAITALL)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return body


def _header(length: int, control: int) -> bytes:
    return _HEADER.pack(4, length + 6, length + 2, _CONTEXT_ID, control)


def _meta(path: Path) -> FileMeta:
    with path.open("rb", buffering=0) as file:
        return read_meta(file.fileno())
