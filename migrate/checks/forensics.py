"""UID forensics: objects that share a UID or their pixels, each with a class and what is done about it.

Nothing is ever merged or renamed because of it: the list is for a person.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from migrate.manifest.lookalikes import BULK, SOP, Received, sharing
from migrate.manifest.place import Manifests
from migrate.manifest.write import replace_table
from migrate.model import ExceptionClass

ROWS_PER_BATCH = 10_000


class Kind(NamedTuple):
    """What two objects have in common, as a class of the register, and the policy."""

    exception_class: ExceptionClass
    policy: str


KINDS: dict[str, Kind] = {
    "identical": Kind(ExceptionClass.DUPLICATE, "one object in two places: both are counted, neither is dropped"),
    "header_drift": Kind(
        ExceptionClass.UID_DRIFT, "same pixels, other header: both are sent, read-back says which one is held"
    ),
    "other_pixels": Kind(
        ExceptionClass.UID_COLLISION, "two objects under one UID: an incident for a person, never remapped by itself"
    ),
    "drift_at_retrieve": Kind(
        ExceptionClass.UID_DRIFT, "the source gave another object the next time: the last one was moved"
    ),
    "same_pixels": Kind(ExceptionClass.DUPLICATE, "same pixels under two UIDs: two objects, both are kept"),
}

Row = tuple[str, Received, Received]


def lookalikes(run_folder: Path) -> Iterator[Row]:
    """(kind, the first one received, the other one), by UID first, then by pixels.

    Raises:
        ManifestDamaged: A table cannot be read.
    """
    for group in sharing(run_folder, SOP):
        yield from ((_same_uid(group[0], other), group[0], other) for other in group[1:])
    for group in sharing(run_folder, BULK):
        first: dict[str, Received] = {}
        for one in group:
            first.setdefault(one.sop_instance_uid, one)
        leader, *others = first.values()
        yield from (("same_pixels", leader, other) for other in others)


def write_forensics(manifests: Manifests) -> dict[str, int]:
    """Write the table `forensics` anew; kind -> rows.

    Raises:
        ManifestDamaged, LocalError: A table cannot be read or written; the old one stays.
    """
    counts = dict.fromkeys(KINDS, 0)

    def batches() -> Iterator[dict[str, list[object]]]:
        rows: list[Row] = []
        for row in lookalikes(manifests.run_folder):
            counts[row[0]] += 1
            rows.append(row)
            if len(rows) == ROWS_PER_BATCH:
                yield _columns(rows)
                rows = []
        yield _columns(rows)

    replace_table(manifests, "forensics", batches())
    return counts


def _same_uid(first: Received, other: Received) -> str:
    if (first.source, first.study_instance_uid) == (other.source, other.study_instance_uid):
        return "drift_at_retrieve"
    if first.bulk_xxh3 != other.bulk_xxh3:
        return "other_pixels"
    return "identical" if first.dataset_xxh3 == other.dataset_xxh3 else "header_drift"


def _columns(rows: list[Row]) -> dict[str, list[object]]:
    return {
        "kind": [kind for kind, _, _ in rows],
        "study_instance_uid": [first.study_instance_uid for _, first, _ in rows],
        "sop_instance_uid": [first.sop_instance_uid for _, first, _ in rows],
        "other_study_instance_uid": [other.study_instance_uid for _, _, other in rows],
        "other_sop_instance_uid": [other.sop_instance_uid for _, _, other in rows],
        "source": [first.source for _, first, _ in rows],
        "other_source": [other.source for _, _, other in rows],
        "exception_class": [KINDS[kind].exception_class.value for kind, _, _ in rows],
        "policy": [KINDS[kind].policy for kind, _, _ in rows],
    }
