"""Whom we call and what we propose: the values an association is opened with."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from migrate.errors import PeerRefused, PeerUnavailable
from migrate.wire.dimse.limits import Limits
from migrate.wire.dimse.pdu import AssociateReject, AssociateRequest, ProposedContext


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """A peer as an administrator registers it, and who we say we are."""

    ae_title: str
    host: str
    port: int
    calling_ae_title: str
    tls: ssl.SSLContext | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Context:
    """One presentation context to propose.

    `scp_role` asks for the SCP role, which C-GET needs for its storage contexts (PS3.7 D.3.3.4).
    """

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]
    scp_role: bool = False


NO_EXTENDED: Final[Mapping[str, bytes]] = MappingProxyType({})


def request_of(endpoint: Endpoint, contexts: Sequence[Context], extended: Mapping[str, bytes]) -> AssociateRequest:
    """The A-ASSOCIATE-RQ for `contexts`, which get the odd ids from 1 in order.

    Raises:
        ValueError: More contexts than PS3.8 7.1.1.13 has ids for.
    """
    if len(contexts) > endpoint.limits.max_contexts:
        raise ValueError(f"{len(contexts)} presentation contexts, max_contexts={endpoint.limits.max_contexts}")
    return AssociateRequest(
        called_ae_title=endpoint.ae_title,
        calling_ae_title=endpoint.calling_ae_title,
        max_pdu_bytes=endpoint.limits.max_pdu_bytes,
        contexts=tuple(
            ProposedContext(2 * index + 1, one.abstract_syntax, one.transfer_syntaxes)
            for index, one in enumerate(contexts)
        ),
        # Both roles: a C-GET peer sends to us, and may as well take from us on the same context.
        roles={one.abstract_syntax: (True, True) for one in contexts if one.scp_role},
        extended=extended,
    )


_HINTS: Final = {
    (1, 1): "the peer does not say why; ask its administrator",
    (1, 2): "the peer does not speak DICOM's application context",
    (1, 3): "the peer does not know our AE title {calling}; ask its administrator to add it",
    (1, 7): "no such AE at the peer: compare ae_title {called} with what its administrator says",
    (2, 2): "the peer does not speak this version of the upper layer",
    (3, 1): "the peer is congested; fewer associations may help",
    (3, 2): "the peer has no association left; use fewer associations",
}


def rejection(endpoint: Endpoint, reject: AssociateReject) -> PeerRefused | PeerUnavailable:
    """The error for an A-ASSOCIATE-RJ (PS3.8 9.3.4): transient ones may work later."""
    hint = _HINTS.get((reject.source, reject.reason), "ask the peer's administrator what its log says")
    kind = PeerUnavailable if reject.result == 2 else PeerRefused
    return kind(
        "association rejected",
        hint.format(called=endpoint.ae_title, calling=endpoint.calling_ae_title),
        peer=endpoint.ae_title,
        result=reject.result,
        source=reject.source,
        reason=reject.reason,
    )
