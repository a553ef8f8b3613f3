"""Storage commitment push model: its two data sets (PS3.4 J.3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from migrate.wire.dimse.elements import Syntax, elements, encode_element, encode_item, items

STORAGE_COMMITMENT_PUSH_MODEL: Final = "1.2.840.10008.1.20.1"
STORAGE_COMMITMENT_INSTANCE: Final = "1.2.840.10008.1.20.1.1"
_RETRIEVE_AE_TITLE: Final = 0x00080054
_REFERENCED_SOP_CLASS_UID: Final = 0x00081150
_REFERENCED_SOP_INSTANCE_UID: Final = 0x00081155
_TRANSACTION_UID: Final = 0x00081195
_FAILURE_REASON: Final = 0x00081197
_FAILED_SOP_SEQUENCE: Final = 0x00081198
_REFERENCED_SOP_SEQUENCE: Final = 0x00081199


@dataclass(frozen=True, slots=True)
class SopReference:
    """One instance and its class."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitmentResult:
    """What an N-EVENT-REPORT of storage commitment says (PS3.4 J.3.3).

    `failed` pairs a reference with its failure reason (PS3.3 C.14.1.1).
    """

    transaction_uid: str
    committed: tuple[SopReference, ...]
    failed: tuple[tuple[SopReference, int], ...]
    retrieve_ae_title: str = ""


def encode_request(transaction_uid: str, references: Iterable[SopReference], transfer_syntax_uid: str) -> bytes:
    """The data set of an N-ACTION that asks for commitment (PS3.4 Table J.3-1)."""
    syntax = Syntax.of(transfer_syntax_uid)
    sequence = b"".join(encode_item(_reference(one, syntax), syntax) for one in references)
    return encode_element(_TRANSACTION_UID, "UI", _uid(transaction_uid), syntax) + encode_element(
        _REFERENCED_SOP_SEQUENCE, "SQ", sequence, syntax
    )


def decode_result(value: bytes, transfer_syntax_uid: str) -> CommitmentResult:
    """The data set of an N-EVENT-REPORT.

    Raises:
        ValueError: It is no data set or has no transaction UID.
    """
    syntax = Syntax.of(transfer_syntax_uid)
    found = {one.tag: one.value for one in elements(value, syntax)}
    if _TRANSACTION_UID not in found:
        raise ValueError("a storage commitment result without (0008,1195)")
    failed = [_entry(item, syntax) for item in items(found.get(_FAILED_SOP_SEQUENCE, b""), syntax)]
    good = [_entry(item, syntax) for item in items(found.get(_REFERENCED_SOP_SEQUENCE, b""), syntax)]
    return CommitmentResult(
        transaction_uid=_text(found[_TRANSACTION_UID]),
        committed=tuple(reference for reference, _ in good),
        failed=tuple(failed),
        retrieve_ae_title=_text(found.get(_RETRIEVE_AE_TITLE, b"")),
    )


def _reference(one: SopReference, syntax: Syntax) -> bytes:
    return encode_element(_REFERENCED_SOP_CLASS_UID, "UI", _uid(one.sop_class_uid), syntax) + encode_element(
        _REFERENCED_SOP_INSTANCE_UID, "UI", _uid(one.sop_instance_uid), syntax
    )


def _entry(item: bytes, syntax: Syntax) -> tuple[SopReference, int]:
    found = {one.tag: one.value for one in elements(item, syntax)}
    order = "big" if syntax.order == ">" else "little"
    reason = int.from_bytes(found.get(_FAILURE_REASON, b"")[:2], "big" if order == "big" else "little")
    reference = SopReference(
        _text(found.get(_REFERENCED_SOP_CLASS_UID, b"")), _text(found.get(_REFERENCED_SOP_INSTANCE_UID, b""))
    )
    return reference, reason


def _uid(text: str) -> bytes:
    value = text.encode("ascii")
    return value + b"\0" if len(value) % 2 else value


def _text(value: bytes) -> str:
    return value.decode("latin-1").rstrip(" \0")
