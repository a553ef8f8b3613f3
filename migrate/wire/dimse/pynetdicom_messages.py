"""Our messages and values to pynetdicom's and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any, Final

from pynetdicom import dimse_primitives as primitives
from pynetdicom.association import Association as PynetdicomConnection
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation, SOPClassExtendedNegotiation
from pynetdicom.presentation import PresentationContext

from migrate.dicom.dictionary import keyword_of
from migrate.wire.dimse.channel import AcceptedContext, Message, OpenBody
from migrate.wire.dimse.command import ELEMENTS, NO_DATA_SET, WITH_DATA_SET, CommandField, CommandSet
from migrate.wire.dimse.endpoint import Context
from migrate.wire.dimse.pdu import AnsweredContext, AssociateAccept

# request code -> (primitive, name of its data set in a request, in a response)
_KINDS: Final[dict[int, tuple[type[Any], str, str]]] = {
    CommandField.C_STORE_RQ: (primitives.C_STORE, "DataSet", ""),
    CommandField.C_GET_RQ: (primitives.C_GET, "Identifier", "Identifier"),
    CommandField.C_FIND_RQ: (primitives.C_FIND, "Identifier", "Identifier"),
    CommandField.C_MOVE_RQ: (primitives.C_MOVE, "Identifier", "Identifier"),
    CommandField.C_ECHO_RQ: (primitives.C_ECHO, "", ""),
    CommandField.N_EVENT_REPORT_RQ: (primitives.N_EVENT_REPORT, "EventInformation", "EventReply"),
    CommandField.N_ACTION_RQ: (primitives.N_ACTION, "ActionInformation", "ActionReply"),
    CommandField.C_CANCEL_RQ: (primitives.C_CANCEL, "", ""),
}
_CODES: Final = {kind: (code, names) for code, (kind, *names) in _KINDS.items()}
_NOT_ATTRIBUTES: Final = ("command_field", "command_data_set_type")
_KEYWORDS: Final = {name: keyword_of(tag) for tag, (name, _) in ELEMENTS.items() if name not in _NOT_ATTRIBUTES}


def primitive_of(command: CommandSet, data_set: bytes | None) -> Any:
    """A primitive that `dimse.send_msg` takes."""
    kind, in_request, in_response = _KINDS[command.command_field & 0x7FFF]
    primitive = kind()
    for name, keyword in _KEYWORDS.items():
        value = getattr(command, name)
        if value is not None and hasattr(primitive, keyword):
            setattr(primitive, keyword, value)
    if data_set is not None:
        setattr(primitive, in_response if command.is_response else in_request, BytesIO(data_set))
    return primitive


def message_of(context: AcceptedContext, primitive: Any, open_body: OpenBody) -> Message:
    """A primitive that came, its data set already in the body that `open_body` gives."""
    code, (in_request, in_response) = _CODES[type(primitive)]
    is_response = primitive.MessageIDBeingRespondedTo is not None
    data_set = getattr(primitive, (in_response if is_response else in_request) or "_", None)
    whole = data_set.getvalue() if data_set is not None else b""
    values = {name: getattr(primitive, keyword, None) for name, keyword in _KEYWORDS.items()}
    command = CommandSet(
        command_field=code | (0x8000 if is_response else 0),
        command_data_set_type=WITH_DATA_SET if whole else NO_DATA_SET,
        **{name: _plain(value) for name, value in values.items()},
    )
    if not whole:
        return Message(context, command, None)
    body = open_body(context, command)
    body.write(memoryview(whole))
    return Message(context, command, body)


def _plain(value: Any) -> Any:
    """UIDs and tags as the plain values we use."""
    if isinstance(value, str):
        return str(value)
    return tuple(int(one) for one in value) if isinstance(value, list) else value


def negotiation_items(contexts: Sequence[Context], extended: Mapping[str, bytes]) -> list[Any]:
    """Role selection and extended negotiation for an association request."""
    items: list[Any] = []
    for uid in dict.fromkeys(one.abstract_syntax for one in contexts if one.scp_role):
        role = SCP_SCU_RoleSelectionNegotiation()
        role.sop_class_uid, role.scu_role, role.scp_role = uid, True, True
        items.append(role)
    for uid, information in extended.items():
        item = SOPClassExtendedNegotiation()
        item.sop_class_uid, item.service_class_application_information = uid, information
        items.append(item)
    return items


def accepted_of(context: PresentationContext) -> AcceptedContext:
    """An accepted context; it has one transfer syntax left."""
    return AcceptedContext(
        context.context_id or 0, str(context.abstract_syntax), str(next(iter(context.transfer_syntax), ""))
    )


def answer_of(peer: PynetdicomConnection) -> AssociateAccept:
    """What the peer said when it accepted."""
    acceptor = peer.acceptor
    return AssociateAccept(
        called_ae_title=acceptor.ae_title,
        calling_ae_title=peer.requestor.ae_title,
        max_pdu_bytes=acceptor.maximum_length or 0,
        contexts=tuple(
            AnsweredContext(one.context_id or 0, 0, accepted_of(one).transfer_syntax) for one in peer.accepted_contexts
        ),
        extended={str(uid): bytes(value) for uid, value in acceptor.sop_class_extended.items()},
        implementation_class_uid=str(acceptor.implementation_class_uid or ""),
        implementation_version_name=str(acceptor.implementation_version_name or ""),
    )
