"""What the tables alone prove about each study: everything that is listed of it was verified, or not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from migrate.manifest.by_study import KEY, Slice, by_study
from migrate.manifest.latest import keep_latest

WANTED = {
    "studies": (),
    "instances": ("sop_instance_uid",),
    "evidence": ("sop_instance_uid", "attempt", "received_at"),
    "verification": ("sop_instance_uid", "attempt", "verified_at", "outcome"),
}
_UIDS = [KEY, "sop_instance_uid"]


@dataclass(frozen=True, slots=True)
class StudyProof:
    """One study. `round`: the next one, so that its parts do not replace those of earlier ones."""

    study_instance_uid: str
    round: int
    verified: bool


def proofs(run_folder: Path) -> Iterator[StudyProof]:
    """Every crawled study, each once, in rising order of Study Instance UID.

    A study is verified when every instance that was listed or received has `match` as its latest
    outcome. One without any instance proves nothing.

    Raises:
        FormatTooNew: A table was written by a newer version.
        ManifestDamaged: A table cannot be read.
    """
    for rows in by_study(run_folder, WANTED):
        yield from _of_slice(rows)


def _of_slice(rows: Slice) -> Iterator[StudyProof]:
    known = pa.concat_tables([rows["instances"].select(_UIDS), rows["evidence"].select(_UIDS)])
    expected = _counts(known.group_by(_UIDS).aggregate([]))
    checked = keep_latest(rows["verification"], "verified_at")
    proven = checked.filter(pc.equal(checked["outcome"], "match")).select(_UIDS)
    held = _counts(known.group_by(_UIDS).aggregate([]).join(proven, _UIDS, join_type="left semi"))
    attempts = rows["evidence"].group_by(KEY).aggregate([("attempt", "max")])
    last = dict(zip(attempts[KEY].to_pylist(), attempts["attempt_max"].to_pylist(), strict=True))
    for study in sorted(set(rows["studies"][KEY].to_pylist())):
        verified = 0 < expected.get(study, 0) == held.get(study, 0)
        yield StudyProof(study, (last.get(study) or 0) + (0 if verified else 1) or 1, verified)


def _counts(rows: pa.Table) -> dict[str, int]:
    """Study -> number of rows."""
    grouped = rows.group_by(KEY).aggregate([([], "count_all")])
    return dict(zip(grouped[KEY].to_pylist(), grouped["count_all"].to_pylist(), strict=True))
