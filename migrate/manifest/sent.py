"""What was sent and proven of some studies, from the tables alone, long after the journal forgot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds

from migrate.manifest.latest import keep_latest
from migrate.manifest.read import read_table
from migrate.model import Change, Evidence, SentUids

EVIDENCE = tuple(Evidence.__dataclass_fields__)
CHANGE = ("sop_instance_uid", "path", "keyword", "before", "after", "rule", "pack", "pack_version")
_UIDS = ("00080018", "0020000D", "0020000E")

Key = tuple[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class SentInstance:
    """One instance that has an answer.

    `dataset_xxh3` is the digest of what was sent, `held_dataset_xxh3` of what the destination gave back
    when it was last proven (another one where it is declared to change something; None when only its
    list was believed).
    """

    evidence: Evidence
    uids: SentUids
    dataset_xxh3: str
    held_dataset_xxh3: str | None
    outcome: str | None


def sent_instances(run_folder: Path, studies: Sequence[str]) -> dict[str, list[SentInstance]]:
    """Study Instance UID as received -> its instances, the latest attempt of each.

    Raises:
        FormatTooNew: A table was written by a newer version.
        ManifestDamaged: A table cannot be read.
    """
    evidence = _latest(run_folder, "evidence", studies, "received_at")
    uploads = _latest(run_folder, "uploads", studies, "sent_at")
    proofs = _latest(run_folder, "verification", studies, "verified_at")
    replaced = _changes(run_folder, "changes", studies, ds.field("path").isin(_UIDS))
    found: dict[str, list[SentInstance]] = {study: [] for study in studies}
    for key, row in evidence.items():
        if key not in uploads or not uploads[key]["dataset_xxh3"]:
            continue
        known, proof = Evidence(**{name: row[name] for name in EVIDENCE}), proofs.get(key, {})
        found[key[0]].append(
            SentInstance(
                evidence=known,
                uids=SentUids.of(known, replaced[key]),
                dataset_xxh3=uploads[key]["dataset_xxh3"],
                held_dataset_xxh3=proof.get("held_dataset_xxh3"),
                outcome=proof.get("outcome"),
            )
        )
    return found


def ledger_of(run_folder: Path, studies: Sequence[str]) -> dict[Key, list[Change]]:
    """(study, SOP Instance UID) -> every change of that instance, identifying values in their place.

    Holds direct identifiers: for `rules.undo`, not for showing.

    Raises:
        FormatTooNew: A table was written by a newer version.
        ManifestDamaged: A table cannot be read.
    """
    found = _changes(run_folder, "changes", studies, ~ds.field("identifying"))
    for key, changes in _changes(run_folder, "identity_changes", studies, None).items():
        found[key] += changes
    return found


def _latest(run_folder: Path, table: str, studies: Iterable[str], when: str) -> dict[Key, dict[str, Any]]:
    rows = read_table(run_folder, table, where=ds.field("study_instance_uid").isin(list(studies)))
    return {(row["study_instance_uid"], row["sop_instance_uid"]): row for row in keep_latest(rows, when).to_pylist()}


def _changes(
    run_folder: Path, table: str, studies: Iterable[str], only: ds.Expression | None
) -> defaultdict[Key, list[Change]]:
    where = ds.field("study_instance_uid").isin(list(studies))
    rows = read_table(run_folder, table, where=where if only is None else where & only).to_pylist()
    found: defaultdict[Key, dict[str, Change]] = defaultdict(dict)
    for row in rows:
        change = Change(**{name: row[name] for name in CHANGE}, identifying=table == "identity_changes")
        found[row["study_instance_uid"], row["sop_instance_uid"]][change.path] = change
    return defaultdict(list, {key: list(changes.values()) for key, changes in found.items()})
