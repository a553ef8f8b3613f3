"""C-STORE as user: stored objects go out byte for byte (PS3.4 B.2.2)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import BytesIO

from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.association import Association
from pynetdicom.dsutils import encode

from migrate.demo.archive import StoredObject
from migrate.demo.association import requested
from migrate.demo.core import Core
from migrate.demo.messages import AssociationLost, send_message

_C_STORE_RQ = 0x0001
_CHUNK_BYTES = 256 * 1024
_MOST_CONTEXTS = 128
#: Syntaxes that an archive converts between when the receiver takes no other.
_NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)
#: No presentation context for the object: a failed sub-operation without a status of its own.
NO_CONTEXT = 0xA900
WITHHELD = 0xA702


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One object to send.

    `bytes_instead` replaces its data set when orders spoil it, `uid_instead` its SOP Instance UID;
    a `withheld` one fails unsent.
    """

    stored: StoredObject
    bytes_instead: bytes | None = None
    withheld: bool = False
    uid_instead: str | None = None

    def chunks(self) -> Iterator[bytes]:
        """The data set in pieces of at most 256 KiB."""
        if self.bytes_instead is not None:
            yield self.bytes_instead
            return
        with self.stored.path.open("rb") as file:
            file.seek(self.stored.dataset_offset_bytes)
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk


@dataclass(slots=True)
class Sender:
    """Sends objects on one established association, which may be either side's."""

    association: Association
    originator: tuple[str, int] | None = None
    _message_ids: Iterator[int] = field(default_factory=lambda: itertools.cycle(range(1, 65_536)))
    _contexts: dict[tuple[str, str], int] = field(init=False)

    def __post_init__(self) -> None:
        self._contexts = {
            (str(context.abstract_syntax), str(context.transfer_syntax[0])): int(context.context_id or 0)
            for context in self.association.accepted_contexts
            if context.as_scu
        }

    def send(self, outgoing: Outgoing) -> int:
        """Send one object; the receiver's status, or NO_CONTEXT. Raises AssociationLost."""
        stored = outgoing.stored
        if outgoing.withheld:
            return WITHHELD
        context_id = self._contexts.get((stored.sop_class_uid, stored.transfer_syntax_uid))
        chunks: Iterable[bytes] = outgoing.chunks()
        if context_id is None:
            context_id, chunks = self._converted(stored)
        if not context_id:
            return NO_CONTEXT
        send_message(self.association, context_id, self._command(outgoing), chunks)
        _, answer = self.association.dimse.get_msg(block=True)
        if answer is None or getattr(answer, "Status", None) is None:
            raise AssociationLost
        return int(answer.Status or 0)

    def _command(self, outgoing: Outgoing) -> dict[str, object]:
        title, message_id = self.originator or (None, None)
        return {
            "AffectedSOPClassUID": outgoing.stored.sop_class_uid,
            "CommandField": _C_STORE_RQ,
            "MessageID": next(self._message_ids),
            "Priority": 0,
            "AffectedSOPInstanceUID": outgoing.uid_instead or outgoing.stored.sop_instance_uid,
            "MoveOriginatorApplicationEntityTitle": title,
            "MoveOriginatorMessageID": message_id,
        }

    def _converted(self, stored: StoredObject) -> tuple[int, list[bytes]]:
        """Native pixels re-encoded for a receiver that does not take the stored syntax."""
        for syntax in _NATIVE if stored.transfer_syntax_uid in _NATIVE else ():
            context_id = self._contexts.get((stored.sop_class_uid, str(syntax)))
            if context_id:
                dataset = dcmread(BytesIO(stored.path.read_bytes()), force=True)
                encoded = encode(dataset, syntax.is_implicit_VR, True, syntax.is_deflated)  # noqa: FBT003
                return context_id, [encoded or b""]
        return 0, []


def send_to(
    core: Core, destination: str, objects: list[Outgoing], originator: tuple[str, int] | None
) -> Iterator[tuple[Outgoing, int]]:
    """Open associations to `destination` and send; yields each object with its status.

    Raises:
        AssociationLost: The destination cannot be reached or went away.
    """
    for batch, pairs in _batches(objects):
        contexts = [build_context(sop_class, syntax) for sop_class, syntax in pairs]
        with requested(core, destination, contexts) as association:
            sender = Sender(association, originator)
            for outgoing in batch:
                yield outgoing, sender.send(outgoing)


def _batches(objects: list[Outgoing]) -> Iterator[tuple[list[Outgoing], list[tuple[str, str]]]]:
    """At most 128 presentation contexts fit into one association (PS3.8 9.3.2.2)."""
    batch: list[Outgoing] = []
    pairs: dict[tuple[str, str], None] = {}
    for outgoing in objects:
        wanted = _pairs(outgoing.stored)
        if len(pairs | wanted) > _MOST_CONTEXTS:
            yield batch, list(pairs)
            batch, pairs = [], {}
        batch.append(outgoing)
        pairs.update(wanted)
    if batch:
        yield batch, list(pairs)


def _pairs(stored: StoredObject) -> dict[tuple[str, str], None]:
    syntaxes = {stored.transfer_syntax_uid: None}
    if stored.transfer_syntax_uid in _NATIVE:
        syntaxes |= {str(syntax): None for syntax in _NATIVE[:2]}
    return {(stored.sop_class_uid, syntax): None for syntax in syntaxes}
