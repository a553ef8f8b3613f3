"""The map of replaced UIDs: written before the first object goes out under a new one, read by everybody after."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from migrate.dicom.digest import xxh3
from migrate.manifest.place import Manifests
from migrate.manifest.read import batches
from migrate.manifest.write import write_part
from migrate.model import Change

INVALID = "invalid"
NEW_UIDS = "2.25."


def read_uid_map(run_folder: Path) -> dict[str, str]:
    """Old UID -> new UID, over the whole run.

    Raises:
        FormatTooNew: The table was written by a newer version.
        ManifestDamaged: The table cannot be read.
    """
    found: dict[str, str] = {}
    for columns in batches(run_folder, "uid_map", ["old_uid", "new_uid"]):
        found.update(zip(columns["old_uid"], columns["new_uid"], strict=True))
    return found


def write_uid_map(
    manifests: Manifests, study_instance_uid: str, changes: Iterable[Change], uids: Mapping[str, str]
) -> int:
    """Write down the UIDs that the changes of a study replace. Returns how many; durable when it returns.

    Args:
        manifests: Where.
        study_instance_uid: As received; the part is named by what is in it, so a repeat replaces itself.
        changes: The ledger of all instances of the study.
        uids: The map of the run; only what it says is a replacement, whatever else rules changed.
    """
    pairs: dict[tuple[str, str], str] = {}
    for change in changes:
        if NEW_UIDS not in (change.after or ""):
            continue
        old, new = (change.before or "").split("\\"), (change.after or "").split("\\")
        if len(old) == len(new):
            pairs.update({(a, b): change.pack for a, b in zip(old, new, strict=True) if a != b and uids.get(a) == b})
    if pairs:
        columns = {
            "old_uid": [old for old, _ in pairs],
            "new_uid": [new for _, new in pairs],
            "reason": [INVALID] * len(pairs),
            "pack": list(pairs.values()),
            "study_instance_uid": [study_instance_uid] * len(pairs),
        }
        part = xxh3("\n".join((study_instance_uid, *sorted(new for _, new in pairs))).encode())
        write_part(manifests, "uid_map", part, columns)
    return len(pairs)
