"""C-MOVE and C-GET as provider (PS3.4 C.4.2, C.4.3)."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pynetdicom.dimse_primitives import C_GET

from migrate.demo.archive import StoredObject
from migrate.demo.core import Call
from migrate.demo.find import question_of
from migrate.demo.messages import AssociationLost
from migrate.demo.rows import UNIQUE_KEYS
from migrate.demo.send import Outgoing, Sender, send_to

_C_GET_RSP, _C_MOVE_RSP = 0x8010, 0x8021
_SUCCESS, _PENDING, _WARNING, _CANCELLED = 0x0000, 0xFF00, 0xB000, 0xFE00
_UNABLE_TO_SEND, _UNKNOWN_DESTINATION, _BAD_IDENTIFIER = 0xA702, 0xA801, 0xA900
_UNABLE_TO_PROCESS = 0xC000
_MOST_FAILED = 1000  # an explicit VR UI value holds 65,534 bytes
_FAILED_SOP_INSTANCE_UID_LIST = b"\x08\x00\x58\x00"


@dataclass(slots=True)
class Progress:
    """The counters of one retrieve (PS3.7 9.1.4.1.7)."""

    remaining: int
    completed: int = 0
    failed: list[str] = field(default_factory=list)
    warnings: int = 0

    def count(self, stored: StoredObject, status: int) -> None:
        """One sub-operation ended with `status`."""
        self.remaining -= 1
        if status == _SUCCESS:
            self.completed += 1
        elif status >> 12 == 0xB:  # Bxxx are the warnings, PS3.4 B.2.3
            self.warnings += 1
        else:
            self.failed.append(stored.sop_instance_uid)

    def final_status(self) -> int:
        """0000, B000 with some failures or warnings, A702 when nothing went through."""
        if not self.failed and not self.warnings:
            return _SUCCESS
        return _WARNING if self.completed or self.warnings else _UNABLE_TO_SEND


def serve_move(call: Call) -> None:
    """Answer one C-MOVE, misbehaving as ordered. Raises AssociationLost."""
    orders = call.core.orders.move
    destination = str(call.request.MoveDestination or "").strip()
    if orders.silence:
        call.keep_silent()
    elif orders.refuse_move:
        _finish(call, _UNABLE_TO_PROCESS)
    elif destination not in call.core.destinations:
        _finish(call, _UNKNOWN_DESTINATION)
    else:
        _move(call, destination)


def serve_get(call: Call) -> None:
    """Answer one C-GET on its own association. Raises AssociationLost."""
    if call.core.orders.move.silence:
        call.keep_silent()
        return
    objects = _asked(call)
    if objects is None:
        _finish(call, _BAD_IDENTIFIER)
    elif not _lied(call, objects):
        sender = Sender(call.association)
        outgoing = _to_send(call, objects)
        _run(call, len(objects), ((each, sender.send(each)) for each in outgoing))


def _move(call: Call, destination: str) -> None:
    objects = _asked(call)
    if objects is None:
        _finish(call, _BAD_IDENTIFIER)
        return
    if _lied(call, objects):
        return
    if not objects:
        _finish(call, _SUCCESS, Progress(0))
        return
    originator = (call.calling_ae_title, int(call.request.MessageID))
    outgoing = list(_to_send(call, objects))
    late_s = call.core.orders.move.late_sending_s
    if late_s is not None:
        sending = threading.Thread(target=_send_late, args=(call, destination, outgoing), daemon=True)
        sending.start()
        _finish(call, _SUCCESS, Progress(0, completed=len(objects)))
        return
    _run(call, len(objects), send_to(call.core, destination, outgoing, originator))


def _send_late(call: Call, destination: str, outgoing: list[Outgoing]) -> None:
    call.core.wait(call.core.orders.move.late_sending_s or 0.0)
    if call.core.stopping.is_set():
        return
    with suppress(AssociationLost):
        for _ in send_to(call.core, destination, outgoing, None):
            continue


def _asked(call: Call) -> list[StoredObject] | None:
    """The objects a retrieve names; None when it names nothing at its level."""
    question = question_of(call)
    key = UNIQUE_KEYS.get(question.level, "")
    if not question.keys.get(key):
        return None
    return call.core.archive.select(question.keys)


def _lied(call: Call, objects: list[StoredObject]) -> bool:
    orders = call.core.orders.move
    studies = {each.study_instance_uid for each in objects}
    if not orders.success_nothing_sent and not studies & set(orders.success_nothing_sent_for):
        return False
    _finish(call, _SUCCESS, Progress(0, completed=len(objects)))
    return True


def _to_send(call: Call, objects: list[StoredObject]) -> Iterator[Outgoing]:
    """The objects that really go out: some spoilt, some of other studies, some lost silently."""
    orders, counters = call.core.orders.move, call.core.counters
    yield from map(Outgoing, _strangers(call, objects))
    for stored in objects:
        number = counters.next("moved")
        if stored.study_instance_uid in orders.offline:
            yield Outgoing(stored, withheld=True)
        elif not _is_lost(call, stored, number):
            yield _spoilt(call, stored, number)
        elif not orders.fail_silently:
            yield Outgoing(stored, withheld=True)


def _strangers(call: Call, objects: list[StoredObject]) -> list[StoredObject]:
    wanted = call.core.orders.move.unasked_objects
    studies = {each.study_instance_uid for each in objects}
    others = (each for each in call.core.archive.objects() if each.study_instance_uid not in studies)
    return [each for each, _ in zip(others, range(wanted), strict=False)] if wanted else []


def _is_lost(call: Call, stored: StoredObject, number: int) -> bool:
    orders = call.core.orders.move
    if not _is_nth(number, orders.lose_every):
        return False
    return not orders.lose_only_first_time or call.core.counters.first_time("lost", stored.sop_instance_uid)


def _spoilt(call: Call, stored: StoredObject, number: int) -> Outgoing:
    orders = call.core.orders.move
    if _is_nth(number, orders.truncate_every):
        dataset = stored.dataset_bytes()
        return Outgoing(stored, dataset[: len(dataset) * 3 // 4])
    if _is_nth(number, orders.flip_bit_every):
        return Outgoing(stored, flipped(stored.dataset_bytes()))
    if _is_nth(number, orders.new_uids_every):
        return _renamed(stored, call.core.counters.next("renamed"))
    return Outgoing(stored)


def _is_nth(number: int, every: int) -> bool:
    return bool(every) and number % every == 0


def _renamed(stored: StoredObject, number: int) -> Outgoing:
    """The object under a new UID of the same length, so that every other byte stays (not deflated)."""
    old = stored.sop_instance_uid
    new = f"2.25.{10 ** max(0, len(old) - 6) + number}"
    return Outgoing(stored, stored.dataset_bytes().replace(old.encode(), new.encode()), uid_instead=new)


def flipped(dataset: bytes) -> bytes:
    """The data set with one bit of its last quarter turned over: pixels, as a rule."""
    place = len(dataset) - len(dataset) // 8 - 1
    return dataset[:place] + bytes((dataset[place] ^ 0x10,)) + dataset[place + 1 :]


def _run(call: Call, count: int, sent: Iterable[tuple[Outgoing, int]]) -> None:
    """Send, report progress, and end with what the counters say. Raises AssociationLost."""
    orders, progress = call.core.orders.move, Progress(count)
    status = None
    try:
        for number, (outgoing, store_status) in enumerate(sent, start=1):
            call.core.wait(orders.slow_objects_s)
            progress.count(outgoing.stored, store_status)
            if orders.abort_after_objects is not None and number >= orders.abort_after_objects:
                call.association.abort()
                return
            status = _interruption(call, progress)
            if status is not None:
                break
            if not orders.no_pending and progress.remaining > 0:
                _respond(call, _PENDING, progress)
    except AssociationLost:
        status = _UNABLE_TO_SEND
    lost = count - progress.completed - progress.warnings - len(progress.failed)
    if status is None:
        progress.completed += max(0, lost)  # lost silently: counted as if they had arrived
    _finish(call, progress.final_status() if status is None else status, progress)


def _interruption(call: Call, progress: Progress) -> int | None:
    if call.cancelled():
        return _CANCELLED
    if progress.failed and call.core.orders.move.stop_at_first_failure:
        return _UNABLE_TO_PROCESS
    return None


def _finish(call: Call, status: int, progress: Progress | None = None) -> None:
    if progress is None:
        call.respond(_command(call, status))
        return
    shown = progress
    if status == _UNABLE_TO_PROCESS:  # as Orthanc: all counters 0, no list
        shown = Progress(0)
    _respond(call, status, shown, final=True)


def _respond(call: Call, status: int, progress: Progress, *, final: bool = False) -> None:
    counters = {
        "NumberOfRemainingSuboperations": None if final and status != _CANCELLED else max(0, progress.remaining),
        "NumberOfCompletedSuboperations": progress.completed,
        "NumberOfFailedSuboperations": len(progress.failed),
        "NumberOfWarningSuboperations": progress.warnings,
    }
    failed = _failed_list(call, progress.failed) if final and status != _SUCCESS else None
    call.respond({**_command(call, status), **counters}, failed)


def _failed_list(call: Call, failed: list[str]) -> list[bytes]:
    """(0008,0058) as the identifier of an unsuccessful final response (PS3.4 C.4.2.1.4.2)."""
    uids = "\\".join(failed[:_MOST_FAILED]).encode("ascii", errors="replace")
    uids += b"\0" * (len(uids) % 2)
    head = b"" if call.implicit_vr else b"UI"
    length = len(uids).to_bytes(4 if call.implicit_vr else 2, "little")
    return [_FAILED_SOP_INSTANCE_UID_LIST + head + length + uids]


def _command(call: Call, status: int) -> dict[str, Any]:
    is_get = isinstance(call.request, C_GET)
    return {
        "AffectedSOPClassUID": call.request.AffectedSOPClassUID,
        "CommandField": _C_GET_RSP if is_get else _C_MOVE_RSP,
        "Status": status,
    }
