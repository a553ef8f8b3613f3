"""Messages reach a collector over TLS, once it is there, in order and without a gap."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from migrate.audit.syslog import Collector, Sender, cursor, drain, framed
from migrate.audit.trail import FOLDER, Trail
from tests.engine.command import migrate
from tests.peers.ports import free_port

HEADER = re.compile(
    rb"<85>1 \S+ \S+ migrate \d+ DICOM\+RFC3881 \[meta sequenceId=\"(\d+)\"\] \xef\xbb\xbf(<m n='\d+'/>)", re.DOTALL
)


@dataclass
class Listening:
    """A collector that takes what comes, frame by frame; `cut_after` ends its connections rudely."""

    port: int
    ca: Path
    numbers: list[int] = field(default_factory=list)
    cut_after: int | None = None
    connections: int = 0

    @property
    def collector(self) -> Collector:
        return Collector(host="localhost", port=self.port, ca=self.ca)


@contextmanager
def listening(folder: Path, port: int = 0, cut_after: int | None = None) -> Iterator[Listening]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    with socket.create_server(("127.0.0.1", port)) as server:
        here = Listening(server.getsockname()[1], folder / "ca.pem", cut_after=cut_after)
        thread = threading.Thread(target=_serve, args=(server, context, here), daemon=True)
        thread.start()
        yield here
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _serve(server: socket.socket, context: ssl.SSLContext, here: Listening) -> None:
    while True:
        try:
            plain, _ = server.accept()
        except OSError:
            return
        here.connections += 1
        try:
            with context.wrap_socket(plain, server_side=True) as secured:
                _take(secured, here)
        except OSError:
            plain.close()


def _take(secured: ssl.SSLSocket, here: Listening) -> None:
    buffer = b""
    while chunk := secured.recv(65536):
        buffer += chunk
        while frame := re.match(rb"(\d+) ", buffer):
            end = frame.end() + int(frame[1])
            if len(buffer) < end:
                break
            found = HEADER.fullmatch(buffer[frame.end() : end])
            assert found, buffer[:200]
            here.numbers.append(int(found[1]))
            buffer = buffer[end:]
            if here.cut_after is not None and len(here.numbers) >= here.cut_after:
                here.cut_after = None
                secured.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                raise OSError("cut")


def filled(folder: Path, count: int) -> None:
    trail = Trail(folder)
    trail.append([f"<m n='{number}'/>" for number in range(count)])


def test_what_is_in_the_spool_arrives_once_and_in_order(tmp_path: Path) -> None:
    filled(tmp_path, 450)
    with listening(tmp_path) as here:
        assert drain(tmp_path, here.collector) == 450
        assert drain(tmp_path, here.collector) == 0
        filled(tmp_path, 5)
        assert drain(tmp_path, here.collector) == 5
    assert here.numbers == list(range(1, 456))


def test_a_spool_waits_for_a_collector_that_is_away_and_nobody_waits_for_it(tmp_path: Path) -> None:
    port = free_port()
    with listening(tmp_path) as unused:
        ca = unused.ca
    filled(tmp_path, 3)
    began = time.monotonic()
    sender = Sender(tmp_path, Collector(host="localhost", port=port, ca=ca), every_s=0.05)
    filled(tmp_path, 3)
    time.sleep(0.2)
    sender.stop()
    assert time.monotonic() - began < 5
    assert cursor(tmp_path / FOLDER).seq == 0
    with listening(tmp_path, port) as here:
        sender = Sender(tmp_path, here.collector, every_s=0.05)
        filled(tmp_path, 3)
        sender.stop()
    assert here.numbers == list(range(1, 10))


def test_what_a_rude_end_leaves_in_doubt_is_sent_again(tmp_path: Path) -> None:
    filled(tmp_path, 20)
    with listening(tmp_path, cut_after=20) as here:
        with pytest.raises(OSError):  # noqa: PT011  which one, the system decides
            drain(tmp_path, here.collector)
        assert cursor(tmp_path / FOLDER).seq == 0
        drain(tmp_path, here.collector)
    assert here.numbers == [*range(1, 21), *range(1, 21)]


def test_a_collector_that_is_somebody_else_gets_nothing(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    other = tmp_path / "other"
    other.mkdir()
    trustme.CA().cert_pem.write_to_path(other / "ca.pem")
    with listening(tmp_path) as here:
        stranger = Collector(host="localhost", port=here.port, ca=other / "ca.pem")
        with pytest.raises(ssl.SSLError):
            drain(tmp_path, stranger)
    assert here.numbers == []


def test_a_message_of_any_length_is_counted_in_bytes() -> None:
    entry = {"seq": 1, "at": "2026-11-24T04:00:00.000+00:00", "message": "<m n='ß'/>" * 20_000}
    length, _, message = framed(entry).partition(b" ")
    assert int(length) == len(message) > 200_000


def test_the_command_sends_what_waits_and_says_when_it_cannot(tmp_path: Path) -> None:
    def configure(port: int) -> None:
        audit = f'[audit]\nsyslog = "localhost:{port}"\nca = "ca.pem"\n'
        (tmp_path / "migration.toml").write_text(f'[run]\nname = "a"\nsource = "A"\n{audit}')

    filled(tmp_path, 4)
    with listening(tmp_path) as here:
        configure(here.port)
        assert migrate(tmp_path, "--json", "audit", "send").json == {"sent": 4}
    filled(tmp_path, 1)
    refused = migrate(tmp_path, "audit", "send")
    assert (refused.code, "stays in the spool" in refused.stderr) == (41, True)
