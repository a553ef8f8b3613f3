"""Ended studies: their instances go to the Parquet tables first and leave the journal after.

A part's name is made from the studies and rounds in it, so a flush that is repeated after a kill
replaces itself and nothing is counted twice.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from migrate.config import Config
from migrate.dicom.digest import xxh3
from migrate.journal.store import Journal
from migrate.manifest.place import Manifests
from migrate.manifest.write import write_part
from migrate.staging.area import LandingArea

STUDIES_PER_PART = 500
EVIDENCE = (
    *("study_instance_uid", "series_instance_uid", "sop_instance_uid", "sop_class_uid", "transfer_syntax_uid"),
    *("size_bytes", "wire_xxh3", "bulk_xxh3", "dataset_xxh3", "pixels_xxh3", "received_at", "attempt"),
)

SOP_INSTANCE_UID = "00080018"  # path in the ledger

Rows = list[dict[str, Any]]


def flush(  # noqa: PLR0913, PLR0917  the three places, how much, and who wants to know
    journal: Journal,
    manifests: Manifests,
    area: LandingArea,
    limit: int = STUDIES_PER_PART,
    removed: Callable[[Iterable[str]], None] = lambda _studies: None,
) -> int:
    """Move up to `limit` ended studies from the journal to the tables. Returns how many.

    `removed` hears of the studies whose staged copies are gone.
    """
    ended = journal.to_flush(limit)
    if not ended:
        return 0
    known = [row for study, _ in ended for row in journal.instances(study)]
    rows = [row for row in known if not row["flushed"]]
    if rows:
        part = xxh3("\n".join(sorted({f"{r['study_instance_uid']} {r['attempt']}" for r in rows})).encode())
        fresh = {row["study_instance_uid"] for row in rows}
        counted = _census([row for row in known if row["study_instance_uid"] in fresh])
        for table, columns in {**_tables(rows), "census": counted}.items():
            if columns and any(columns.values()):
                write_part(manifests, table, part, columns)
    area.remove(row["wire_xxh3"] for row in rows)
    removed(sorted({row["study_instance_uid"] for row in rows}))
    journal.flushed(ended)
    return len(ended)


def flush_ended(journal: Journal, run_folder: Path, config: Config) -> None:
    """Move all ended studies to the tables, before somebody decides about them.

    A flush that was killed behind its tables repeats itself under the same name only while the same
    attempts have ended: a decision in between would let rows of the first attempt stand twice.
    """
    flush_all(journal, Manifests(run_folder, config.run.source), LandingArea(run_folder / config.staging.path))


def flush_all(
    journal: Journal,
    manifests: Manifests,
    area: LandingArea,
    removed: Callable[[Iterable[str]], None] = lambda _studies: None,
) -> None:
    """`flush` until no study that has ended is left."""
    while flush(journal, manifests, area, removed=removed):
        pass


def _tables(rows: Rows) -> dict[str, dict[str, list[Any]]]:
    sent = [row for row in rows if row["sent_at"]]
    checked = [row for row in rows if row["outcome"]]
    changes = [
        {"study_instance_uid": row["study_instance_uid"], **change}
        for row in rows
        if row["sent_at"]
        for change in json.loads(row["changes"] or "[]")
    ]
    hidden = [{**c, "before": None, "after": None} if c["identifying"] else c for c in changes]
    return {
        "evidence": _columns(rows, EVIDENCE),
        "uploads": _uploads(sent),
        "verification": _verification(checked),
        "changes": _columns(hidden, (*CHANGE, "identifying")),
        "identity_changes": _columns([c for c in changes if c["identifying"]], CHANGE),
    }


CHANGE = (
    *("study_instance_uid", "sop_instance_uid", "path", "keyword", "before", "after"),
    *("rule", "pack", "pack_version"),
)


def _uploads(rows: Rows) -> dict[str, list[Any]]:
    same = ("study_instance_uid", "sop_instance_uid", "warning", "error_comment", "sent_transfer_syntax_uid")
    columns = _columns(rows, (*same, "sent_wire_xxh3", "sent_at", "attempt"))
    columns["dataset_xxh3"] = [row["sent_dataset_xxh3"] for row in rows]
    columns["sent_sop_instance_uid"] = [_sent_as(row) for row in rows]
    columns["status"] = [None if row["status"] is None else f"{row['status']:04X}" for row in rows]
    return columns


def _verification(rows: Rows) -> dict[str, list[Any]]:
    same = ("study_instance_uid", "sop_instance_uid", "method", "outcome", "verified_at", "detail", "attempt")
    columns = _columns(rows, (*same, "held_dataset_xxh3"))
    columns["differs"] = [json.loads(row["differs"] or "[]") for row in rows]
    return columns


def _sent_as(row: dict[str, Any]) -> str:
    changed = (c["after"] for c in json.loads(row["changes"] or "[]") if c["path"] == SOP_INSTANCE_UID)
    return next(changed, None) or str(row["sop_instance_uid"])


def _census(rows: Rows) -> dict[str, list[Any]]:
    """Per study and kind: how many instances had it when they came, and when they were given back.

    What an earlier attempt verified is among the rows, so the latest attempt tells about the whole study.
    """
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    attempts: dict[str, int] = {}
    for row in rows:
        attempts[row["study_instance_uid"]] = max(row["attempt"], attempts.get(row["study_instance_uid"], 0))
        for side, kinds in enumerate((row["census"], row["held_census"])):
            for kind in (kinds or "").split():
                counts[row["study_instance_uid"], kind][side] += 1
    return {
        "study_instance_uid": [study for study, _ in counts],
        "kind": [kind for _, kind in counts],
        "source": [source for source, _ in counts.values()],
        "destination": [destination for _, destination in counts.values()],
        "attempt": [attempts[study] for study, _ in counts],
    }


def _columns(rows: Iterable[dict[str, Any]], names: Iterable[str]) -> dict[str, list[Any]]:
    kept = list(rows)
    return {name: [row.get(name) for row in kept] for name in names}
