"""The words that everything else speaks: frozen values, and the clock that stamps them.

UIDs are strings as received (never normalised). Digests are xxh3_128, 32 hex digits. Times are
ISO 8601 with an offset. A count that a peer did not return is None, never 0.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from operator import attrgetter


def now() -> str:
    """The time for people: ISO 8601 in UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Level(StrEnum):
    """Query/Retrieve levels (PS3.4 C.3): the value is IMAGE, not INSTANCE."""

    STUDY = "STUDY"
    SERIES = "SERIES"
    IMAGE = "IMAGE"


class ExceptionClass(StrEnum):
    """Why a study or an instance is not simply migrated (DESIGN section 6)."""

    MISSING_AT_SOURCE = "MISSING_AT_SOURCE"
    OFFLINE = "OFFLINE"
    READ_ERROR = "READ_ERROR"
    CORRUPT = "CORRUPT"
    ILLEGAL_DICOM = "ILLEGAL_DICOM"
    UID_COLLISION = "UID_COLLISION"
    UID_DRIFT = "UID_DRIFT"
    PATIENT_CONFLICT = "PATIENT_CONFLICT"
    UNMATCHED_ORDER = "UNMATCHED_ORDER"
    REFUSED_SOP = "REFUSED_SOP"
    REFUSED_TS = "REFUSED_TS"
    DEST_COERCED = "DEST_COERCED"
    COUNT_MISMATCH = "COUNT_MISMATCH"
    CONTENT_MISMATCH = "CONTENT_MISMATCH"
    EMPTY_SHELL = "EMPTY_SHELL"
    DUPLICATE = "DUPLICATE"
    REJECTED_AT_SOURCE = "REJECTED_AT_SOURCE"
    EXCLUDED_BY_POLICY = "EXCLUDED_BY_POLICY"
    REPORT_WITHOUT_IMAGES = "REPORT_WITHOUT_IMAGES"
    IMAGES_WITHOUT_REPORT = "IMAGES_WITHOUT_REPORT"
    DELTA_CHANGED = "DELTA_CHANGED"
    PEER_UNAVAILABLE = "PEER_UNAVAILABLE"


class Outcome(StrEnum):
    """Five outcomes of a comparison of two sides; what could not be proven stands alone."""

    MATCH = "match"
    MISSING = "missing"
    EXTRA = "extra"
    DIFFERS = "differs"
    UNVERIFIABLE = "unverifiable"


BY_CONTENT = frozenset({"content", "pixels"})
"""Verification methods that compare what is in an object: its bytes, or its decoded pixels and all the rest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InstanceRef:
    """One instance that the crawl listed (sop_class_uid is None when the source did not say)."""

    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str | None = None
    available_transfer_syntax_uid: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Digests:
    """What one object's bytes are (standards.md section 7).

    `bulk` is None when the object has no bulk data.
    """

    wire: str
    bulk: str | None
    dataset: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """One instance that was received and is durable in the staging area."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    size_bytes: int
    wire_xxh3: str
    bulk_xxh3: str | None
    dataset_xxh3: str
    received_at: str
    attempt: int = 1
    pixels_xxh3: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoded:
    """The digest of one received instance's decoded pixels."""

    sop_instance_uid: str
    pixels_xxh3: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One attribute changed by a rule.

    `path` is `ggggeeee`, with `[item].ggggeeee` for each level below (`00400275[0].00080050`).
    `before` and `after` are text for people (None = absent); bytes that no text can show are hex.
    `identifying` marks values that belong to `identity_changes` alone.
    """

    sop_instance_uid: str
    path: str
    keyword: str
    before: str | None
    after: str | None
    identifying: bool
    rule: str
    pack: str
    pack_version: str


_CHANGE = tuple(field.name for field in fields(Change))
_change_values = attrgetter(*_CHANGE)


def ledger_of(changes: Iterable[Change]) -> str:
    """Changes as JSON; "" for none."""
    rows = [dict(zip(_CHANGE, _change_values(change), strict=True)) for change in changes]
    return json.dumps(rows, ensure_ascii=False) if rows else ""


def changes_of(ledger: str) -> tuple[Change, ...]:
    """The changes that `ledger_of` wrote."""
    return tuple(Change(**row) for row in json.loads(ledger or "[]"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """One instance ready to send: the digests of exactly the bytes that will go out.

    `ledger` is what rules changed, as `ledger_of` writes it: it is carried and stored far more often than read.
    `census` names what of it is missed first when it is gone, a blank between (see `dicom.census`).
    """

    sop_instance_uid: str
    dataset_xxh3: str
    ledger: str = ""
    census: str = ""

    @property
    def changes(self) -> tuple[Change, ...]:
        """What rules changed."""
        return changes_of(self.ledger)


_OWN_UIDS = ("0020000D", "0020000E", "00080018")


@dataclass(frozen=True, kw_only=True, slots=True)
class SentUids:
    """Under which UIDs an instance goes out: those it came with, unless a rule replaced invalid ones.

    Tables and journal name an instance by what was received; the destination knows it by these.
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str

    @classmethod
    def of(cls, evidence: Evidence, changes: Iterable[Change]) -> SentUids:
        """From what was received and what rules changed in that instance."""
        after = {change.path: change.after for change in changes if change.after}
        return cls(
            study_instance_uid=after.get("0020000D") or evidence.study_instance_uid,
            series_instance_uid=after.get("0020000E") or evidence.series_instance_uid,
            sop_instance_uid=after.get("00080018") or evidence.sop_instance_uid,
        )

    @classmethod
    def of_ledger(cls, evidence: Evidence, ledger: str) -> SentUids:
        """The same from the ledger, which is read only where it names one of these UIDs."""
        return cls.of(evidence, changes_of(ledger) if any(path in ledger for path in _OWN_UIDS) else ())


@dataclass(frozen=True, kw_only=True, slots=True)
class Proven:
    """One instance that was moved and proven in an earlier round, and what it was sent as."""

    sop_instance_uid: str
    sent: SentUids


DELETED = "deleted"
"""The code of what no note says: a list from the source's database."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejection:
    """One instance that the source has rejected (a rejection note of IHE IOCM names it) or hidden.

    Without `sop_instance_uid` it is the whole study. `code` is the note's title (113001, 113037,
    113038, 113039) or `deleted`; `policy` says what is done: `exclude` or `migrate`.
    """

    study_instance_uid: str
    series_instance_uid: str | None
    sop_instance_uid: str | None
    code: str
    policy: str
    note_sop_instance_uid: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreOutcome:
    """What the destination answered for one instance. `status` None = no answer: unknown.

    Status codes are PS3.4 B.2.3; `refused_context` says no presentation context was accepted;
    `damaged` that the staged file is gone or not what was received, so it was not sent whole.
    """

    sop_instance_uid: str
    status: int | None
    warning: str | None = None
    error_comment: str | None = None
    sent_transfer_syntax_uid: str | None = None
    sent_wire_xxh3: str | None = None
    sent_at: str = ""
    refused_context: str | None = None
    damaged: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """One instance compared with the destination. `differs` lists tag paths, never values.

    `census` and `held_dataset_xxh3` say what was given back; None when nothing was.
    """

    sop_instance_uid: str
    method: str
    outcome: Outcome
    differs: tuple[str, ...] = ()
    verified_at: str = ""
    detail: str = ""
    census: str | None = None
    held_dataset_xxh3: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Defect:
    """One thing wrong with a study or one of its instances (`uid` names which)."""

    exception_class: ExceptionClass
    level: Level
    uid: str
    detail: str
