"""DIMSE command sets (PS3.7 6.3, Annex E): implicit VR little endian, group 0000, by one table."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any, Final


class CommandField(IntEnum):
    """PS3.7 E.1-1: what a message is; a response has bit 15 set."""

    C_STORE_RQ = 0x0001
    C_GET_RQ = 0x0010
    C_FIND_RQ = 0x0020
    C_MOVE_RQ = 0x0021
    C_ECHO_RQ = 0x0030
    N_EVENT_REPORT_RQ = 0x0100
    N_ACTION_RQ = 0x0130
    C_CANCEL_RQ = 0x0FFF
    C_STORE_RSP = 0x8001
    C_GET_RSP = 0x8010
    C_FIND_RSP = 0x8020
    C_MOVE_RSP = 0x8021
    C_ECHO_RSP = 0x8030
    N_EVENT_REPORT_RSP = 0x8100
    N_ACTION_RSP = 0x8130


NO_DATA_SET: Final = 0x0101
WITH_DATA_SET: Final = 0x0001


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandSet:
    """One command set; None is an element that is not there. Names are the Standard's keywords."""

    command_field: int
    command_data_set_type: int = NO_DATA_SET
    affected_sop_class_uid: str | None = None
    requested_sop_class_uid: str | None = None
    message_id: int | None = None
    message_id_being_responded_to: int | None = None
    move_destination: str | None = None
    priority: int | None = None
    status: int | None = None
    offending_element: tuple[int, ...] | None = None
    error_comment: str | None = None
    error_id: int | None = None
    affected_sop_instance_uid: str | None = None
    requested_sop_instance_uid: str | None = None
    event_type_id: int | None = None
    action_type_id: int | None = None
    number_of_remaining_suboperations: int | None = None
    number_of_completed_suboperations: int | None = None
    number_of_failed_suboperations: int | None = None
    number_of_warning_suboperations: int | None = None
    move_originator_application_entity_title: str | None = None
    move_originator_message_id: int | None = None

    @property
    def has_data_set(self) -> bool:
        """Whether a data set follows (PS3.7 E.1: anything but 0101H)."""
        return self.command_data_set_type != NO_DATA_SET

    @property
    def is_response(self) -> bool:
        """Whether this answers a request."""
        return self.command_field & 0x8000 != 0


class BadCommand(ValueError):
    """Bytes that are no command set."""


# element number in group 0000 -> (field, VR); PS3.7 Table E.1-1
ELEMENTS: Final[dict[int, tuple[str, str]]] = {
    0x0002: ("affected_sop_class_uid", "UI"),
    0x0003: ("requested_sop_class_uid", "UI"),
    0x0100: ("command_field", "US"),
    0x0110: ("message_id", "US"),
    0x0120: ("message_id_being_responded_to", "US"),
    0x0600: ("move_destination", "AE"),
    0x0700: ("priority", "US"),
    0x0800: ("command_data_set_type", "US"),
    0x0900: ("status", "US"),
    0x0901: ("offending_element", "AT"),
    0x0902: ("error_comment", "LO"),
    0x0903: ("error_id", "US"),
    0x1000: ("affected_sop_instance_uid", "UI"),
    0x1001: ("requested_sop_instance_uid", "UI"),
    0x1002: ("event_type_id", "US"),
    0x1008: ("action_type_id", "US"),
    0x1020: ("number_of_remaining_suboperations", "US"),
    0x1021: ("number_of_completed_suboperations", "US"),
    0x1022: ("number_of_failed_suboperations", "US"),
    0x1023: ("number_of_warning_suboperations", "US"),
    0x1030: ("move_originator_application_entity_title", "AE"),
    0x1031: ("move_originator_message_id", "US"),
}
_US: Final = struct.Struct("<H")
_HEADER: Final = struct.Struct("<HHI")
_GROUP_LENGTH: Final = struct.Struct("<HHII")


def _read_us(value: bytes) -> int:
    # Some peers pad or repeat; the first value counts. An empty one is caught by the caller.
    return int(_US.unpack_from(value)[0])


def _read_text(value: bytes) -> str:
    return value.decode("latin-1").strip(" \0")


def _read_at(value: bytes) -> tuple[int, ...]:
    pairs = struct.iter_unpack("<HH", value[: len(value) & ~3])
    return tuple(group << 16 | element for group, element in pairs)


def _write_at(tags: tuple[int, ...]) -> bytes:
    return b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in tags)


def _padded(pad: bytes) -> Callable[[str], bytes]:
    def write(text: str) -> bytes:
        value = text.encode("latin-1", "replace")
        return value + pad if len(value) % 2 else value

    return write


_READERS: Final[dict[str, Callable[[bytes], Any]]] = {
    "US": _read_us,
    "UI": _read_text,
    "AE": _read_text,
    "LO": _read_text,
    "AT": _read_at,
}
_WRITERS: Final[dict[str, Callable[[Any], bytes]]] = {
    "US": _US.pack,
    "UI": _padded(b"\0"),
    "AE": _padded(b" "),
    "LO": _padded(b" "),
    "AT": _write_at,
}
_DECODERS: Final = {element: (name, _READERS[vr]) for element, (name, vr) in ELEMENTS.items()}
_ENCODERS: Final = [(element, name, _WRITERS[vr]) for element, (name, vr) in sorted(ELEMENTS.items())]


def encode(command: CommandSet) -> bytes:
    """The command set as bytes, with its group length (PS3.7 6.3.1)."""
    parts = []
    for element, name, write in _ENCODERS:
        value = getattr(command, name)
        if value is not None:
            raw = write(value)
            parts.append(_HEADER.pack(0, element, len(raw)) + raw)
    body = b"".join(parts)
    return _GROUP_LENGTH.pack(0, 0, 4, len(body)) + body


@lru_cache(maxsize=64)  # the responses to one C-FIND are the same bytes again and again
def decode(value: bytes) -> CommandSet:
    """The command set in `value`; retired and unknown elements are passed over.

    Raises:
        BadCommand: The elements do not fill `value`, one is not of group 0000, or the two that
            every command has are missing.
    """
    found: dict[str, Any] = {}
    at, end = 0, len(value)
    while at < end:
        if at + 8 > end:
            raise BadCommand("a command element's header is cut off")
        group, element, length = _HEADER.unpack_from(value, at)
        at += 8
        if group != 0 or at + length > end:
            raise BadCommand("a command element is not of group 0000 or too long")
        known = _DECODERS.get(element)
        if known is not None and length:
            name, read = known
            try:
                found[name] = read(value[at : at + length])
            except struct.error:
                raise BadCommand(f"the value of (0000,{element:04x}) is too short") from None
        at += length
    if "command_field" not in found or "command_data_set_type" not in found:
        raise BadCommand("no (0000,0100) or (0000,0800)")
    return CommandSet(**found)
