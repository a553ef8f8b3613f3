"""What a receiver does with peers that stall, lie or die, and with sinks that fail."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from migrate.errors import LocalError, PeerRefused, PeerUnavailable, StagingFull
from migrate.wire.dimse.command import CommandSet, decode
from migrate.wire.dimse.endpoint import Context
from migrate.wire.dimse.limits import Limits
from migrate.wire.dimse.pdu import RELEASE_RQ
from migrate.wire.dimse.scp import Receiver, ReceiverOptions
from migrate.wire.dimse.scu import Association
from migrate.wire.dimse.sinks import Incoming
from tests.conformance.wire_kit import BASIC, VERIFICATION, MemoryObject, MemorySink, endpoint
from tests.faults.wire_peers import command, dialled, read_pdu, read_to_end, request, store_request, value

TIGHT = Limits(
    max_pdu_bytes=4096,
    max_command_bytes=512,
    max_object_bytes=10_000,
    max_contexts=128,
    max_fragments=50,
    connect_s=0.5,
    artim_s=0.5,
    stall_s=0.5,
    idle_s=1.0,
    transfer_s=1.5,
    tick_s=0.05,
)
OPTIONS = ReceiverOptions(ae_title="MIGRATE", host="127.0.0.1", port=0, limits=TIGHT)


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def receiver(sink: MemorySink) -> Iterator[Receiver]:
    with Receiver(OPTIONS, sink) as running:
        yield running


def echoes(port: int, calling: str = "MIGRATE") -> bool:
    there = dataclasses.replace(endpoint(port, "MIGRATE"), calling_ae_title=calling)
    with Association.open(there, [Context(VERIFICATION, BASIC)]) as association:
        return association.echo() == 0


def abort_of(sock: socket.socket) -> tuple[int, int]:
    """Source and reason of the A-ABORT that ends the connection."""
    pdus = read_to_end(sock)
    assert pdus[-1][0] == 7
    return pdus[-1][1][2], pdus[-1][1][3]


def wait_until(claim: Callable[[], bool], wait_s: float = 5.0) -> bool:
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        if claim():
            return True
        time.sleep(0.01)
    return claim()


# ---- who may come


@pytest.mark.parametrize(
    ("called", "calling", "result", "source", "reason"),
    [("OTHER", "FRIEND", 1, 1, 7), ("MIGRATE", "STRANGER", 1, 1, 3)],
    ids=["called AE title", "calling AE title"],
)
def test_a_title_that_is_not_known_is_rejected_for_good(
    sink: MemorySink, called: str, calling: str, result: int, source: int, reason: int
) -> None:
    options = dataclasses.replace(OPTIONS, allow=frozenset({"FRIEND"}))
    with Receiver(options, sink) as receiver:
        there = dataclasses.replace(endpoint(receiver.port, called), calling_ae_title=calling)
        with pytest.raises(PeerRefused) as refused:
            Association.open(there, [Context(VERIFICATION, BASIC)])
        assert echoes(receiver.port, calling="FRIEND")
    facts = refused.value.facts
    assert (facts["result"], facts["source"], facts["reason"]) == (result, source, reason)
    assert {"OTHER": called, "MIGRATE": calling}[called] in refused.value.hint


def test_one_association_too_many_is_rejected_for_now(sink: MemorySink) -> None:
    with Receiver(dataclasses.replace(OPTIONS, max_associations=1), sink) as receiver:
        with dialled(receiver.port), pytest.raises(PeerUnavailable) as refused:
            echoes(receiver.port)
        assert (refused.value.facts["result"], refused.value.facts["reason"]) == (2, 2)
        assert wait_until(lambda: receiver.associations == 0)
        assert echoes(receiver.port)


def test_a_host_that_is_not_allowed_is_cut_before_a_byte_is_read(sink: MemorySink) -> None:
    options = dataclasses.replace(OPTIONS, allow_hosts=frozenset({"127.0.0.9"}))
    with Receiver(options, sink) as receiver, pytest.raises(PeerUnavailable):
        echoes(receiver.port)


def test_half_open_connections_stop_nobody(receiver: Receiver) -> None:
    with contextlib.ExitStack() as open_ones:
        for _ in range(10):
            sock = open_ones.enter_context(dialled(receiver.port, associate=False))
            sock.sendall(b"\x01\x00\x00")
        began = time.monotonic()
        assert echoes(receiver.port)
        assert time.monotonic() - began < 0.5


def test_the_oldest_half_open_connection_gives_way(sink: MemorySink) -> None:
    limits = dataclasses.replace(TIGHT, artim_s=30.0)
    options = dataclasses.replace(OPTIONS, limits=limits, max_half_open=2)
    with Receiver(options, sink) as receiver, contextlib.ExitStack() as open_ones:
        socks = [open_ones.enter_context(dialled(receiver.port, associate=False)) for _ in range(3)]
        socks[0].settimeout(5)
        assert socks[0].recv(1) == b""
        socks[2].settimeout(0.2)
        with pytest.raises(TimeoutError):
            socks[2].recv(1)


@pytest.mark.parametrize(
    "early",
    [value(b"a" * 10, is_command=False), command(store_request()), request(), b"\x07\0\0\0\0\x04\0\0\0\0"],
    ids=["data", "a command", "another request", "an abort"],
)
def test_a_peer_that_goes_on_before_its_request_is_answered_is_cut_as_its_own_fault(
    receiver: Receiver, sink: MemorySink, caplog: pytest.LogCaptureFixture, early: bytes
) -> None:
    with dialled(receiver.port, associate=False) as sock:
        sock.sendall(request() + early)
        assert {kind for kind, _ in read_to_end(sock)} <= {2, 7}
    assert wait_until(lambda: any("ended" in record.message for record in caplog.records))
    assert [record.levelname for record in caplog.records if "ended" in record.message] == ["WARNING"]
    assert echoes(receiver.port)
    assert sink.objects == []


def test_a_peer_that_goes_on_behind_its_release_is_aborted(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    with dialled(receiver.port) as sock:
        sock.sendall(RELEASE_RQ + b"\x09\0\0\0\0\x04\0\0\0\0")
        assert [kind for kind, _ in read_to_end(sock)] == [7]
    assert wait_until(lambda: any("ended" in record.message for record in caplog.records))
    assert [record.levelname for record in caplog.records if "ended" in record.message] == ["WARNING"]
    assert echoes(receiver.port)


# ---- time limits


def test_a_connection_that_says_nothing_is_closed_after_artim(receiver: Receiver) -> None:
    with dialled(receiver.port, associate=False) as sock:
        began = time.monotonic()
        assert sock.recv(1) == b""
        assert 0.3 < time.monotonic() - began < 2


def test_a_request_that_drips_is_closed_after_artim(receiver: Receiver) -> None:
    with dialled(receiver.port, associate=False) as sock, contextlib.suppress(OSError):
        began = time.monotonic()
        for byte in request():
            sock.sendall(bytes([byte]))
            time.sleep(0.02)
    assert time.monotonic() - began < 2


def test_an_association_without_a_request_is_aborted_after_idle(receiver: Receiver) -> None:
    with dialled(receiver.port) as sock:
        began = time.monotonic()
        assert abort_of(sock) == (0, 0)
        assert 0.8 < time.monotonic() - began < 3


@pytest.mark.parametrize(
    "sent",
    [
        b"\x04\x00\x00",
        command(store_request()) + value(b"a" * 100, is_command=False)[:-50],
        command(store_request()) + value(b"a" * 100, is_command=False, last=False),
    ],
    ids=["in a header", "in a value", "between values"],
)
def test_a_peer_that_stalls_in_a_message_is_aborted(receiver: Receiver, sink: MemorySink, sent: bytes) -> None:
    with dialled(receiver.port) as sock:
        sock.sendall(sent)
        assert abort_of(sock) == (0, 0)
    assert wait_until(lambda: len(sink.discarded) == (1 if len(sent) > 3 else 0))
    assert sink.objects == []


def test_an_object_that_drips_is_aborted_after_transfer_s(receiver: Receiver, sink: MemorySink) -> None:
    with dialled(receiver.port) as sock, contextlib.suppress(OSError):
        sock.sendall(command(store_request()))
        began = time.monotonic()
        while time.monotonic() - began < 10:
            sock.sendall(value(b"ab", is_command=False, last=False))
            time.sleep(0.1)
    assert time.monotonic() - began < 5
    assert wait_until(lambda: len(sink.discarded) == 1)


# ---- size limits

LONG_COMMAND = CommandSet(command_field=0x30, message_id=1, error_comment="x" * 600)


@pytest.mark.parametrize(
    ("sent", "reason", "named"),
    [
        (b"\x04\x00\xff\xff\xff\xff", 6, "max_pdu_bytes=4096"),
        (b"\x04\x00\x00\x00\x30\x00", 6, "max_pdu_bytes=4096"),
        (command(LONG_COMMAND), 6, "max_command_bytes=512"),
        (command(store_request()) + value(b"a" * 4000, is_command=False, last=False) * 3, 6, "10000 bytes"),
        (command(store_request()) + value(b"", is_command=False, last=False) * 51, 6, "max_fragments=50"),
        (command(store_request(), context_id=9), 6, "context 9 was not accepted"),
        (value(b"ab", is_command=False), 6, "without its command set"),
        (command(store_request()) * 2, 6, "inside a data set"),
        (value(b"\x00\x00\x00\x01", is_command=True), 6, "cut off"),
        (request(), 2, "ASSOCIATE_RQ"),
        (b"\x08\x00\x00\x00\x00\x04abcd", 1, "unknown PDU type"),
    ],
    ids=[
        "4 GB PDU",
        "PDU longer than offered",
        "long command",
        "long data set",
        "many fragments",
        "unknown context",
        "data without command",
        "command within data",
        "damaged command",
        "second request",
        "unknown PDU",
    ],
)
def test_a_violated_limit_aborts_that_association_and_is_named(
    receiver: Receiver, sink: MemorySink, caplog: pytest.LogCaptureFixture, sent: bytes, reason: int, named: str
) -> None:
    with dialled(receiver.port) as sock:
        with contextlib.suppress(OSError):
            sock.sendall(sent)
        assert abort_of(sock) == (2, reason)
    assert sink.objects == []
    assert wait_until(lambda: named in caplog.text)
    assert echoes(receiver.port)


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        (b"\x01\x00\x00\x02\x00\x00", "max_associate_bytes=65536"),
        (request(contexts=129), "max_contexts=128"),
        (b"GET / HTTP/1.1\r\n\r\n", "unknown PDU type"),
    ],
    ids=["long request", "129 contexts", "not DICOM"],
)
def test_a_request_beyond_the_limits_is_aborted(
    receiver: Receiver, caplog: pytest.LogCaptureFixture, sent: bytes, named: str
) -> None:
    with dialled(receiver.port, associate=False) as sock:
        sock.sendall(sent)
        assert [kind for kind, _ in read_to_end(sock)] == [7]
    assert wait_until(lambda: named in caplog.text)


# ---- sinks that fail


@pytest.mark.parametrize("where", ["begin", "write", "finish"])
@pytest.mark.parametrize(
    ("error", "status"),
    [(StagingFull("less than the reserve is left"), 0xA700), (RuntimeError("CANARY^PATIENT"), 0xC000)],
    ids=["disk full", "bug"],
)
def test_a_sink_that_fails_becomes_a_status_and_the_association_goes_on(
    receiver: Receiver,
    sink: MemorySink,
    caplog: pytest.LogCaptureFixture,
    where: str,
    error: Exception,
    status: int,
) -> None:
    def fail(_: Incoming | MemoryObject) -> None:
        if len(sink.objects) == 0 and not failed:
            failed.append(1)
            raise error

    failed: list[int] = []
    setattr(sink, {"begin": "on_begin", "write": "on_write", "finish": "on_finish"}[where], fail)
    with dialled(receiver.port) as sock:
        statuses = []
        for number in (1, 2):
            sock.sendall(command(store_request(message_id=number)) + value(b"ab" * 500, is_command=False))
            _, body = read_pdu(sock)
            answer = decode(body[6:])
            assert answer.message_id_being_responded_to == number
            statuses.append(answer.status)
    assert statuses == [status, 0]
    assert [data_set for _, data_set in sink.objects] == [b"ab" * 500]
    assert "CANARY" not in caplog.text


def test_a_peer_that_dies_in_an_object_leaves_nothing_behind(receiver: Receiver, sink: MemorySink) -> None:
    with dialled(receiver.port) as sock:
        sock.sendall(command(store_request()) + value(b"a" * 100, is_command=False, last=False))
    assert wait_until(lambda: len(sink.discarded) == 1)
    assert sink.objects == []


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (CommandSet(command_field=0x20, message_id=1, affected_sop_class_uid="1.2.3"), 0x0211),
        (CommandSet(command_field=0x01, message_id=1, affected_sop_class_uid="1.2.3"), 0x0212),
        (CommandSet(command_field=0x100, message_id=1, affected_sop_class_uid="1.2.3"), 0x0211),
    ],
    ids=["C-FIND", "C-STORE without an object", "N-EVENT-REPORT nobody waits for"],
)
def test_a_request_that_is_not_served_is_answered_with_a_failure(
    receiver: Receiver, asked: CommandSet, status: int
) -> None:
    with dialled(receiver.port) as sock:
        sock.sendall(command(asked))
        answer = decode(read_pdu(sock)[1][6:])
    assert (answer.status, answer.command_field) == (status, asked.command_field | 0x8000)


def test_stopping_ends_idle_associations_at_once(sink: MemorySink) -> None:
    receiver = Receiver(dataclasses.replace(OPTIONS, limits=dataclasses.replace(TIGHT, idle_s=60)), sink)
    receiver.start()
    with dialled(receiver.port):
        began = time.monotonic()
        receiver.stop()
        assert time.monotonic() - began < 2


def test_a_port_in_use_is_a_local_error(receiver: Receiver, sink: MemorySink) -> None:
    with pytest.raises(LocalError, match="cannot listen"):
        Receiver(dataclasses.replace(OPTIONS, port=receiver.port), sink).start()


def test_two_receivers_share_a_port_when_both_want_to(sink: MemorySink) -> None:
    shared = dataclasses.replace(OPTIONS, reuse_port=True)
    with Receiver(shared, sink) as one, Receiver(dataclasses.replace(shared, port=one.port), sink):
        assert all(echoes(one.port) for _ in range(6))
