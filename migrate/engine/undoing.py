"""The proof that nothing was lost: originals rebuilt from what the destination holds and the ledger, for a sample."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from migrate.config import Config
from migrate.dicom.digest import dataset_digest, xxh3
from migrate.dicom.header import Header
from migrate.engine.again import look_again
from migrate.engine.rulebook import Rulebook, header_in
from migrate.journal import read as journal
from migrate.manifest.read import batches
from migrate.manifest.sent import Key, ledger_of
from migrate.model import Change, Evidence, changes_of
from migrate.rules.result import header_after
from migrate.rules.undo import is_reversible
from migrate.staging.area import LandingArea


@dataclass(slots=True)
class UndoCheck:
    """What came out, by SOP Instance UID.

    `other` are objects that the destination holds with other content than was sent, or did not give
    back: they say nothing about the ledger.
    """

    reversible: list[str] = field(default_factory=list)
    irreversible: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)

    def add(self, sop_instance_uid: str, *, reversible: bool) -> None:
        """One object whose original was rebuilt, or could not be."""
        (self.reversible if reversible else self.irreversible).append(sop_instance_uid)


def undo_check(run_folder: Path, config: Config, sample: int) -> UndoCheck:
    """Rebuild the original data set digest of up to `sample` changed objects.

    Objects that are still staged are taken as they will be sent; the others are read back. The same
    objects are chosen each time.

    Raises:
        PeerError, LocalError: The destination cannot be asked, or a table cannot be read.
    """
    found = UndoCheck()
    staged = list(itertools.islice(_staged(run_folder, config), sample))
    for uid, sent, changes, dataset_xxh3 in staged:
        found.add(uid, reversible=is_reversible(sent, changes, dataset_xxh3))
    chosen = _chosen(run_folder, sample - len(staged))
    if chosen:
        _check_held(run_folder, config, chosen, found)
    return found


def _check_held(run_folder: Path, config: Config, chosen: set[Key], found: UndoCheck) -> None:
    studies = sorted({study for study, _ in chosen})
    ledger = ledger_of(run_folder, studies)
    headers: dict[Key, Header] = {}

    def look(evidence: Evidence, header: Header) -> None:
        key = evidence.study_instance_uid, evidence.sop_instance_uid
        if key in chosen:
            headers[key] = header

    for looked in look_again(run_folder, config, studies, look):
        for one in looked.sent:
            key = looked.study_instance_uid, one.evidence.sop_instance_uid
            header = headers.pop(key, None)
            if header is not None and dataset_digest(header) == one.dataset_xxh3:
                found.add(key[1], reversible=is_reversible(header, ledger[key], one.evidence.dataset_xxh3))
            elif key in chosen:
                found.other.append(key[1])


def _chosen(run_folder: Path, sample: int) -> set[Key]:
    """(study, SOP Instance UID) of changed instances, picked by their digest: at random, and the same ones again."""
    picked: dict[Key, str] = {}
    for columns in batches(run_folder, "changes", ["study_instance_uid", "sop_instance_uid"]) if sample > 0 else ():
        for key in set(zip(columns["study_instance_uid"], columns["sop_instance_uid"], strict=True)):
            picked[key] = xxh3("\x1f".join(key).encode())
        kept = heapq.nsmallest(sample, picked.items(), key=lambda item: item[1])
        picked = dict(kept)
    return set(picked)


def _staged(run_folder: Path, config: Config) -> Iterator[tuple[str, Header, tuple[Change, ...], str]]:
    area = LandingArea(run_folder / config.staging.path, 0)
    rulebook = Rulebook(run_folder, config)
    for row in journal.changed_objects(run_folder):
        path = area.path_of(row["wire_xxh3"])
        if not path.is_file():
            continue
        header = header_in(path)
        done = rulebook.normalized(header, row["study_instance_uid"], row["modified_at"])
        changes = changes_of(row["changes"])
        yield row["sop_instance_uid"], header_after(header, done.edits), changes, row["dataset_xxh3"]
