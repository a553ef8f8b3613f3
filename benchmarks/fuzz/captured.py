"""Associations between real peers, recorded byte for byte on their way through a relay."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.corpus import KINDS, listing, objects
from migrate.demo.pacs import EmbeddedPeer, PeerOptions
from migrate.model import Level
from migrate.wire.dimse.endpoint import Context, Endpoint
from migrate.wire.dimse.identifier import encode
from migrate.wire.dimse.outgoing import FileRange, Outgoing
from migrate.wire.dimse.scp import Receiver, ReceiverOptions
from migrate.wire.dimse.scu import VERIFICATION, Association
from migrate.wire.dimse.sinks import Incoming
from tests.peers import tools

STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2."
FIND, MOVE, GET = (STUDY_ROOT + last for last in "123")
PER_STUDY = 3
NATIVE = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
KEYS = {"StudyInstanceUID": "", "PatientName": "", "StudyDate": "", "ModalitiesInStudy": ""}


@dataclass(frozen=True, slots=True)
class Captured:
    """What we would hear: as acceptor from those who call us, as requestor from those we call."""

    as_acceptor: tuple[bytes, ...]
    as_requestor: tuple[bytes, ...]
    peers: tuple[str, ...]


class DroppingSink:
    """Takes every object and keeps none."""

    def begin(self, incoming: Incoming) -> Self:
        """An object begins."""
        return self

    def write(self, view: memoryview) -> None:
        """Bytes that nobody wants."""

    def finish(self) -> int:
        """Stored, as far as the peer is told."""
        return 0

    def discard(self, reason: str) -> None:
        """Nothing was kept."""


class Tap:
    """Passes connections on to `target` and keeps what went each way."""

    def __init__(self, target: int = 0) -> None:
        self.target = target
        self.heard: list[tuple[bytearray, bytearray]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """Stop listening, and wait until everything passed."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(20)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
                there, back = bytearray(), bytearray()
                self.heard.append((there, back))
                for source, sink, record in ((near, far, there), (far, near, back)):
                    thread = threading.Thread(target=_pass_on, args=(source, sink, record), daemon=True)
                    self._threads.append(thread)
                    thread.start()


def _pass_on(source: socket.socket, sink: socket.socket, record: bytearray) -> None:
    with contextlib.suppress(OSError):
        while some := source.recv(65_536):
            record += some
            sink.sendall(some)
        sink.shutdown(socket.SHUT_WR)


def capture(folder: Path) -> Captured:
    """Record associations of every service with the embedded peer, and with DCMTK where it is installed."""
    archive = folder / "archive"
    archive.mkdir(parents=True)
    for number, one in enumerate(objects(KINDS["tiny"], 3, PER_STUDY)):
        (archive / f"{number}.dcm").write_bytes(one)
    to_us, to_peer = Tap(), Tap()
    options = PeerOptions(ae_title="ARCHIVE", folder=archive, destinations={"MIGRATE": ("127.0.0.1", to_us.port)})
    hearing = ReceiverOptions(ae_title="MIGRATE", host="127.0.0.1", port=0)
    peers = ["our own stack", "embedded peer (pynetdicom)"]
    with EmbeddedPeer(options) as peer, Receiver(hearing, DroppingSink()) as receiver:
        to_us.target, to_peer.target = receiver.port, peer.port
        _our_requests(to_peer.port, archive)
        if shutil.which("storescu"):
            peers.append("DCMTK")
            _dcmtk(to_us.port, sorted(archive.glob("*.dcm"))[:3])
        to_us.close()
        to_peer.close()
    return Captured(
        as_acceptor=tuple(bytes(there) for there, _ in to_us.heard),
        as_requestor=tuple(bytes(back) for _, back in to_peer.heard),
        peers=tuple(peers),
    )


def _our_requests(port: int, archive: Path) -> None:
    endpoint = Endpoint(ae_title="ARCHIVE", host="127.0.0.1", port=port, calling_ae_title="MIGRATE")
    kind = KINDS["tiny"]
    path = next(iter(archive.glob("*.dcm")))
    item = Outgoing(
        sop_class_uid=kind.sop_class_uid,
        sop_instance_uid="1.2.3.4",
        transfer_syntax_uid=NATIVE[0],
        segments=(FileRange(path, 400, 2000),),
    )
    for context in _contexts():
        with Association.open(endpoint, context) as association:
            _ask(association, context[0].abstract_syntax, item)


def _contexts() -> Iterator[list[Context]]:
    storage = Context(KINDS["tiny"].sop_class_uid, NATIVE[:1], scp_role=True)
    yield [Context(VERIFICATION, NATIVE)]
    yield [Context(FIND, NATIVE)]
    yield [Context(FIND, NATIVE[1:])]
    yield [Context(MOVE, NATIVE)]
    yield [Context(GET, NATIVE), storage]
    yield [Context(KINDS["tiny"].sop_class_uid, NATIVE[:1])]


def _ask(association: Association, service: str, item: Outgoing) -> None:
    if service == VERIFICATION:
        association.echo()
        return
    if service == item.sop_class_uid:
        association.store(item)
        return
    syntax = association.transfer_syntax(service)
    if service == FIND:
        association.find(FIND, encode(Level.STUDY, KEYS, syntax), lambda *_: None)
        return
    [study] = {one.study_instance_uid for one in listing(KINDS["tiny"], 1)}
    identifier = encode(Level.STUDY, {"StudyInstanceUID": study}, syntax)
    if service == MOVE:
        association.move(MOVE, identifier, "MIGRATE")
    else:
        association.get(GET, identifier, DroppingSink())


def _dcmtk(port: int, paths: list[Path]) -> None:
    address = ("-aec", "MIGRATE", "127.0.0.1", str(port))
    tools.run(["echoscu", *address])
    for pdu_bytes in ("4096", "16384"):
        tools.run(["storescu", "--max-send-pdu", pdu_bytes, *address, *paths])
    with contextlib.suppress(AssertionError):  # we serve no query: how it is refused is of use, too
        tools.run(["findscu", "-S", "-k", "QueryRetrieveLevel=STUDY", *address])
