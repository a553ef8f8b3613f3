"""C-STORE as provider (PS3.4 B.2.3): what arrives is kept byte for byte, unless ordered otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from pydicom import config, dcmread
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.tag import Tag
from pydicom.uid import UID
from pynetdicom.dsutils import create_file_meta, encode_file_meta

from migrate.demo.archive import StoredObject, read_object
from migrate.demo.core import Call, StoreRecord, monotonic_s
from migrate.demo.messages import abort_at_once
from migrate.demo.misbehaviour import StoreMisbehaviours
from migrate.demo.move import flipped

SUCCESS, COERCED, OUT_OF_RESOURCES = 0x0000, 0xB000, 0xA700
PROCESSING_FAILURE, DUPLICATE, SOP_CLASS_NOT_SUPPORTED = 0x0110, 0x0111, 0x0122
CANNOT_UNDERSTAND = 0xC000

_C_STORE_RSP = 0x8001


@dataclass(frozen=True, slots=True)
class Arrival:
    """One object as it came: its data set and the file it would be kept in."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    dataset: bytes

    def file_bytes(self) -> bytes:
        """Preamble, our own file meta information, then the data set untouched (PS3.10 7.1)."""
        meta = create_file_meta(
            sop_class_uid=UID(self.sop_class_uid),
            sop_instance_uid=UID(self.sop_instance_uid),
            transfer_syntax=UID(self.transfer_syntax_uid),
        )
        return bytes(128) + b"DICM" + encode_file_meta(meta) + self.dataset


def serve_store(call: Call) -> None:
    """Take one object in, answer, and log the answer. Raises AssociationLost."""
    core, orders = call.core, call.core.orders.store
    arrival = _arrival(call)
    if orders.silence:
        _record(call, arrival, None)
        call.keep_silent()
        return
    core.wait(orders.slow_answers_s)
    number = core.counters.next("stored")
    answer_lost = bool(orders.answer_lost_every) and number % orders.answer_lost_every == 0
    if answer_lost and orders.kept_after_loss_s:
        abort_at_once(call.association)
        core.wait(orders.kept_after_loss_s)
    status = _refusal(call, arrival, number)
    if status is None:
        with core.store_lock:
            status = _kept(call, arrival, number)
    if answer_lost:
        _record(call, arrival, None)
        if not orders.kept_after_loss_s:
            abort_at_once(call.association)
        return
    _record(call, arrival, status)
    call.respond(
        {
            "AffectedSOPClassUID": arrival.sop_class_uid,
            "CommandField": _C_STORE_RSP,
            "Status": status,
            "AffectedSOPInstanceUID": arrival.sop_instance_uid,
        }
    )


def _arrival(call: Call) -> Arrival:
    request = call.request
    return Arrival(
        str(request.AffectedSOPClassUID),
        str(request.AffectedSOPInstanceUID),
        str(call.context.transfer_syntax[0]),
        request.DataSet.getvalue() if request.DataSet else b"",
    )


def _record(call: Call, arrival: Arrival, status: int | None) -> None:
    title, message_id = (
        call.request.MoveOriginatorApplicationEntityTitle,
        call.request.MoveOriginatorMessageID,
    )
    originator = (str(title).strip(), int(message_id)) if title and message_id is not None else None
    call.core.record(
        StoreRecord(arrival.sop_instance_uid, status, arrival.transfer_syntax_uid, call.calling_ae_title, originator)
    )


def _refusal(call: Call, arrival: Arrival, number: int) -> int | None:
    orders, core = call.core.orders.store, call.core
    if core.first_store_at_s is None:
        core.first_store_at_s = monotonic_s()
    full_for_now = monotonic_s() - core.first_store_at_s < orders.out_of_resources_for_s
    if orders.out_of_resources_always or full_for_now or number <= orders.out_of_resources_first_n:
        return OUT_OF_RESOURCES
    if number <= orders.processing_failure_first_n:
        return PROCESSING_FAILURE
    if arrival.sop_class_uid in orders.unauthorised_sop_classes:
        return SOP_CLASS_NOT_SUPPORTED
    return None


def _kept(call: Call, arrival: Arrival, number: int) -> int:
    """Keep the object as the orders say; the status to answer."""
    core, orders = call.core, call.core.orders.store
    held = core.archive.with_sop_instance_uid(arrival.sop_instance_uid)
    if orders.drop_every and number % orders.drop_every == 0:
        return SUCCESS
    path = core.folder / f"{number:08d}.dcm"
    path.write_bytes(arrival.file_bytes())
    stored = read_object(path)
    if stored is None:
        path.unlink()
        return CANNOT_UNDERSTAND
    altered = _altered(path, orders, number)
    stored = read_object(path) if altered else stored
    if stored is None:
        return CANNOT_UNDERSTAND
    status = _SAME_UID[orders.same_uid](call, stored, held) if held else _added(call, stored, held)
    _evict(call)
    return COERCED if altered and orders.warns_of_coercion and status == SUCCESS else status


def _altered(path: Path, orders: StoreMisbehaviours, number: int) -> bool:
    """Coerce and spoil the file as ordered; True when its data set was coerced."""
    coerced = bool(orders.coerce) and coerce(path, dict(orders.coerce))
    if orders.flip_bit_every and number % orders.flip_bit_every == 0:
        path.write_bytes(flipped(path.read_bytes()))
    return coerced


def coerce(path: Path, values: dict[str, str]) -> bool:
    """Set top-level elements (keyword or `ggggeeee` -> text); False when nothing had to change."""
    with config.disable_value_validation():
        dataset = dcmread(BytesIO(path.read_bytes()), force=True)
        before = {name: dataset.get(_tag(name)) for name in values}
        wanted = {name: value for name, value in values.items() if _shown(before[name]) != value}
        for name, value in wanted.items():
            tag = _tag(name)
            dataset.add_new(tag, dictionary_VR(tag), value)
        if wanted:
            dataset.save_as(path)
    return bool(wanted)


def _tag(name: str) -> int:
    tag = tag_for_keyword(name)
    return int(Tag(tag if tag is not None else int(name.replace(",", ""), 16)))


def _shown(element: object) -> str | None:
    return None if element is None else str(getattr(element, "value", ""))


def _added(call: Call, stored: StoredObject, held: list[StoredObject]) -> int:
    """Index the object; a repeat of the same bytes in the same study changes nothing."""
    repeats = [
        each
        for each in held
        if each.study_instance_uid == stored.study_instance_uid and each.dataset_bytes() == stored.dataset_bytes()
    ]
    if not repeats:
        call.core.archive.add(stored)
        return SUCCESS
    stored.path.unlink()
    if call.core.orders.store.delete_on_repeat:  # as an archive whose clean-up takes the only copy
        call.core.archive.remove(repeats[0])
    return SUCCESS


def _old_kept(call: Call, stored: StoredObject, held: list[StoredObject]) -> int:
    stored.path.unlink()
    return SUCCESS


def _overwritten(call: Call, stored: StoredObject, held: list[StoredObject]) -> int:
    for each in held:
        call.core.archive.remove(each)
    call.core.archive.add(stored)
    return SUCCESS


def _refused(call: Call, stored: StoredObject, held: list[StoredObject]) -> int:
    stored.path.unlink()
    return DUPLICATE


_SAME_UID: dict[str, Callable[[Call, StoredObject, list[StoredObject]], int]] = {
    "keep_both": _added,
    "keep_old": _old_kept,
    "overwrite": _overwritten,
    "refuse": _refused,
}


def _evict(call: Call) -> None:
    limit = call.core.orders.store.evict_above
    if limit is None:
        return
    objects = sorted(call.core.archive.objects(), key=lambda stored: stored.path.name)
    for oldest in objects[: max(0, len(objects) - limit)]:
        call.core.archive.remove(oldest)
