"""Laws of the upper layer: how bytes are cut does not matter, and no bytes hang or grow it."""

from __future__ import annotations

import itertools
import random
import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from migrate.wire.dimse.command import BadCommand, CommandSet, decode, encode
from migrate.wire.dimse.framing import Fragment
from migrate.wire.dimse.limits import Limits
from migrate.wire.dimse.pdu import (
    AnsweredContext,
    AssociateAccept,
    AssociateRequest,
    ProposedContext,
    decode_accept,
    decode_request,
    encode_accept,
    encode_request,
)
from migrate.wire.dimse.state_table import State
from migrate.wire.dimse.upper_layer import Aborted, Role, UpperLayer

FUZZED = 50_000
LIMITS = Limits(max_pdu_bytes=4096, max_associate_bytes=4096)
REQUEST = AssociateRequest(
    called_ae_title="THERE",
    calling_ae_title="HERE",
    max_pdu_bytes=16384,
    contexts=(ProposedContext(1, "1.2.840.10008.5.1.4.1.1.2", ("1.2.840.10008.1.2",)),),
    roles={"1.2.840.10008.5.1.4.1.1.2": (True, True)},
    extended={"1.2.840.10008.5.1.4.1.2.2.1": b"\1\1"},
)
ACCEPT = AssociateAccept(
    called_ae_title="THERE",
    calling_ae_title="HERE",
    max_pdu_bytes=0,
    contexts=(AnsweredContext(1, 0, "1.2.840.10008.1.2"),),
)

uids = st.from_regex(r"1(\.[1-9][0-9]{0,4}){1,8}", fullmatch=True)
titles = st.from_regex(r"[A-Z][A-Z0-9_]{0,15}", fullmatch=True)


def accepted() -> UpperLayer:
    layer = UpperLayer(Role.ACCEPTOR, LIMITS)
    layer.connected()
    list(layer.receive(memoryview(encode_request(REQUEST))))
    layer.accept(ACCEPT)
    layer.outgoing()
    return layer


def values_as_pdus(values: list[tuple[int, bytes]], per_pdu: list[int]) -> bytes:
    """P-DATA-TF PDUs of the (control, body) values, `per_pdu` of them in each."""
    out, rest = b"", list(values)
    counts = iter(per_pdu + [1] * len(values))
    while rest:
        count = next(counts)
        group, rest = rest[:count], rest[count:]
        body = b"".join(struct.pack(">IBB", len(value) + 2, 1, control) + value for control, value in group)
        out += struct.pack(">BxI", 4, len(body)) + body
    return out


def cut(whole: bytes, at: list[int]) -> list[bytes]:
    edges = sorted({0, len(whole), *(one % (len(whole) + 1) for one in at)})
    return [whole[start:end] for start, end in itertools.pairwise(edges)]


@given(
    pieces=st.lists(st.binary(max_size=300), min_size=1, max_size=8),
    per_pdu=st.lists(st.integers(1, 4), max_size=8),
    at=st.lists(st.integers(0, 10_000), max_size=30),
)
def test_a_data_set_is_the_same_however_it_is_fragmented(
    pieces: list[bytes], per_pdu: list[int], at: list[int]
) -> None:
    values = [(0, piece) for piece in pieces[:-1]] + [(2, pieces[-1])]
    layer = accepted()
    got, ends = b"", 0
    for segment in cut(values_as_pdus(values, per_pdu), at):
        assert ends == 0
        for event in layer.receive(memoryview(segment)):
            assert isinstance(event, Fragment)
            got += bytes(event.view)
            ends += event.last
    assert (got, ends, layer.in_pdu) == (b"".join(pieces), 1, False)


@given(
    pieces=st.lists(st.binary(max_size=300), min_size=1, max_size=8),
    at=st.lists(st.integers(0, 10_000), max_size=10),
)
def test_the_bytes_that_are_certain_to_come_do_come(pieces: list[bytes], at: list[int]) -> None:
    whole = values_as_pdus([(0, piece) for piece in pieces[:-1]] + [(2, pieces[-1])], [])
    layer = accepted()
    seen = 0
    for segment in cut(whole, at):
        list(layer.receive(memoryview(segment)))
        seen += len(segment)
        assert seen + layer.certain_bytes <= len(whole)


@given(called=titles, calling=titles, uid=uids, syntaxes=st.lists(uids, min_size=1, max_size=5))
def test_an_association_request_survives_its_encoding(called: str, calling: str, uid: str, syntaxes: list[str]) -> None:
    request = AssociateRequest(
        called_ae_title=called,
        calling_ae_title=calling,
        max_pdu_bytes=16384,
        contexts=(ProposedContext(1, uid, tuple(syntaxes)),),
        roles={uid: (False, True)},
        extended={uid: b"\1\0\1"},
    )
    assert decode_request(encode_request(request)[6:]) == request


@given(uid=uids, result=st.integers(0, 4))
def test_an_acceptance_survives_its_encoding(uid: str, result: int) -> None:
    answer = AssociateAccept(
        called_ae_title="A", calling_ae_title="B", max_pdu_bytes=0, contexts=(AnsweredContext(3, result, uid),)
    )
    assert decode_accept(encode_accept(answer)[6:]) == answer


commands = st.builds(
    CommandSet,
    command_field=st.sampled_from([0x0001, 0x8001, 0x0020, 0x8021]),
    affected_sop_class_uid=st.none() | uids,
    message_id=st.none() | st.integers(0, 0xFFFF),
    move_destination=st.none() | titles,
    status=st.none() | st.integers(0, 0xFFFF),
    offending_element=st.none() | st.lists(st.integers(0, 0xFFFFFFFF), min_size=1, max_size=3).map(tuple),
    error_comment=st.none() | st.text("abc xyz", min_size=1, max_size=64).map(str.strip).filter(bool),
    number_of_failed_suboperations=st.none() | st.integers(0, 0xFFFF),
)


@given(command=commands)
def test_a_command_set_survives_its_encoding(command: CommandSet) -> None:
    assert decode(encode(command)) == command


@given(value=st.binary(max_size=200))
def test_any_bytes_are_a_command_set_or_a_clean_refusal(value: bytes) -> None:
    try:
        decode(value)
    except BadCommand:
        return


@settings(max_examples=300)
@given(segments=st.lists(st.binary(max_size=80), max_size=12), role=st.sampled_from(Role))
def test_any_bytes_give_events_or_an_abort(segments: list[bytes], role: Role) -> None:
    assert_survives(segments, role, is_associated=False)


def assert_survives(segments: list[bytes], role: Role, *, is_associated: bool) -> None:
    """Feed `segments`; whatever they are, the layer ends in a known state and holds little."""
    layer = accepted() if is_associated else UpperLayer(role, LIMITS)
    if not is_associated:
        if role is Role.REQUESTOR:
            layer.associate(REQUEST)
        layer.connected()
    for segment in segments:
        events = list(layer.receive(memoryview(segment)))
        sent = layer.outgoing()
        if any(isinstance(event, Aborted) and not event.by_peer for event in events):
            assert sent[-10:-4] == b"\x07\x00\x00\x00\x00\x04"
        assert layer.state in State
        assert len(layer._framer._body) <= LIMITS.max_associate_bytes  # noqa: SLF001  the only thing that could grow
        if layer.closing or layer.state is State.AWAITING_CLOSE:
            break
    list(layer.transport_closed())
    assert layer.state in (State.IDLE, State.AWAITING_ASSOCIATE_RQ) or layer.closing


def test_fifty_thousand_damaged_conversations_end_in_events_or_an_abort() -> None:
    chance = random.Random(20260101)
    data = values_as_pdus([(3, encode(CommandSet(command_field=0x30))), (0, b"ab" * 40), (2, b"c" * 33)], [1, 2])
    seeds = [encode_request(REQUEST), data, encode_accept(ACCEPT), encode_request(REQUEST) + data]
    for number in range(FUZZED):
        seed = bytearray(seeds[number % len(seeds)])
        for _ in range(chance.randint(0, 4)):
            seed[chance.randrange(len(seed))] = chance.choice((0, 1, 2, 4, 7, 0x7F, 0x80, 0xFF))
        whole = bytes(seed[: chance.randint(1, len(seed))])
        segments = cut(whole, [chance.randrange(len(whole) + 1) for _ in range(chance.randint(0, 3))])
        assert_survives(segments, list(Role)[number % 3 == 0], is_associated=number % 2 == 1)
