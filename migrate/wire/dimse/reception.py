"""Answers to the requests a peer may send us: C-STORE, C-ECHO and N-EVENT-REPORT.

Used by the receiver and, for C-GET and storage commitment, by our own associations.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from migrate.wire.dimse.bodies import Body, MemoryBody, ObjectBody
from migrate.wire.dimse.channel import AcceptedContext, Message
from migrate.wire.dimse.command import CommandField, CommandSet
from migrate.wire.dimse.commitment import CommitmentResult, decode_result
from migrate.wire.dimse.limits import Limits
from migrate.wire.dimse.sinks import Incoming, StoreSink

_log: Final = logging.getLogger(__name__)
SUCCESS: Final = 0x0000
_PROCESSING_FAILURE: Final = 0x0110
_SOP_CLASS_NOT_SUPPORTED: Final = 0x0122
_UNRECOGNIZED_OPERATION: Final = 0x0211
_MISTYPED_ARGUMENT: Final = 0x0212

OnCommitment = Callable[[CommitmentResult], None]


class Reception:
    """What one association accepts from its peer.

    Args:
        limits: Bounds on what is kept in memory or handed on.
        peer_ae_title: Who sends; goes into `Incoming`.
        sink: Takes objects; None refuses them.
        on_commitment: Takes results of storage commitment; None refuses them.
    """

    def __init__(
        self,
        limits: Limits,
        peer_ae_title: str,
        sink: StoreSink | None = None,
        on_commitment: OnCommitment | None = None,
    ) -> None:
        self._limits = limits
        self.peer_ae_title = peer_ae_title
        self.sink = sink
        self.on_commitment = on_commitment

    def open_body(self, context: AcceptedContext, command: CommandSet) -> Body:
        """Where the data set of `command` goes."""
        if command.command_field == CommandField.C_STORE_RQ and self.sink is not None:
            incoming = Incoming(
                sop_class_uid=command.affected_sop_class_uid or "",
                sop_instance_uid=command.affected_sop_instance_uid or "",
                transfer_syntax_uid=context.transfer_syntax,
                calling_ae_title=self.peer_ae_title,
                move_originator_ae_title=command.move_originator_application_entity_title,
                move_originator_message_id=command.move_originator_message_id,
            )
            return ObjectBody(self.sink, incoming, self._limits.max_object_bytes)
        return MemoryBody(self._limits.max_identifier_bytes)

    def answer(self, message: Message) -> CommandSet | None:
        """The response to a request; None when none is due (PS3.7 9.3.2.3: C-CANCEL)."""
        command = message.command
        if command.command_field == CommandField.C_CANCEL_RQ or command.is_response:
            return None
        return CommandSet(
            command_field=command.command_field | 0x8000,
            message_id_being_responded_to=command.message_id or 0,
            affected_sop_class_uid=command.affected_sop_class_uid or command.requested_sop_class_uid,
            affected_sop_instance_uid=command.affected_sop_instance_uid,
            event_type_id=command.event_type_id,
            status=self._serve(message),
        )

    def _serve(self, message: Message) -> int:
        field, body = message.command.command_field, message.body
        if field == CommandField.C_STORE_RQ:
            if isinstance(body, ObjectBody):
                return body.finish()
            return _SOP_CLASS_NOT_SUPPORTED if self.sink is None else _MISTYPED_ARGUMENT
        if field == CommandField.C_ECHO_RQ:
            return SUCCESS
        if field == CommandField.N_EVENT_REPORT_RQ and self.on_commitment is not None:
            return self._commitment(message, self.on_commitment)
        return _UNRECOGNIZED_OPERATION

    def _commitment(self, message: Message, on_commitment: OnCommitment) -> int:
        if not isinstance(message.body, MemoryBody):
            return _MISTYPED_ARGUMENT
        try:
            result = decode_result(message.body.value, message.context.transfer_syntax)
        except ValueError:
            return _PROCESSING_FAILURE
        try:
            on_commitment(result)
        except Exception as error:  # noqa: BLE001  what the listener raises becomes a status; the peer may repeat
            _log.warning("a storage commitment result was not taken: %s", type(error).__name__)
            return _PROCESSING_FAILURE
        return SUCCESS
