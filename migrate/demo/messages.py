"""DIMSE messages written straight to the socket (PS3.7 6.3, PS3.8 9.3.5).

pynetdicom queues every PDU of a message in memory and hands it to another thread. A peer that must
be quick, and that may hold objects of any size, writes its own: command and first fragment share a
PDU, fragments are read from the file as they go, and a slow reader slows the writer.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from pynetdicom.association import Association

#: (0000,xxxx) elements that we send, in tag order: element number and kind.
_ELEMENTS: dict[str, tuple[int, str]] = {
    "AffectedSOPClassUID": (0x0002, "UI"),
    "RequestedSOPClassUID": (0x0003, "UI"),
    "CommandField": (0x0100, "US"),
    "MessageID": (0x0110, "US"),
    "MessageIDBeingRespondedTo": (0x0120, "US"),
    "Priority": (0x0700, "US"),
    "CommandDataSetType": (0x0800, "US"),
    "Status": (0x0900, "US"),
    "ErrorComment": (0x0902, "LO"),
    "AffectedSOPInstanceUID": (0x1000, "UI"),
    "RequestedSOPInstanceUID": (0x1001, "UI"),
    "EventTypeID": (0x1002, "US"),
    "ActionTypeID": (0x1008, "US"),
    "NumberOfRemainingSuboperations": (0x1020, "US"),
    "NumberOfCompletedSuboperations": (0x1021, "US"),
    "NumberOfFailedSuboperations": (0x1022, "US"),
    "NumberOfWarningSuboperations": (0x1023, "US"),
    "MoveOriginatorApplicationEntityTitle": (0x1030, "LO"),
    "MoveOriginatorMessageID": (0x1031, "US"),
}
_HAS_DATASET, _NO_DATASET = 0x0001, 0x0101
_LAST, _COMMAND = 0x02, 0x01
_LARGEST_PDU_BYTES = 256 * 1024
_A_ABORT = bytes((7, 0, 0, 0, 0, 4, 0, 0, 0, 0))


class AssociationLost(Exception):
    """The association ended under a message: aborted, closed or timed out."""


def send_message(
    association: Association, context_id: int, command: dict[str, Any], dataset: Iterable[bytes] | None = None
) -> None:
    """Send one message; `dataset` is any sequence of byte chunks, or None for none.

    Raises:
        AssociationLost: The connection is gone or does not take data in time.
    """
    command = {**command, "CommandDataSetType": _NO_DATASET if dataset is None else _HAS_DATASET}
    head = _pdv(context_id, _COMMAND | _LAST, _command_bytes(command))
    if dataset is None:
        _write(association, _pdu(head))
        return
    room = min(association.dimse.maximum_pdu_size or _LARGEST_PDU_BYTES, _LARGEST_PDU_BYTES) - 6
    first_room = room - len(head)
    if first_room < 1:
        _write(association, _pdu(head))
        head, first_room = b"", room
    for fragment, last in _fragments(dataset, first_room, room):
        _write(association, _pdu(head + _pdv(context_id, _LAST if last else 0, fragment)))
        head = b""


def _command_bytes(command: dict[str, Any]) -> bytes:
    body = b"".join(
        _element(number, kind, command[name])
        for name, (number, kind) in _ELEMENTS.items()
        if command.get(name) is not None
    )
    return _element(0x0000, "UL", len(body)) + body


def _element(number: int, kind: str, value: Any) -> bytes:
    if kind == "US":
        packed = struct.pack("<H", value)
    elif kind == "UL":
        packed = struct.pack("<L", value)
    else:
        text = str(value)[:64].encode("ascii", errors="replace")
        packed = text + (b"" if len(text) % 2 == 0 else b"\0" if kind == "UI" else b" ")
    return struct.pack("<HHL", 0, number, len(packed)) + packed


def _pdv(context_id: int, control: int, fragment: bytes) -> bytes:
    return struct.pack(">LBB", len(fragment) + 2, context_id, control) + fragment


def _pdu(pdvs: bytes) -> bytes:
    return struct.pack(">BxL", 4, len(pdvs)) + pdvs


def _fragments(chunks: Iterable[bytes], first: int, room: int) -> Iterator[tuple[bytes, bool]]:
    """Cut chunks of any size into fragments of `first`, then `room` bytes; says which is the last."""
    waiting, size = bytearray(), first
    for chunk in chain(chunks):
        waiting += chunk
        while len(waiting) > size:
            yield bytes(waiting[:size]), False
            del waiting[:size]
            size = room
    yield bytes(waiting), True


def _write(association: Association, pdu: bytes) -> None:
    left = getattr(association, "pdus_left", None)
    if left is not None:
        left.take(association)
    wrapped = association.dul.socket
    plain = wrapped.socket if wrapped else None
    if plain is None:
        raise AssociationLost
    try:
        plain.sendall(pdu)
    except OSError as error:
        association.dul.event_queue.put("Evt17")  # the connection is closed, PS3.8 9.2
        raise AssociationLost from error


def abort_at_once(association: Association) -> None:
    """A-ABORT from any thread, past every queue (PS3.8 9.3.8); the other end closes.

    Closing here would discard what was not read yet, and with it, by a reset, the A-ABORT.
    """
    association.is_over = True  # type: ignore[attr-defined]
    wrapped = association.dul.socket
    plain = wrapped.socket if wrapped else None
    if plain is None:
        return
    try:
        plain.sendall(_A_ABORT)
        plain.shutdown(socket.SHUT_WR)
    except OSError:
        return
