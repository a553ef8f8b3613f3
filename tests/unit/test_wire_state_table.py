"""The state machine's table against the one in pynetdicom, which its authors took from PS3.8 too."""

from __future__ import annotations

import re

import pytest
from pynetdicom import fsm

from migrate.wire.dimse.limits import Limits
from migrate.wire.dimse.pdu import (
    RELEASE_RP,
    RELEASE_RQ,
    Abort,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    ProposedContext,
    encode_abort,
    encode_reject,
    encode_request,
)
from migrate.wire.dimse.state_table import EFFECTS, TRANSITIONS, Happening, State
from migrate.wire.dimse.upper_layer import Aborted, Released, ReleaseRequested, Role, UpperLayer

REQUEST = AssociateRequest(
    called_ae_title="THERE",
    calling_ae_title="HERE",
    max_pdu_bytes=16384,
    contexts=(ProposedContext(1, "1.2.840.10008.1.1", ("1.2.840.10008.1.2",)),),
)
ACCEPT = AssociateAccept(called_ae_title="THERE", calling_ae_title="HERE", max_pdu_bytes=16384, contexts=())
P_DATA = bytes.fromhex("04000000000800000004") + b"\x01\x03\x00\x00"


def test_the_table_is_the_one_pynetdicom_uses() -> None:
    ours = {
        (f"Evt{happening.value}", f"Sta{state.value}"): action for (happening, state), action in TRANSITIONS.items()
    }
    assert ours == fsm.TRANSITION_TABLE


@pytest.mark.parametrize("action", sorted(EFFECTS))
def test_each_action_leads_where_pynetdicom_goes(action: str) -> None:
    described = fsm.ACTIONS[action][2]
    states = {int(number) for number in re.findall(r"Sta(\d+)", str(described))}
    assert EFFECTS[action].state in states


def associated(role: Role) -> UpperLayer:
    layer = UpperLayer(role, Limits())
    if role is Role.REQUESTOR:
        layer.associate(REQUEST)
        layer.connected()
        list(layer.receive(memoryview(_accept_pdu())))
    else:
        layer.connected()
        list(layer.receive(memoryview(encode_request(REQUEST))))
        layer.accept(ACCEPT)
    layer.outgoing()
    return layer


def _accept_pdu() -> bytes:
    other = UpperLayer(Role.ACCEPTOR, Limits())
    other.connected()
    list(other.receive(memoryview(encode_request(REQUEST))))
    other.accept(ACCEPT)
    return other.outgoing()


@pytest.mark.parametrize("role", list(Role))
def test_both_roles_reach_an_association_and_release_it(role: Role) -> None:
    layer = associated(role)
    assert layer.state is State.ASSOCIATED
    layer.release()
    assert layer.outgoing() == RELEASE_RQ
    assert list(layer.receive(memoryview(RELEASE_RP))) == [Released()]
    assert layer.closing


@pytest.mark.parametrize("role", list(Role))
def test_the_peers_release_is_answered_and_data_may_go_out_before(role: Role) -> None:
    layer = associated(role)
    assert list(layer.receive(memoryview(RELEASE_RQ))) == [ReleaseRequested()]
    assert layer.may_send_data()
    layer.release_response()
    assert layer.outgoing() == RELEASE_RP
    assert layer.artim_running


@pytest.mark.parametrize(
    ("role", "waits_in"),
    [(Role.REQUESTOR, State.COLLISION_REQUESTOR_LOCAL), (Role.ACCEPTOR, State.COLLISION_ACCEPTOR_REMOTE)],
)
def test_two_releases_that_cross_end_the_association(role: Role, waits_in: State) -> None:
    layer = associated(role)
    layer.release()
    assert list(layer.receive(memoryview(RELEASE_RQ))) == [ReleaseRequested()]
    assert layer.state is waits_in


def test_a_reject_is_told_and_closes() -> None:
    layer = UpperLayer(Role.REQUESTOR, Limits())
    layer.associate(REQUEST)
    layer.connected()
    assert list(layer.receive(memoryview(encode_reject(AssociateReject(1, 1, 7))))) == [AssociateReject(1, 1, 7)]
    assert layer.closing


@pytest.mark.parametrize("role", list(Role))
def test_the_peers_abort_is_told_with_its_source_and_reason(role: Role) -> None:
    layer = associated(role)
    (event,) = layer.receive(memoryview(encode_abort(Abort(2, 6))))
    assert isinstance(event, Aborted)
    assert (event.by_peer, event.source, event.reason, layer.closing) == (True, 2, 6, True)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"\x09\x00\x00\x00\x00\x04abcd", 1),
        (encode_request(REQUEST), 2),
        (bytes.fromhex("04000000000200000000"), 6),
        (bytes.fromhex("0400fffffff0"), 6),
        (bytes.fromhex("050000000fff"), 6),
    ],
    ids=["unknown type", "second request", "no value", "4 GB long", "long release"],
)
def test_what_may_not_come_is_answered_by_an_abort_of_the_provider(sent: bytes, reason: int) -> None:
    layer = associated(Role.ACCEPTOR)
    events = list(layer.receive(memoryview(sent)))
    assert [type(event) for event in events] == [Aborted]
    assert layer.outgoing() == encode_abort(Abort(2, reason))
    assert layer.state is State.AWAITING_CLOSE


def test_data_before_an_association_is_refused() -> None:
    layer = UpperLayer(Role.ACCEPTOR, Limits())
    layer.connected()
    assert [type(event) for event in layer.receive(memoryview(P_DATA))] == [Aborted]
    assert layer.outgoing()[0] == 7


def test_our_own_mistakes_are_errors_and_not_bytes() -> None:
    layer = UpperLayer(Role.REQUESTOR, Limits())
    with pytest.raises(ValueError, match="RELEASE_REQUEST"):
        layer.release()
    assert layer.outgoing() == b""


def test_the_grid_speaks_of_nineteen_events_and_thirteen_states() -> None:
    assert {happening for happening, _ in TRANSITIONS} == set(Happening)
    assert {state for _, state in TRANSITIONS} == set(State)
