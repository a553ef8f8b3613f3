"""The table `rejections`: what the source has rejected, deleted or hidden, and who says so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from migrate.dicom.digest import xxh3
from migrate.manifest.place import Manifests
from migrate.manifest.read import count_rows, rows_of_studies
from migrate.manifest.write import write_part
from migrate.model import DELETED, Rejection, now

_NAMES = tuple(Rejection.__dataclass_fields__)


def write_rejections(manifests: Manifests, study_instance_uid: str, found: Sequence[Rejection]) -> None:
    """Write what the rejection notes of one study name; the same notes read again replace what they said.

    Raises:
        LocalError: The disk is full or not writable.
    """
    rows = [one for one in found if one.code != DELETED]
    if rows:
        notes = sorted({one.note_sop_instance_uid or "" for one in rows})
        part = xxh3("\n".join([study_instance_uid, *notes]).encode())
        write_part(manifests, "rejections", part, _columns(rows))


def write_deleted(manifests: Manifests, rows: Iterable[Rejection]) -> int:
    """Put what a list says is deleted in the place of what the list before said. Gives the number of rows.

    Raises:
        LocalError: The disk is full or not writable.
    """
    kept = list(rows)
    write_part(manifests, "rejections", "list-of-deleted", _columns(kept))
    return len(kept)


def _columns(rows: Sequence[Rejection]) -> dict[str, list[str | None]]:
    columns: dict[str, list[str | None]] = {name: [getattr(one, name) for one in rows] for name in _NAMES}
    return {**columns, "seen_at": [now()] * len(rows)}


def rejected_codes(run_folder: Path, studies: Iterable[str]) -> dict[str, dict[str, set[str]]]:
    """Study -> SOP Instance UID -> codes that reject it.

    Raises:
        FormatTooNew: A table was written by a newer version.
        ManifestDamaged: A table cannot be read.
    """
    found: dict[str, dict[str, set[str]]] = {}
    if not count_rows(run_folder, "rejections"):
        return found
    names = ["study_instance_uid", "sop_instance_uid", "code"]
    columns = rows_of_studies(run_folder, "rejections", studies, names)
    for study, sop, code in zip(*(columns[name] for name in names), strict=True):
        if sop:
            found.setdefault(study, {}).setdefault(sop, set()).add(code)
    return found
