"""Status codes and what they mean for a migration (PS3.4 B.2.3, C.4, PS3.7 C).

A status proves nothing: truth is the set of instances that arrived and their digests. What a code is good for
is to decide what to do next.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SUCCESS: Final = 0x0000
PENDING: Final = 0xFF00
PENDING_OPTIONAL_KEYS_UNSUPPORTED: Final = 0xFF01
CANCEL: Final = 0xFE00
OUT_OF_RESOURCES: Final = 0xA700
MOVE_DESTINATION_UNKNOWN: Final = 0xA801
MORE_RECORDS: Final = 0xB001
CANNOT_UNDERSTAND: Final = 0xC000
PROCESSING_FAILURE: Final = 0x0110
NOT_AUTHORIZED: Final = 0x0124

_ANY: Final = 0xFFFF
_HUNDREDS: Final = 0xFF00
_THOUSANDS: Final = 0xF000


class StoreClass(StrEnum):
    """What a C-STORE status means for the instance.

    `STORED`: the peer says it has it. `STORED_CHANGED`: it has it, coerced: read it back. `TRANSIENT`: may work
    later. `PERMANENT`: this object will be refused again. `DUPLICATE`: it says it has one already: verify.
    `CONFIG`: no object of this kind will be taken until somebody changes a setting. `UNKNOWN`: no answer.
    """

    STORED = "STORED"
    STORED_CHANGED = "STORED_CHANGED"
    TRANSIENT = "TRANSIENT"
    PERMANENT = "PERMANENT"
    UNKNOWN = "UNKNOWN"
    DUPLICATE = "DUPLICATE"
    CONFIG = "CONFIG"


class CommitClass(StrEnum):
    """What a failure reason of storage commitment means (PS3.3 C.14.1.1).

    `RETRY`: ask again in a new transaction. `RESEND`: it does not hold the instance. `UNSUPPORTED`: it
    keeps no objects of this class. `CONFLICT`: it holds another object under this UID.
    """

    RETRY = "RETRY"
    RESEND = "RESEND"
    UNSUPPORTED = "UNSUPPORTED"
    CONFLICT = "CONFLICT"


COMMIT_REASONS: Final = {
    0x0110: CommitClass.RETRY,  # processing failure
    0x0112: CommitClass.RESEND,  # no such object instance
    0x0119: CommitClass.CONFLICT,  # class / instance conflict
    0x0122: CommitClass.UNSUPPORTED,  # referenced SOP class not supported
    0x0131: CommitClass.RETRY,  # duplicate transaction UID: the next one is new
    0x0213: CommitClass.RETRY,  # resource limitation
}


class FindClass(StrEnum):
    """What a C-FIND status means for the window that was asked.

    `MATCH`: one answer. `DONE`: all were given, unless the peer caps silently. `TRUNCATED`: ask for less.
    `CONFIG`: the request is not understood. `FAILED`: try with fewer keys. `UNKNOWN`: no answer, ask again.
    """

    MATCH = "MATCH"
    DONE = "DONE"
    TRUNCATED = "TRUNCATED"
    CONFIG = "CONFIG"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


class MoveClass(StrEnum):
    """What a C-MOVE or C-GET status means; what arrived is counted by UID in every case.

    `PENDING`: under way. `DONE`: the peer has nothing more to send. `PARTIAL`: ask for what is missing.
    `BUSY`: later. `CONFIG`: the peer does not know us. `FAILED`: asked for less, it may work. `UNKNOWN`: no answer.
    """

    PENDING = "PENDING"
    DONE = "DONE"
    PARTIAL = "PARTIAL"
    BUSY = "BUSY"
    CONFIG = "CONFIG"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a status table: the codes that equal `code` under `mask`; the first that fits counts."""

    code: int
    mask: int
    meaning: StoreClass | FindClass | MoveClass
    text: str
    source: str


STORE_STATUSES: Final = (
    Row(0x0000, _ANY, StoreClass.STORED, "success", "PS3.4 B.2.3"),
    Row(0xB000, _ANY, StoreClass.STORED_CHANGED, "coercion of data elements", "PS3.4 B.2.3"),
    Row(0xB006, _ANY, StoreClass.STORED_CHANGED, "elements discarded", "PS3.4 B.2.3"),
    Row(0xB007, _ANY, StoreClass.STORED_CHANGED, "data set does not match SOP class", "PS3.4 B.2.3"),
    Row(0xB000, _THOUSANDS, StoreClass.STORED_CHANGED, "stored with a warning", "PS3.7 C.3"),
    Row(0x0001, _ANY, StoreClass.STORED_CHANGED, "stored with a warning", "PS3.7 C.3"),
    Row(0x0107, _ANY, StoreClass.STORED_CHANGED, "attribute list warning", "PS3.7 C.4.2"),
    Row(0x0116, _ANY, StoreClass.STORED_CHANGED, "attribute value out of range", "PS3.7 C.4.3"),
    Row(0xA770, _ANY, StoreClass.PERMANENT, "duplicate rejection note", "dcm4chee-arc StoreService"),
    Row(0xA771, _ANY, StoreClass.PERMANENT, "object was rejected before", "dcm4chee-arc StoreService"),
    Row(0xA772, _ANY, StoreClass.PERMANENT, "rejection failed: no such object", "dcm4chee-arc StoreService"),
    Row(
        0xA773, _ANY, StoreClass.PERMANENT, "rejection failed: class and instance conflict", "dcm4chee-arc StoreService"
    ),
    Row(0xA774, _ANY, StoreClass.PERMANENT, "rejection failed: already rejected", "dcm4chee-arc StoreService"),
    Row(0xA775, _ANY, StoreClass.PERMANENT, "retention period not expired", "dcm4chee-arc StoreService"),
    Row(0xA776, _ANY, StoreClass.PERMANENT, "retention period expiry not authorized", "dcm4chee-arc StoreService"),
    Row(0xA777, _ANY, StoreClass.PERMANENT, "no Patient ID in the object", "dcm4chee-arc StoreService"),
    Row(0xA778, _ANY, StoreClass.PERMANENT, "conflicting Patient ID", "dcm4chee-arc StoreService"),
    Row(0xA779, _ANY, StoreClass.PERMANENT, "conflicting patient attributes", "dcm4chee-arc StoreService"),
    Row(0xA77A, _ANY, StoreClass.TRANSIENT, "the study is being deleted", "dcm4chee-arc StoreService"),
    Row(0xA77B, _ANY, StoreClass.PERMANENT, "relational mismatch", "dcm4chee-arc StoreService"),
    # By name out of resources; Orthanc answers A700 also for an object without the required identifiers, so
    # the number of repeats must be bounded.
    Row(0xA700, _HUNDREDS, StoreClass.TRANSIENT, "out of resources", "PS3.4 B.2.3"),
    Row(0xA900, _HUNDREDS, StoreClass.PERMANENT, "data set does not match SOP class", "PS3.4 B.2.3"),
    Row(0xC122, _ANY, StoreClass.CONFIG, "transfer syntax not supported", "PS3.18 Table 10.5.3-4"),
    Row(0xC409, _ANY, StoreClass.PERMANENT, "study does not match", "dcm4chee-arc StowRS"),
    Row(0xC499, _ANY, StoreClass.PERMANENT, "object cannot be parsed", "dcm4chee-arc StowRS"),
    Row(0xC000, _THOUSANDS, StoreClass.PERMANENT, "cannot understand", "PS3.4 B.2.3"),
    Row(0x0110, _ANY, StoreClass.TRANSIENT, "processing failure", "PS3.7 C.5.7"),
    Row(0x0111, _ANY, StoreClass.DUPLICATE, "duplicate SOP instance", "PS3.7 C.5.8"),
    Row(0x0117, _ANY, StoreClass.PERMANENT, "invalid SOP instance", "PS3.7 C.5.9"),
    Row(0x0122, _ANY, StoreClass.CONFIG, "SOP class not supported", "PS3.7 C.5.6"),
    Row(0x0124, _ANY, StoreClass.CONFIG, "not authorized", "PS3.7 C.5.24"),
    Row(0x0213, _ANY, StoreClass.TRANSIENT, "resource limitation", "PS3.7 C.5.23"),
    Row(0x0210, _ANY, StoreClass.PERMANENT, "duplicate invocation", "PS3.7 C.5.13"),
    Row(0x0211, _ANY, StoreClass.PERMANENT, "unrecognized operation", "PS3.7 C.5.17"),
    Row(0x0212, _ANY, StoreClass.PERMANENT, "mistyped argument", "PS3.7 C.5.11"),
    Row(0x0000, 0x0000, StoreClass.PERMANENT, "a status the Standard does not have", "PS3.7 C"),
)

FIND_STATUSES: Final = (
    Row(0xFF00, _ANY, FindClass.MATCH, "match", "PS3.4 C.4.1.1.4"),
    Row(0xFF01, _ANY, FindClass.MATCH, "match, some optional key unsupported", "PS3.4 C.4.1.1.4"),
    Row(0x0000, _ANY, FindClass.DONE, "success", "PS3.4 C.4.1.1.4"),
    Row(0xB001, _ANY, FindClass.TRUNCATED, "more records are available", "PS3.4 C.6.4.1.4"),
    Row(0xFE00, _ANY, FindClass.TRUNCATED, "cancelled; by Orthanc also when its limit is reached", "PS3.4 C.4.1.1.4"),
    Row(0xA700, _HUNDREDS, FindClass.TRUNCATED, "out of resources", "PS3.4 C.4.1.1.4"),
    Row(0xA900, _HUNDREDS, FindClass.CONFIG, "identifier does not match SOP class", "PS3.4 C.4.1.1.4"),
    Row(0x0122, _ANY, FindClass.CONFIG, "SOP class not supported", "PS3.7 C.5.6"),
    Row(0x0124, _ANY, FindClass.CONFIG, "not authorized", "PS3.7 C.5.24"),
    Row(
        0x0000, 0x0000, FindClass.FAILED, "unable to process; by dcm4chee-arc also too many matches", "PS3.4 C.4.1.1.4"
    ),
)

MOVE_STATUSES: Final = (
    Row(0xFF00, _ANY, MoveClass.PENDING, "sub-operations continue", "PS3.4 C.4.2.1.5"),
    Row(0x0000, _ANY, MoveClass.DONE, "success; by dcmqrscp also when nothing matched", "PS3.4 C.4.2.1.5"),
    Row(0xB000, _ANY, MoveClass.PARTIAL, "one or more failures or warnings", "PS3.4 C.4.2.1.5"),
    Row(0xFE00, _ANY, MoveClass.PARTIAL, "cancelled", "PS3.4 C.4.2.1.5"),
    Row(0xA801, _ANY, MoveClass.CONFIG, "move destination unknown", "PS3.4 C.4.2.1.5"),
    Row(0xA700, _HUNDREDS, MoveClass.BUSY, "out of resources", "PS3.4 C.4.2.1.5"),
    Row(0xA900, _HUNDREDS, MoveClass.CONFIG, "identifier does not match SOP class", "PS3.4 C.4.2.1.5"),
    Row(0x0122, _ANY, MoveClass.CONFIG, "SOP class not supported", "PS3.7 C.5.6"),
    Row(0x0124, _ANY, MoveClass.CONFIG, "not authorized", "PS3.7 C.5.24"),
    Row(
        0x0000, 0x0000, MoveClass.FAILED, "unable to process; by Orthanc also an unknown destination", "PS3.4 C.4.2.1.5"
    ),
)


def _row(table: tuple[Row, ...], status: int) -> Row:
    return next(row for row in table if status & row.mask == row.code)


def store_class(status: int | None) -> StoreClass:
    """Classify a C-STORE status; None (no answer) is `UNKNOWN`."""
    if status is None:
        return StoreClass.UNKNOWN
    return StoreClass(_row(STORE_STATUSES, status).meaning)


def commit_class(reason: int) -> CommitClass:
    """Classify a failure reason of storage commitment; one that the Standard does not know may pass."""
    return COMMIT_REASONS.get(reason, CommitClass.RETRY)


def find_class(status: int | None) -> FindClass:
    """Classify a C-FIND status; None (no answer) is `UNKNOWN`."""
    if status is None:
        return FindClass.UNKNOWN
    return FindClass(_row(FIND_STATUSES, status).meaning)


def move_class(status: int | None) -> MoveClass:
    """Classify a C-MOVE or C-GET status; None (no answer) is `UNKNOWN`."""
    if status is None:
        return MoveClass.UNKNOWN
    return MoveClass(_row(MOVE_STATUSES, status).meaning)


def store_text(status: int) -> str:
    """What a C-STORE status says, in words."""
    return _row(STORE_STATUSES, status).text


def find_text(status: int) -> str:
    """What a C-FIND status says, in words."""
    return _row(FIND_STATUSES, status).text


def move_text(status: int) -> str:
    """What a C-MOVE or C-GET status says, in words."""
    return _row(MOVE_STATUSES, status).text
