"""What our associations do when the other end refuses, stalls, lies or dies."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from migrate.errors import LocalError, PeerError, PeerRefused, PeerUnavailable
from migrate.wire.dimse.command import CommandSet
from migrate.wire.dimse.endpoint import Context
from migrate.wire.dimse.limits import Limits
from migrate.wire.dimse.outgoing import FileRange, Outgoing
from migrate.wire.dimse.pdu import RELEASE_RP, RELEASE_RQ, Abort, AssociateReject, encode_abort, encode_reject
from migrate.wire.dimse.scu import Association
from tests.conformance.wire_kit import BASIC, STUDY_ROOT_FIND, STUDY_ROOT_MOVE, VERIFICATION, endpoint
from tests.faults.wire_peers import CT, IMPLICIT, answering, command, read_pdu, value
from tests.peers.ports import free_port

TIGHT = Limits(connect_s=1, artim_s=0.5, stall_s=0.5, idle_s=5, dimse_s=0.5, tick_s=0.05)
CONTEXTS = [Context(VERIFICATION, BASIC), Context(STUDY_ROOT_FIND, BASIC), Context(STUDY_ROOT_MOVE, BASIC)]
FIND, MOVE = 3, 5


def opened(port: int, *contexts: Context) -> Association:
    return Association.open(endpoint(port, "PEER", TIGHT), contexts or CONTEXTS)


def find(association: Association) -> tuple[CommandSet, list[int]]:
    seen: list[int] = []
    return association.find(STUDY_ROOT_FIND, b"", lambda status, *_: seen.append(status)), seen


def find_response(status: int, message_id: int = 1) -> CommandSet:
    return CommandSet(
        command_field=0x8020,
        message_id_being_responded_to=message_id,
        status=status,
        command_data_set_type=1 if status == 0xFF00 else 0x0101,
    )


# ---- opening


def test_nobody_listening_is_unavailable_with_a_hint() -> None:
    with pytest.raises(PeerUnavailable, match="no connection") as failed:
        opened(free_port())
    assert "firewall" in failed.value.hint
    assert failed.value.retryable


@pytest.mark.parametrize("host", ["peer.invalid", "peer..invalid", "100::1"], ids=["unknown", "no name", "no route"])
def test_a_host_that_cannot_be_reached_is_unavailable_with_a_hint(host: str) -> None:
    with pytest.raises(PeerUnavailable, match="no connection") as failed:
        Association.open(replace(endpoint(104, "PEER", TIGHT), host=host), CONTEXTS)
    assert "firewall" in failed.value.hint
    assert failed.value.retryable


@pytest.mark.parametrize(
    ("reject", "kind", "hint"),
    [
        (AssociateReject(1, 1, 3), PeerRefused, "does not know our AE title MIGRATE"),
        (AssociateReject(1, 1, 7), PeerRefused, "compare ae_title PEER"),
        (AssociateReject(1, 1, 2), PeerRefused, "application context"),
        (AssociateReject(1, 1, 1), PeerRefused, "ask its administrator"),
        (AssociateReject(2, 3, 1), PeerUnavailable, "congested"),
        (AssociateReject(2, 3, 2), PeerUnavailable, "fewer associations"),
        (AssociateReject(2, 2, 9), PeerUnavailable, "its log"),
    ],
)
def test_a_reject_says_whether_to_wait_and_which_side_to_fix(
    reject: AssociateReject, kind: type[PeerError], hint: str
) -> None:
    def script(sock: socket.socket) -> None:
        read_pdu(sock)
        sock.sendall(encode_reject(reject))
        read_pdu(sock)

    with answering(script, associate=False) as port, pytest.raises(PeerError) as failed:
        opened(port)
    assert type(failed.value) is kind
    assert hint in failed.value.hint


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (lambda _: time.sleep(2), PeerUnavailable),
        (lambda sock: sock.close(), PeerUnavailable),
        (lambda sock: (read_pdu(sock), sock.sendall(encode_abort(Abort(0, 0)))), PeerUnavailable),
        (lambda sock: sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), PeerError),
        (lambda sock: sock.sendall(b"\x02\x00\x7f\xff\xff\xff"), PeerError),
    ],
    ids=["silence", "close", "abort", "HTTP", "2 GB answer"],
)
def test_a_peer_that_does_not_negotiate_is_an_error_soon(
    script: Callable[[socket.socket], object], kind: type[PeerError]
) -> None:
    began = time.monotonic()
    with answering(script, associate=False) as port, pytest.raises(kind):
        opened(port)
    assert time.monotonic() - began < 5


def test_too_many_contexts_are_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="max_contexts=128"):
        opened(1, *[Context(CT, BASIC)] * 129)


# ---- waiting for answers


@pytest.mark.parametrize(
    ("script", "fact"),
    [
        (lambda _: time.sleep(0.1), "no answer in time"),
        (lambda sock: sock.sendall(b"\x04\x00\x00\x00\x01"), "silent in the middle"),
        (lambda sock: sock.sendall(encode_abort(Abort(2, 1))), "aborted"),
        (lambda sock: sock.close(), "aborted"),
        (lambda sock: sock.sendall(RELEASE_RQ), "released"),
    ],
    ids=["silence", "half a PDU", "abort", "close", "release"],
)
def test_a_query_without_a_final_response_is_no_result(script: Callable[[socket.socket], object], fact: str) -> None:
    def after_one_answer(sock: socket.socket) -> None:
        read_pdu(sock), read_pdu(sock)
        sock.sendall(command(find_response(0xFF00), FIND) + value(b"", is_command=False, context_id=FIND))
        script(sock)
        if fact != "aborted":
            time.sleep(1)

    with answering(after_one_answer) as port:
        association = opened(port)
        seen: list[int] = []
        with pytest.raises(PeerUnavailable, match=fact):
            association.find(STUDY_ROOT_FIND, b"", lambda status, *_: seen.append(status))
        assert seen == [0xFF00]
        assert not association.is_open


def test_an_answer_to_another_message_is_not_taken_for_ours() -> None:
    def script(sock: socket.socket) -> None:
        read_pdu(sock), read_pdu(sock)
        sock.sendall(command(find_response(0xA700, message_id=77), FIND) + command(find_response(0), FIND))
        read_pdu(sock)

    with answering(script) as port, opened(port) as association:
        end, seen = find(association)
    assert (end.status, seen) == (0, [])


def test_a_response_without_a_status_is_no_success() -> None:
    def script(sock: socket.socket) -> None:
        read_pdu(sock)
        sock.sendall(command(CommandSet(command_field=0x8030, message_id_being_responded_to=1)))
        read_pdu(sock)

    with answering(script) as port, pytest.raises(PeerError, match="without a status"):
        opened(port).echo()


def test_what_a_callback_raises_aborts_the_association_and_comes_through() -> None:
    kinds: list[int] = []

    def script(sock: socket.socket) -> None:
        read_pdu(sock), read_pdu(sock)
        sock.sendall(command(find_response(0xFF00), FIND) + value(b"", is_command=False, context_id=FIND))
        kinds.append(read_pdu(sock)[0])

    def fail(*_: object) -> None:
        raise KeyError("ours")

    with answering(script) as port:
        association = opened(port)
        with pytest.raises(KeyError, match="ours"):
            association.find(STUDY_ROOT_FIND, b"", fail)
    assert kinds == [7]


def test_a_move_waits_beyond_the_time_limit_until_it_is_abandoned() -> None:
    kinds: list[int] = []

    def script(sock: socket.socket) -> None:
        read_pdu(sock), read_pdu(sock)
        kinds.append(read_pdu(sock)[0])

    began = time.monotonic()
    with answering(script) as port, pytest.raises(PeerUnavailable) as ended:
        opened(port).move(STUDY_ROOT_MOVE, b"", "MIGRATE", message_id=9, abandon=lambda: time.monotonic() - began > 1.5)
    assert ended.value.facts["limit"] == "abandon"
    assert 1.5 <= time.monotonic() - began < 3
    assert kinds == [7]


def test_an_idle_association_that_the_peer_ended_is_seen_to_be_closed() -> None:
    with answering(lambda sock: sock.sendall(RELEASE_RQ)) as port:
        association = opened(port)
        deadline = time.monotonic() + 5
        while association.is_open and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not association.is_open
        with pytest.raises(PeerUnavailable):
            association.echo()


def test_releasing_a_peer_that_does_not_answer_ends_all_the_same() -> None:
    with answering(lambda _: time.sleep(2)) as port:
        association = opened(port)
        began = time.monotonic()
        association.release()
        association.release()
        assert time.monotonic() - began < 3


def test_releases_that_cross_end_the_association() -> None:
    kinds: list[int] = []

    def script(sock: socket.socket) -> None:
        kinds.append(read_pdu(sock)[0])
        sock.sendall(RELEASE_RQ)
        kinds.append(read_pdu(sock)[0])
        sock.sendall(RELEASE_RP)

    with answering(script) as port:
        association = opened(port)
        began = time.monotonic()
        association.release()
        assert time.monotonic() - began < 2
    assert kinds == [5, 6]


# ---- sending objects


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big"
    path.write_bytes(b"ab" * 5_000_000)
    return path


def outgoing(path: Path, length: int, syntax: str = IMPLICIT) -> Outgoing:
    return Outgoing(
        sop_class_uid=CT,
        sop_instance_uid="1.2.3",
        transfer_syntax_uid=syntax,
        segments=(b"head", FileRange(path, 0, length)),
    )


@pytest.mark.parametrize(
    "script",
    [
        lambda _: time.sleep(2),
        lambda sock: (sock.recv(100_000), sock.close()),
        lambda sock: (sock.recv(100_000), sock.sendall(encode_abort(Abort(0, 0))), sock.recv(100_000)),
    ],
    ids=["stops reading", "closes", "aborts"],
)
def test_an_object_without_an_answer_is_unknown(script: Callable[[socket.socket], object], big: Path) -> None:
    with answering(script) as port:
        association = opened(port, Context(CT, (IMPLICIT,)))
        began = time.monotonic()
        answer = association.store(outgoing(big, 10_000_000))
        assert time.monotonic() - began < 4
    assert answer.status is None
    assert answer.error_comment


def test_an_object_that_no_context_fits_is_refused_and_the_association_lives_on(big: Path) -> None:
    def script(sock: socket.socket) -> None:
        read_pdu(sock)
        sock.sendall(command(CommandSet(command_field=0x8030, message_id_being_responded_to=1, status=0)))
        read_pdu(sock)

    with answering(script) as port, opened(port) as association:
        with pytest.raises(PeerRefused) as refused:
            association.store(outgoing(big, 100))
        assert (refused.value.facts["sop_class"], refused.value.facts["transfer_syntax"]) == (CT, IMPLICIT)
        assert association.echo() == 0


@pytest.mark.parametrize(
    ("name", "length", "fact"), [("big", 10_000_002, "shorter"), ("missing", 100, "cannot be read")]
)
def test_a_file_that_cannot_be_sent_aborts_instead_of_ending_short(
    big: Path, name: str, length: int, fact: str
) -> None:
    kinds: list[int] = []

    def script(sock: socket.socket) -> None:
        while (kind := read_pdu(sock)[0]) == 4:
            pass
        kinds.append(kind)

    with answering(script) as port, pytest.raises(LocalError, match=fact):
        opened(port, Context(CT, (IMPLICIT,))).store(outgoing(big.parent / name, length))
    assert kinds == [7]


@pytest.mark.parametrize("peer_max_pdu", [0, 128, 4096, 0xFFFFFFFF])
def test_no_pdu_is_longer_than_the_peer_allows(peer_max_pdu: int, big: Path) -> None:
    lengths: list[int] = []
    body: list[bytes] = []

    def script(sock: socket.socket) -> None:
        read_pdu(sock)
        accept = bytes.fromhex("0200")  # the length follows
        item = struct.pack(">BxHI", 0x51, 4, peer_max_pdu)
        syntax = struct.pack(">BxH", 0x40, len(IMPLICIT)) + IMPLICIT.encode()
        context = struct.pack(">BxHBxBx", 0x21, 4 + len(syntax), 1, 0) + syntax
        users = struct.pack(">BxH", 0x50, len(item)) + item
        fixed = struct.pack(">HH16s16s32x", 1, 0, b"A", b"B")
        rest = fixed + context + users
        sock.sendall(accept + struct.pack(">I", len(rest)) + rest)
        while True:
            kind, pdu = read_pdu(sock)
            if kind != 4:
                return
            lengths.append(len(pdu))
            if not pdu[5] & 1:
                body.append(pdu[6:])
            if pdu[5] == 2:
                sock.sendall(command(CommandSet(command_field=0x8001, message_id_being_responded_to=1, status=0xB007)))

    with answering(script, associate=False) as port, opened(port, Context(CT, (IMPLICIT,))) as association:
        assert association.store(outgoing(big, 300_000)).status == 0xB007
    assert max(lengths) <= (peer_max_pdu or 131_072)
    assert b"".join(body) == b"head" + b"ab" * 150_000
