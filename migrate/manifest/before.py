"""What earlier rounds of a study left at the destination: what is still proven, and what was sent.

An instance stays proven until the source is seen to change what it holds: a delta crawl that finds
other attributes makes everything doubtful that was received before. Growth does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.dataset as ds

from migrate.manifest.read import read_table
from migrate.manifest.sent import sent_instances
from migrate.model import Outcome, Proven

#: Kinds of change after which what was received before may be other content than the source has now.
CONTENT_KINDS = ("HEADER_CHANGED", "PATIENT_CHANGED", "NEW")


@dataclass(frozen=True, kw_only=True, slots=True)
class Before:
    """One study. `sent` maps SOP Instance UIDs as received to the digest that was last sent."""

    proven: tuple[Proven, ...] = ()
    sent: Mapping[str, str] = field(default_factory=dict)


UNMOVED = Before()
"""Nothing of it was ever moved."""


def held_before(run_folder: Path, study_instance_uids: Iterable[str]) -> dict[str, Before]:
    """Study -> what the tables prove of its earlier rounds.

    Raises:
        FormatTooNew: A table was written by a newer version.
        ManifestDamaged: A table cannot be read.
    """
    studies = list(study_instance_uids)
    if not studies:
        return {}
    changed_at = _changed_at(run_folder, studies)
    return {
        study: Before(
            proven=tuple(
                Proven(sop_instance_uid=one.evidence.sop_instance_uid, sent=one.uids)
                for one in instances
                if one.outcome == Outcome.MATCH and one.evidence.received_at >= changed_at.get(study, "")
            ),
            sent={one.evidence.sop_instance_uid: one.dataset_xxh3 for one in instances},
        )
        for study, instances in sent_instances(run_folder, studies).items()
    }


def _changed_at(run_folder: Path, studies: list[str]) -> dict[str, str]:
    """When the content of each study was last seen to change."""
    where = ds.field("study_instance_uid").isin(studies) & ds.field("kind").isin(CONTENT_KINDS)
    rows = read_table(run_folder, "deltas", ["study_instance_uid", "seen_at"], where)
    found: dict[str, str] = {}
    for study, seen_at in zip(*(rows[name].to_pylist() for name in rows.schema.names), strict=True):
        found[study] = max(found.get(study, ""), seen_at)
    return found
