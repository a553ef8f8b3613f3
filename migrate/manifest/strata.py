"""Each study with the transfer syntax of most of its instances: what a sample is drawn from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from migrate.manifest.by_study import KEY, by_study
from migrate.manifest.sides import WANTED, StudySide, sides_of

SYNTAX = "transfer_syntax_uid"


def studies_with_syntax(run_folder: Path) -> Iterator[tuple[StudySide, str | None]]:
    """Every study that the tables know, by rising UID; None where nothing arrived.

    Raises:
        FormatTooNew: A file was written by a newer version.
        ManifestDamaged: A file cannot be read.
    """
    wanted = {**WANTED, "evidence": (*WANTED["evidence"], SYNTAX)}
    for rows in by_study(run_folder, wanted):
        counts = rows["evidence"].group_by([KEY, SYNTAX]).aggregate([([], "count_all")])
        ranked = sorted(counts.to_pylist(), key=lambda row: (row["count_all"], row[SYNTAX] or ""))
        most = {row[KEY]: row[SYNTAX] for row in ranked}
        plain = {**rows, "evidence": rows["evidence"].drop_columns([SYNTAX])}
        for side in sides_of(plain):
            yield side, most.get(side.study_instance_uid)
