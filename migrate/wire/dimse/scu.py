"""Our own associations: C-ECHO, C-FIND, C-MOVE, C-GET, C-STORE, storage commitment (PS3.7 9, 10).

One association belongs to one thread; `cancel` alone may be called from inside its callbacks.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType, TracebackType
from typing import Final, Self

from migrate.errors import PeerError, PeerRefused, PeerUnavailable
from migrate.wire.dimse.bodies import MemoryBody
from migrate.wire.dimse.channel import AcceptedContext, Channel, Message, Patience
from migrate.wire.dimse.command import WITH_DATA_SET, CommandField, CommandSet
from migrate.wire.dimse.commitment import (
    STORAGE_COMMITMENT_INSTANCE,
    STORAGE_COMMITMENT_PUSH_MODEL,
    SopReference,
    encode_request,
)
from migrate.wire.dimse.endpoint import NO_EXTENDED, Context, Endpoint
from migrate.wire.dimse.opening import open_dialogue
from migrate.wire.dimse.outgoing import Outgoing, StoreAnswer
from migrate.wire.dimse.pdu import AssociateAccept
from migrate.wire.dimse.reception import OnCommitment, Reception
from migrate.wire.dimse.retrieval import MoveEnd, SubOperations, end_of, sub_operations
from migrate.wire.dimse.sinks import StoreSink

VERIFICATION: Final = "1.2.840.10008.1.1"
_PENDING: Final = (0xFF00, 0xFF01)
_MEDIUM: Final = 0
# After so many answers to one C-FIND more are likely: they are left to gather before they are read.
_MANY_ANSWERS: Final = 8
_GATHER_S: Final = 0.002


class Association:
    """One association that we opened.

    Attributes:
        accepted: (abstract syntax, transfer syntax) -> presentation context id.
        extended: What the peer granted of the extended negotiation we proposed.
        peer: The A-ASSOCIATE-AC: implementation, PDU length, roles.
        on_commitment: Takes results of storage commitment that come on this association.
    """

    def __init__(self, endpoint: Endpoint, channel: Channel, answer: AssociateAccept) -> None:
        self.peer = answer
        self.extended: Mapping[str, bytes] = MappingProxyType(dict(answer.extended))
        self.accepted: Mapping[tuple[str, str], int] = MappingProxyType(
            {(one.abstract_syntax, one.transfer_syntax): one.context_id for one in channel.contexts.values()}
        )
        self._endpoint = endpoint
        self._channel = channel
        self._message_id = 0
        self._running: tuple[int, int] | None = None
        self._reception = Reception(endpoint.limits, endpoint.ae_title)

    @classmethod
    def open(cls, endpoint: Endpoint, contexts: Sequence[Context], extended: Mapping[str, bytes] = NO_EXTENDED) -> Self:
        """Connect and negotiate.

        Args:
            endpoint: Whom to call.
            contexts: What to propose, 128 at most.
            extended: SOP class -> service class application information (PS3.7 D.3.3.5).

        Raises:
            PeerUnavailable: No connection, no answer, an abort or a transient reject.
            PeerRefused: A permanent reject; the hint says which side to fix.
        """
        return cls(endpoint, *open_dialogue(endpoint, contexts, extended))

    @property
    def is_open(self) -> bool:
        """Whether messages may still be sent."""
        return self._channel.is_open

    @property
    def on_commitment(self) -> OnCommitment | None:
        """Who takes results of storage commitment that come on this association."""
        return self._reception.on_commitment

    @on_commitment.setter
    def on_commitment(self, on_commitment: OnCommitment | None) -> None:
        self._reception.on_commitment = on_commitment

    def transfer_syntax(self, abstract_syntax: str) -> str:
        """The first transfer syntax accepted for `abstract_syntax`: identifiers are written in it.

        Raises:
            PeerRefused: The peer accepted no context for it.
        """
        return self._context(abstract_syntax).transfer_syntax

    # ---- operations

    def echo(self) -> int:
        """C-ECHO (PS3.7 9.1.5): the status.

        Raises:
            PeerUnavailable: No answer.
            PeerRefused: Verification was not accepted.
        """
        context = self._context(VERIFICATION)
        command = CommandSet(
            command_field=CommandField.C_ECHO_RQ, affected_sop_class_uid=VERIFICATION, message_id=self._next_id()
        )
        self._channel.send(context.context_id, command)
        return self._response(command, self._patience()).command.status or 0

    def find(self, model_uid: str, identifier: bytes, on_answer: Callable[[int, bytes, str], None]) -> CommandSet:
        """C-FIND (PS3.4 C.4.1): the final response.

        Args:
            model_uid: Information model.
            identifier: Encoded in `transfer_syntax(model_uid)`.
            on_answer: Called with status, identifier and transfer syntax for each pending response.

        Raises:
            PeerUnavailable: No final response came: the answers so far are no result.
            PeerRefused: The model was not accepted.
        """
        request = CommandSet(command_field=CommandField.C_FIND_RQ, affected_sop_class_uid=model_uid)
        command, patience, answers = self._ask(request, identifier), self._patience(), 0
        with self._running_request(model_uid, command):
            while True:
                message = self._response(command, patience)
                status = message.command.status or 0
                if status not in _PENDING:
                    return message.command
                answers += 1
                if answers == _MANY_ANSWERS:
                    patience = replace(patience, gather_s=_GATHER_S)
                on_answer(status, _identifier(message), message.context.transfer_syntax)

    def move(  # noqa: PLR0913, PLR0917  the parts of a C-MOVE request and who listens
        self,
        model_uid: str,
        identifier: bytes,
        move_destination: str,
        message_id: int | None = None,
        on_pending: Callable[[SubOperations], object] = lambda _: None,
        abandon: Callable[[], bool] | None = None,
    ) -> MoveEnd:
        """C-MOVE (PS3.4 C.4.2): how it ended, which proves nothing.

        Waits without a time limit: the caller's `abandon`, asked about every second, ends it with
        an abort.

        Raises:
            PeerUnavailable: No final response came; the peer may go on sending.
            PeerRefused: The model was not accepted.
        """
        request = CommandSet(
            command_field=CommandField.C_MOVE_RQ,
            affected_sop_class_uid=model_uid,
            move_destination=move_destination,
            message_id=message_id,
        )
        command = self._ask(request, identifier)
        return self._retrieve(command, on_pending, abandon)

    def get(  # noqa: PLR0913, PLR0917  as move
        self,
        model_uid: str,
        identifier: bytes,
        sink: StoreSink,
        on_pending: Callable[[SubOperations], object] = lambda _: None,
        abandon: Callable[[], bool] | None = None,
    ) -> MoveEnd:
        """C-GET (PS3.4 C.4.3): objects come on this association and go into `sink`.

        The storage contexts must have been proposed with `scp_role`. Waits as `move` does.

        Raises:
            PeerUnavailable: No final response came.
            PeerRefused: The model was not accepted.
        """
        request = CommandSet(command_field=CommandField.C_GET_RQ, affected_sop_class_uid=model_uid)
        command = self._ask(request, identifier)
        self._reception.sink = sink
        try:
            return self._retrieve(command, on_pending, abandon)
        finally:
            self._reception.sink = None

    def cancel(self) -> None:
        """C-CANCEL the find, move or get that runs; callable from its callbacks (PS3.7 9.3.2.3).

        Answers may still come; the final status is FE00 if the peer cancelled.
        """
        if self._running is not None:
            context_id, message_id = self._running
            command = CommandSet(command_field=CommandField.C_CANCEL_RQ, message_id_being_responded_to=message_id)
            self._channel.send(context_id, command)

    def store(self, item: Outgoing) -> StoreAnswer:
        """C-STORE (PS3.4 B.2): what the peer answered; status None when no answer came.

        Raises:
            PeerRefused: No context fits the object; the association lives on.
            LocalError: The file cannot be read; the association is aborted.
        """
        context_id = self.accepted.get((item.sop_class_uid, item.transfer_syntax_uid))
        if context_id is None:
            raise PeerRefused(
                "the peer does not accept this kind of object in this transfer syntax",
                "ask its administrator to allow both",
                peer=self._endpoint.ae_title,
                sop_class=item.sop_class_uid,
                transfer_syntax=item.transfer_syntax_uid,
            )
        originator, originator_id = item.move_originator or (None, None)
        command = CommandSet(
            command_field=CommandField.C_STORE_RQ,
            command_data_set_type=WITH_DATA_SET,
            affected_sop_class_uid=item.sop_class_uid,
            affected_sop_instance_uid=item.sop_instance_uid,
            message_id=self._next_id(),
            priority=_MEDIUM,
            move_originator_application_entity_title=originator,
            move_originator_message_id=originator_id,
        )
        try:
            self._channel.send_object(context_id, command, item)
            answer = self._response(command, self._patience()).command
        except PeerError as error:
            # Whether the peer stored it is unknown: it must be asked before a repeat.
            return StoreAnswer(None, error_comment=str(error))
        return StoreAnswer(answer.status, answer.error_comment, answer.offending_element or ())

    def commit(self, transaction_uid: str, references: Iterable[SopReference]) -> int:
        """N-ACTION of storage commitment (PS3.4 J.3.2): the status.

        The result comes later, on this association (`on_commitment`, `listen`) or to a receiver.

        Raises:
            PeerUnavailable: No answer.
            PeerRefused: Storage commitment was not accepted.
        """
        context = self._context(STORAGE_COMMITMENT_PUSH_MODEL)
        command = CommandSet(
            command_field=CommandField.N_ACTION_RQ,
            command_data_set_type=WITH_DATA_SET,
            requested_sop_class_uid=STORAGE_COMMITMENT_PUSH_MODEL,
            requested_sop_instance_uid=STORAGE_COMMITMENT_INSTANCE,
            message_id=self._next_id(),
            action_type_id=1,
        )
        self._channel.send(
            context.context_id, command, encode_request(transaction_uid, references, context.transfer_syntax)
        )
        return self._response(command, self._patience()).command.status or 0

    def listen(self, wait_s: float, until: Callable[[], bool]) -> bool:
        """Serve the peer's requests for `wait_s` or `until` says so; whether it said so.

        Raises:
            PeerUnavailable: The association was aborted or released meanwhile.
        """
        deadline = time.monotonic() + wait_s
        while not until():
            if time.monotonic() > deadline:
                return False
            if self._channel.poll():
                self._serve(self._next(self._patience()))
        return True

    # ---- ending

    def release(self) -> None:
        """End in order (PS3.8 7.2), or abort when the peer does not agree; may be called twice."""
        self._channel.release()

    def abort(self) -> None:
        """A-ABORT (PS3.8 7.3); may be called twice."""
        self._channel.abort()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.release()
        else:
            self.abort()

    # ---- inside

    def _next_id(self) -> int:
        self._message_id = self._message_id % 0xFFFF + 1
        return self._message_id

    def _patience(self) -> Patience:
        return Patience(self._endpoint.limits.dimse_s, "dimse_s")

    def _context(self, abstract_syntax: str) -> AcceptedContext:
        for context in self._channel.contexts.values():
            if context.abstract_syntax == abstract_syntax:
                return context
        raise PeerRefused(
            "the peer does not accept this service",
            "ask its administrator to allow it for our AE title",
            peer=self._endpoint.ae_title,
            sop_class=abstract_syntax,
        )

    def _ask(self, request: CommandSet, identifier: bytes) -> CommandSet:
        """Send a find, move or get."""
        command = replace(
            request,
            command_data_set_type=WITH_DATA_SET,
            message_id=request.message_id or self._next_id(),
            priority=_MEDIUM,
        )
        context = self._context(command.affected_sop_class_uid or "")
        self._channel.send(context.context_id, command, identifier)
        return command

    def _retrieve(
        self, command: CommandSet, on_pending: Callable[[SubOperations], object], abandon: Callable[[], bool] | None
    ) -> MoveEnd:
        patience = Patience(None, "", abandon)
        with self._running_request(command.affected_sop_class_uid or "", command):
            while True:
                message = self._response(command, patience)
                if (message.command.status or 0) not in _PENDING:
                    return end_of(message.command, _identifier(message), message.context.transfer_syntax)
                on_pending(sub_operations(message.command))

    @contextlib.contextmanager
    def _running_request(self, model_uid: str, command: CommandSet) -> Iterator[None]:
        """While it runs `cancel` knows it; what a callback raises aborts the association."""
        self._running = (self._context(model_uid).context_id, command.message_id or 0)
        try:
            yield
        except BaseException:
            self.abort()
            raise
        finally:
            self._running = None

    def _response(self, command: CommandSet, patience: Patience) -> Message:
        """The next response to `command`; what the peer asks meanwhile is served."""
        message_id = command.message_id
        while True:
            message = self._next(patience)
            answer = message.command
            if answer.is_response and answer.message_id_being_responded_to == message_id:
                if answer.status is None:
                    self.abort()
                    raise PeerError("a response without a status, association aborted", peer=self._endpoint.ae_title)
                return message
            self._serve(message)

    def _next(self, patience: Patience) -> Message:
        message = self._channel.next(self._reception.open_body, patience)
        if message is None:
            raise PeerUnavailable("the peer released the association", peer=self._endpoint.ae_title)
        return message

    def _serve(self, message: Message) -> None:
        answer = self._reception.answer(message)
        if answer is not None:
            self._channel.send(message.context.context_id, answer)


def _identifier(message: Message) -> bytes:
    return message.body.value if isinstance(message.body, MemoryBody) else b""
