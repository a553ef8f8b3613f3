"""What has changed in a study between two crawls: a pure comparison of two rows of the manifests.

One study may have changed in several ways; each is one change. A value that the peer left out on
either side proves nothing and is not compared. Details name columns, never values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Row = Mapping[str, Any]

HEADER_COLUMNS = (
    *("study_date", "study_time", "accession_number", "institution_name", "study_description", "study_id"),
    "timezone_offset_from_utc",
)
PATIENT_COLUMNS = ("patient_id", "issuer_of_patient_id", "patient_name", "patient_birth_date", "patient_sex")
STATED = {"series": "number_of_study_related_series", "instances": "number_of_study_related_instances"}
LISTED = {"series": "series_count", "instances": "instance_count"}


class Kind(StrEnum):
    """How a study changed."""

    NEW = "NEW"
    GROWN = "GROWN"
    SHRUNK = "SHRUNK"
    HEADER_CHANGED = "HEADER_CHANGED"
    PATIENT_CHANGED = "PATIENT_CHANGED"
    GONE = "GONE"


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """Series and instances of one study on both sides; None = unknown."""

    series_before: int | None = None
    series_after: int | None = None
    instances_before: int | None = None
    instances_after: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Delta:
    """One change of one study."""

    study_instance_uid: str
    kind: Kind
    counts: Counts
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Members:
    """Series and instances of one study that were listed on both sides: how many, how many came, how many went."""

    counts: Counts
    came: int
    went: int
    series_came: int = 0
    series_went: int = 0


def first_look(before: Row | None, after: Row | None, *, contradicts: bool = False) -> Iterator[Delta]:
    """What the rows of `studies` and `identities` tell without any listing.

    Args:
        before: The study as the tables know it (both tables' columns), None when they do not.
        after: The study as the source shows it now, None when it does not.
        contradicts: The source gave this study with different values: they prove no change.
    """
    counts = stated(before, after)
    was_there = before is not None and before.get("gone_at") is None
    if after is None:
        if before is not None and was_there:
            yield Delta(study_instance_uid=before["study_instance_uid"], kind=Kind.GONE, counts=counts)
        return
    uid = after["study_instance_uid"]
    if before is None or not was_there:
        detail = "" if before is None else "it had gone and is back"
        yield Delta(study_instance_uid=uid, kind=Kind.NEW, counts=counts, detail=detail)
    elif not contradicts:
        yield from _attributes(before, after, counts)


def _attributes(before: Row, after: Row, counts: Counts) -> Iterator[Delta]:
    uid = after["study_instance_uid"]
    compared = {Kind.HEADER_CHANGED: HEADER_COLUMNS, Kind.PATIENT_CHANGED: PATIENT_COLUMNS}
    for kind, columns in compared.items():
        changed = [name for name in columns if _differs(before.get(name), after.get(name))]
        if kind is Kind.HEADER_CHANGED and not _sizes_differ(before, after) and _modalities_differ(before, after):
            changed.append("modalities_in_study")
        if changed:
            yield Delta(study_instance_uid=uid, kind=kind, counts=counts, detail=", ".join(changed))


def _differs(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one.strip() != other.strip()


def _modalities_differ(before: Row, after: Row) -> bool:
    """Their order says nothing."""
    one, other = before.get("modalities_in_study"), after.get("modalities_in_study")
    return one is not None and other is not None and set(one.split("\\")) != set(other.split("\\"))


def _sizes_differ(before: Row, after: Row) -> bool:
    return any(before.get(name) != after.get(name) for name in STATED.values())


def stated(before: Row | None, after: Row | None) -> Counts:
    """What the peer said on both sides; what was listed before counts more than what was said."""
    old, new = before or {}, after or {}
    return Counts(
        series_before=_known(old, "series"),
        series_after=new.get(STATED["series"]),
        instances_before=_known(old, "instances"),
        instances_after=new.get(STATED["instances"]),
    )


def _known(row: Row, what: str) -> int | None:
    listed: int | None = row.get(LISTED[what])
    said: int | None = row.get(STATED[what])
    return said if listed is None else listed


def must_be_listed(before: Row | None, after: Row) -> bool:
    """Whether its series and instances may have changed: new, changed, not counted by the peer, or not listed yet."""
    if before is None or before.get("gone_at") is not None or before.get(LISTED["series"]) is None:
        return True
    same = all(before.get(name) is not None and before.get(name) == after.get(name) for name in STATED.values())
    return not same or any(True for _ in _attributes(before, after, Counts()))


def by_count(before: Row | None, after: Row | None) -> Iterator[Delta]:
    """Growth as far as the peer's own counts tell, for a study whose instances are not listed."""
    if before is None or after is None or before.get("gone_at") is not None:
        return
    pairs = [(before.get(name), after.get(name)) for name in STATED.values()]
    known = [(old, new) for old, new in pairs if old is not None and new is not None]
    uid, counts = after["study_instance_uid"], stated(before, after)
    if any(new > old for old, new in known):
        yield Delta(study_instance_uid=uid, kind=Kind.GROWN, counts=counts, detail="as the source counts")
    if any(new < old for old, new in known):
        yield Delta(study_instance_uid=uid, kind=Kind.SHRUNK, counts=counts, detail="as the source counts")


def second_look(uid: str, members: Members, *, complete: bool = True) -> Iterator[Delta]:
    """What the listed series and instances tell. An incomplete listing proves no loss."""
    if members.came or members.series_came:
        detail = f"{members.came} instances and {members.series_came} series more"
        yield Delta(study_instance_uid=uid, kind=Kind.GROWN, counts=members.counts, detail=detail)
    if complete and (members.went or members.series_went):
        detail = f"{members.went} instances and {members.series_went} series fewer"
        yield Delta(study_instance_uid=uid, kind=Kind.SHRUNK, counts=members.counts, detail=detail)
