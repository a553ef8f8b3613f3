"""The association PDUs of PS3.8 9.3 as frozen values, to bytes and back.

P-DATA-TF is not here: its bytes are never held as one PDU (see `framing`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

APPLICATION_CONTEXT_UID: Final = "1.2.840.10008.3.1.1.1"
# Our own root is a UUID-derived one (PS3.5 B.2): no registration needed, never reused.
IMPLEMENTATION_CLASS_UID: Final = "2.25.302043790172249692526321623266752743501"
IMPLEMENTATION_VERSION_NAME: Final = "MIGRATE_1"


class PduType(IntEnum):
    """PS3.8 9.3: the first byte of every PDU."""

    ASSOCIATE_RQ = 1
    ASSOCIATE_AC = 2
    ASSOCIATE_RJ = 3
    P_DATA_TF = 4
    RELEASE_RQ = 5
    RELEASE_RP = 6
    ABORT = 7


class BadPdu(ValueError):
    """Bytes that are no PDU. `reason` is the A-ABORT reason of PS3.8 Table 9-26."""

    def __init__(self, fact: str, reason: int = 6) -> None:
        super().__init__(fact)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """One presentation context of an A-ASSOCIATE-RQ (PS3.8 9.3.2.2)."""

    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnsweredContext:
    """One presentation context of an A-ASSOCIATE-AC (PS3.8 9.3.3.2).

    `result` is 0 acceptance, 1 user, 2 no reason, 3 abstract syntax, 4 transfer syntaxes.
    """

    context_id: int
    result: int
    transfer_syntax: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Associate:
    called_ae_title: str
    calling_ae_title: str
    max_pdu_bytes: int
    # SOP class -> (SCU, SCP): PS3.7 D.3.3.4
    roles: Mapping[str, tuple[bool, bool]] = field(default_factory=dict)
    # SOP class -> service class application information: PS3.7 D.3.3.5
    extended: Mapping[str, bytes] = field(default_factory=dict)
    implementation_class_uid: str = IMPLEMENTATION_CLASS_UID
    implementation_version_name: str = IMPLEMENTATION_VERSION_NAME
    application_context_uid: str = APPLICATION_CONTEXT_UID
    protocol_version: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class AssociateRequest(_Associate):
    """A-ASSOCIATE-RQ (PS3.8 9.3.2)."""

    contexts: tuple[ProposedContext, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class AssociateAccept(_Associate):
    """A-ASSOCIATE-AC (PS3.8 9.3.3)."""

    contexts: tuple[AnsweredContext, ...]


@dataclass(frozen=True, slots=True)
class AssociateReject:
    """A-ASSOCIATE-RJ (PS3.8 9.3.4). Result 1 is permanent, 2 is transient."""

    result: int
    source: int
    reason: int


@dataclass(frozen=True, slots=True)
class Abort:
    """A-ABORT (PS3.8 9.3.8). Source 0 is the service user, 2 the provider."""

    source: int
    reason: int


RELEASE_RQ: Final = b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00"
RELEASE_RP: Final = b"\x06\x00\x00\x00\x00\x04\x00\x00\x00\x00"
_FIXED: Final = struct.Struct(">HH16s16s32x")


def encode_reject(reject: AssociateReject) -> bytes:
    """A-ASSOCIATE-RJ as bytes."""
    return struct.pack(">BxIxBBB", PduType.ASSOCIATE_RJ, 4, reject.result, reject.source, reject.reason)


def encode_abort(abort: Abort) -> bytes:
    """A-ABORT as bytes."""
    return struct.pack(">BxIxxBB", PduType.ABORT, 4, abort.source, abort.reason)


def encode_request(request: AssociateRequest) -> bytes:
    """A-ASSOCIATE-RQ as bytes."""
    contexts = b"".join(_proposed(context) for context in request.contexts)
    return _associate(PduType.ASSOCIATE_RQ, request, contexts)


def encode_accept(accept: AssociateAccept) -> bytes:
    """A-ASSOCIATE-AC as bytes."""
    contexts = b"".join(
        _item(
            0x21,
            struct.pack(">BxBx", one.context_id, one.result) + _item(0x40, _ascii(one.transfer_syntax)),
        )
        for one in accept.contexts
    )
    return _associate(PduType.ASSOCIATE_AC, accept, contexts)


def decode_request(body: bytes) -> AssociateRequest:
    """The A-ASSOCIATE-RQ in `body` (without the six header bytes).

    Raises:
        BadPdu: The items do not fill the PDU or a required one is missing.
    """
    common, items = _fixed_part(body)
    contexts = tuple(_read_proposed(value) for kind, value in items if kind == 0x20)
    return AssociateRequest(contexts=contexts, **common)  # type: ignore[arg-type]


def decode_accept(body: bytes) -> AssociateAccept:
    """The A-ASSOCIATE-AC in `body` (without the six header bytes).

    Raises:
        BadPdu: The items do not fill the PDU or a required one is missing.
    """
    common, items = _fixed_part(body)
    contexts = tuple(_read_answered(value) for kind, value in items if kind == 0x21)
    return AssociateAccept(contexts=contexts, **common)  # type: ignore[arg-type]


def decode_reject(body: bytes) -> AssociateReject:
    """The A-ASSOCIATE-RJ in `body`. Raises BadPdu when it is shorter than four bytes."""
    if len(body) < 4:
        raise BadPdu("A-ASSOCIATE-RJ is too short")
    return AssociateReject(body[1], body[2], body[3])


def decode_abort(body: bytes) -> Abort:
    """The A-ABORT in `body`; a short one counts as one without a reason."""
    return Abort(body[2], body[3]) if len(body) >= 4 else Abort(2, 0)


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(value)) + value


def _proposed(context: ProposedContext) -> bytes:
    syntaxes = b"".join(_item(0x40, _ascii(uid)) for uid in context.transfer_syntaxes)
    abstract = _item(0x30, _ascii(context.abstract_syntax))
    return _item(0x20, struct.pack(">Bxxx", context.context_id) + abstract + syntaxes)


def _associate(kind: PduType, pdu: _Associate, contexts: bytes) -> bytes:
    fixed = _FIXED.pack(1, 0, _title(pdu.called_ae_title), _title(pdu.calling_ae_title))
    body = fixed + _item(0x10, _ascii(pdu.application_context_uid)) + contexts + _item(0x50, _user_items(pdu))
    return struct.pack(">BxI", kind, len(body)) + body


def _user_items(pdu: _Associate) -> bytes:
    parts = [
        _item(0x51, struct.pack(">I", pdu.max_pdu_bytes)),
        _item(0x52, _ascii(pdu.implementation_class_uid)),
    ]
    for uid, (scu, scp) in pdu.roles.items():
        parts.append(_item(0x54, _counted(uid) + bytes((scu, scp))))
    parts.append(_item(0x55, _ascii(pdu.implementation_version_name)))
    parts.extend(_item(0x56, _counted(uid) + value) for uid, value in pdu.extended.items())
    return b"".join(parts)


def _ascii(text: str) -> bytes:
    # UIDs come from what a source listed: a strange one must not end the program.
    return text.encode("ascii", "replace")


def _counted(uid: str) -> bytes:
    return struct.pack(">H", len(uid)) + _ascii(uid)


def _title(ae_title: str) -> bytes:
    return _ascii(ae_title).ljust(16)


def _items(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(body):
        if at + 4 > len(body):
            raise BadPdu("an item header is cut off")
        kind, length = struct.unpack_from(">BxH", body, at)
        at += 4
        if at + length > len(body):
            raise BadPdu("an item is longer than its PDU")
        yield kind, body[at : at + length]
        at += length


def _text(value: bytes) -> str:
    return value.decode("latin-1").strip(" \0")


def _fixed_part(body: bytes) -> tuple[dict[str, object], list[tuple[int, bytes]]]:
    if len(body) < _FIXED.size:
        raise BadPdu("A-ASSOCIATE is too short")
    version, _, called, calling = _FIXED.unpack_from(body)
    items = list(_items(body[_FIXED.size :]))
    by_kind = dict(items)
    common: dict[str, object] = {
        "protocol_version": version,
        "called_ae_title": _text(called),
        "calling_ae_title": _text(calling),
        "application_context_uid": _text(by_kind.get(0x10, b"")),
    }
    return common | _read_user_items(by_kind.get(0x50, b"")), items


def _read_user_items(value: bytes) -> dict[str, object]:
    roles: dict[str, tuple[bool, bool]] = {}
    extended: dict[str, bytes] = {}
    found: dict[str, object] = {
        "max_pdu_bytes": 0,
        "implementation_class_uid": "",
        "implementation_version_name": "",
        "roles": roles,
        "extended": extended,
    }
    for kind, item in _items(value):
        if kind == 0x51 and len(item) == 4:
            found["max_pdu_bytes"] = int.from_bytes(item, "big")
        elif kind == 0x52:
            found["implementation_class_uid"] = _text(item)
        elif kind == 0x55:
            found["implementation_version_name"] = _text(item)
        elif kind == 0x54:
            uid, rest = _read_counted(item)
            roles[uid] = (rest[:1] == b"\x01", rest[1:2] == b"\x01")
        elif kind == 0x56:
            uid, rest = _read_counted(item)
            extended[uid] = rest
    return found


def _read_counted(item: bytes) -> tuple[str, bytes]:
    if len(item) < 2:
        raise BadPdu("a negotiation item is too short")
    end = 2 + int.from_bytes(item[:2], "big")
    if end > len(item):
        raise BadPdu("a negotiation item's UID is cut off")
    return _text(item[2:end]), item[end:]


def _read_proposed(value: bytes) -> ProposedContext:
    if len(value) < 4:
        raise BadPdu("a presentation context is too short")
    items = list(_items(value[4:]))
    abstract = [_text(item) for kind, item in items if kind == 0x30]
    syntaxes = tuple(_text(item) for kind, item in items if kind == 0x40)
    if len(abstract) != 1 or not syntaxes:
        raise BadPdu("a presentation context lacks its syntaxes")
    return ProposedContext(value[0], abstract[0], syntaxes)


def _read_answered(value: bytes) -> AnsweredContext:
    if len(value) < 4:
        raise BadPdu("a presentation context is too short")
    # On a refusal the syntax is not significant and some peers leave it out (PS3.8 9.3.3.2).
    syntaxes = [_text(item) for kind, item in _items(value[4:]) if kind == 0x40]
    return AnsweredContext(value[0], value[2], syntaxes[0] if syntaxes else "")
