"""WADO-RS: objects read back over HTTP, as they are stored (PS3.18 10.4). For the comparison of contents alone.

An answer is `multipart/related` with one Part 10 file in each part. Parts are handed on as they come, in pieces;
memory holds one piece, and of each object the beginning until its data set is found.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPResponse
from typing import Final

from migrate.config import DestinationBlock
from migrate.dicom.part10 import FileMeta, read_meta
from migrate.errors import ConfigError, IllegalDicom, PeerError, PeerRefused, PeerUnavailable
from migrate.wire.dimse.sinks import Incoming, ObjectSink, StoreSink
from migrate.wire.web import WebAddress, bearer

PIECE_BYTES: Final = 1 << 18
META_BYTES: Final = 1 << 20  # what `read_meta` wants to see of a file at most
MOST_HEADER_BYTES: Final = 1 << 16
ACCEPT: Final = 'multipart/related; type="application/dicom"; transfer-syntax=*'


@dataclass(frozen=True, kw_only=True, slots=True)
class WadoServer:
    """Where to ask: the DICOMweb base; `token` goes out as a bearer token."""

    address: WebAddress
    token: str = ""
    timeout_s: float = 60.0
    tls: ssl.SSLContext | None = None


def server_of(block: DestinationBlock, tls: ssl.SSLContext | None) -> WadoServer:
    """What `[destination.dicomweb]` says. Raises ConfigError when it is not there, or no address."""
    web = block.dicomweb
    if web is None:
        raise ConfigError("there is no address to read back from", "give url in [destination.dicomweb]")
    token = os.environ.get(web.token_env, "") if web.token_env else ""
    address = WebAddress.of(web.url, "destination.dicomweb.url", "https://dir.example/dicom-web")
    return WadoServer(address=address, token=token, timeout_s=web.timeout_s, tls=tls)


def retrieve(server: WadoServer, resource: str, sink: StoreSink) -> int:
    """Every object below `resource` (`/studies/…` and further) into `sink`. Returns how many came whole.

    Raises:
        PeerUnavailable: No connection, an answer that breaks off, or a server error.
        PeerRefused: The server says that we may not, or that it does not do this.
    """
    connection = server.address.connection(server.timeout_s, server.tls)
    try:
        connection.request("GET", server.address.base + resource, headers={"Accept": ACCEPT} | bearer(server.token))
        answer = connection.getresponse()
        if answer.status in {204, 404}:
            return 0
        if answer.status != 200:
            raise _refusal(server, answer.status)
        return sum(_received(part, sink, server) for part in _parts(answer, _boundary(answer)))
    except (OSError, HTTPException) as error:
        told = type(error).__name__
        raise PeerUnavailable(
            "WADO-RS was not answered", "is the address right?", host=server.address.place, why=told
        ) from None
    finally:
        connection.close()


def _refusal(server: WadoServer, status: int) -> PeerError:
    if status >= 500 or status == 429:
        return PeerUnavailable("WADO-RS failed", "the server's log says why", host=server.address.place, status=status)
    hint = "ask its administrator to allow WADO-RS for us; a token goes into the variable that token_env names"
    return PeerRefused("WADO-RS refused", hint, host=server.address.place, status=status)


def _boundary(answer: HTTPResponse) -> bytes:
    """The boundary of a multipart answer. Raises PeerRefused when it is something else."""
    message = Message()
    message["Content-Type"] = answer.getheader("Content-Type", "")
    boundary = message.get_boundary()
    if message.get_content_type() != "multipart/related" or not boundary:
        hint = "is destination.dicomweb.url the base of a DICOMweb service?"
        raise PeerRefused("the answer to WADO-RS has no parts", hint, type=message.get_content_type())
    return b"--" + boundary.encode("latin-1")


class _Pieces:
    """The body of an answer, cut at a mark. Raises HTTPException when it ends before one."""

    def __init__(self, answer: HTTPResponse) -> None:
        self._answer = answer
        self._held = b""

    def until(self, mark: bytes) -> Iterator[bytes]:
        """What stands before the next `mark`, in pieces; the mark is taken away."""
        while True:
            before, found, behind = self._held.partition(mark)
            if found:
                self._held = behind
                yield before
                return
            keep = len(mark) - 1
            if len(self._held) > keep:
                yield self._held[:-keep]
                self._held = self._held[-keep:]
            more = self._answer.read1(PIECE_BYTES)
            if not more:
                raise HTTPException("the answer breaks off")
            self._held += more

    def is_last(self) -> bool:
        """Whether two hyphens follow, which end the last part (RFC 2046 5.1.1)."""
        while len(self._held) < 2:
            more = self._answer.read1(PIECE_BYTES)
            if not more:
                raise HTTPException("the answer breaks off")
            self._held += more
        return self._held[:2] == b"--"


def _parts(answer: HTTPResponse, boundary: bytes) -> Iterator[Iterator[bytes]]:
    """The content of each part; it must be read to its end before the next one is asked for."""
    pieces = _Pieces(answer)
    for _ in pieces.until(boundary):
        pass
    while not pieces.is_last():
        if sum(map(len, pieces.until(b"\r\n\r\n"))) > MOST_HEADER_BYTES:
            raise HTTPException("the headers of a part are too long")
        yield pieces.until(b"\r\n" + boundary)


def _received(part: Iterator[bytes], sink: StoreSink, server: WadoServer) -> bool:
    """One file: its beginning until the data set is found, then the rest piece by piece."""
    start = b""
    for piece in part:
        start += piece
        if len(start) >= META_BYTES:
            break
    try:
        meta = read_meta(start)
    except IllegalDicom:
        for _ in part:
            pass
        return False
    target = sink.begin(_incoming(meta, server))
    try:
        _write(target, start[meta.dataset_offset :])
        for piece in part:
            _write(target, piece)
    except BaseException:
        target.discard("the answer broke off")
        raise
    target.finish()
    return True


def _incoming(meta: FileMeta, server: WadoServer) -> Incoming:
    return Incoming(
        sop_class_uid=meta.sop_class_uid,
        sop_instance_uid=meta.sop_instance_uid,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        calling_ae_title=server.address.place,
    )


def _write(target: ObjectSink, piece: bytes) -> None:
    if piece:
        target.write(memoryview(piece))
