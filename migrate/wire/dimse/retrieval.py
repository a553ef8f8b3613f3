"""What the responses of C-MOVE and C-GET say (PS3.4 C.4.2.1, C.4.3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from migrate.wire.dimse.command import CommandSet
from migrate.wire.dimse.elements import BadElements, Syntax, elements

_FAILED_SOP_INSTANCE_UID_LIST: Final = 0x00080058


@dataclass(frozen=True, slots=True)
class SubOperations:
    """The counters of a response; None where the peer left one out."""

    remaining: int | None
    completed: int | None
    failed: int | None
    warning: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveEnd:
    """How a C-MOVE or C-GET ended. It proves nothing: what arrived does (PS3.4 C.4.2.1.5)."""

    status: int
    remaining: int | None
    completed: int | None
    failed: int | None
    warning: int | None
    failed_sop_instance_uids: tuple[str, ...] = ()
    error_comment: str = ""


def sub_operations(command: CommandSet) -> SubOperations:
    """The counters of one response."""
    return SubOperations(
        command.number_of_remaining_suboperations,
        command.number_of_completed_suboperations,
        command.number_of_failed_suboperations,
        command.number_of_warning_suboperations,
    )


def end_of(command: CommandSet, identifier: bytes, transfer_syntax_uid: str) -> MoveEnd:
    """The final response; an identifier that cannot be read counts as an empty list."""
    counts = sub_operations(command)
    return MoveEnd(
        status=command.status or 0,
        remaining=counts.remaining,
        completed=counts.completed,
        failed=counts.failed,
        warning=counts.warning,
        failed_sop_instance_uids=_failed(identifier, transfer_syntax_uid),
        error_comment=command.error_comment or "",
    )


def _failed(identifier: bytes, transfer_syntax_uid: str) -> tuple[str, ...]:
    try:
        for one in elements(identifier, Syntax.of(transfer_syntax_uid)):
            if one.tag == _FAILED_SOP_INSTANCE_UID_LIST:
                uids = one.value.decode("latin-1").split("\\")
                return tuple(uid.strip(" \0") for uid in uids if uid.strip(" \0"))
    except BadElements:
        pass
    return ()
