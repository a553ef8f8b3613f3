"""A journal made again from the tables: what was verified stays verified, the rest is asked about first."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from migrate.journal import rebuild
from migrate.journal.events import Doubted, Event, Found, Restored
from migrate.journal.lease import Lease
from migrate.manifest.proven import StudyProof, proofs

BATCH = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Rebuilt:
    """What came of it: studies by what the tables prove, rows saved from the old file, and where that is."""

    verified: int
    found: int
    salvaged: int
    kept: Path | None


def rebuild_journal(run_folder: Path, *, take_over: bool = False) -> Rebuilt:
    """Make a new journal from the manifests and put it in the place of the old one.

    A kill at any moment leaves the old one or the new one, never neither.

    Raises:
        JournalLocked: An engine works on this run folder.
        ManifestDamaged: The tables cannot be read; nothing has changed.
    """
    lease = Lease(run_folder, take_over=take_over)
    try:
        verified = found = 0
        with rebuild.fresh_journal(run_folder) as journal:
            for chunk in _chunks(proofs(run_folder)):
                journal.append(event for proof in chunk for event in _events(proof))
                verified += sum(proof.verified for proof in chunk)
                found += sum(not proof.verified for proof in chunk)
            salvaged = rebuild.salvage(run_folder, journal)
        newest = rebuild.newest_event(run_folder / rebuild.WORK_FOLDER)
        lease.note(0)  # a kill between the two lines below must not make the new one look cut short
        kept = rebuild.put_in_place(run_folder)
        lease.note(newest)
    finally:
        lease.release()
    return Rebuilt(verified=verified, found=found, salvaged=salvaged, kept=kept)


def _events(proof: StudyProof) -> Iterator[Event]:
    uid = proof.study_instance_uid
    yield Found(study_instance_uid=uid)
    kind = Restored if proof.verified else Doubted
    yield kind(study_instance_uid=uid, round=proof.round)


def _chunks(items: Iterable[StudyProof]) -> Iterator[list[StudyProof]]:
    waiting = iter(items)
    while chunk := list(itertools.islice(waiting, BATCH)):
        yield chunk
