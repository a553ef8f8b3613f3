"""Patient merges under the journal's lease: applied to the tables, and what they mean for moved studies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from migrate.checks.merge_list import read_merges
from migrate.checks.merges import survivors
from migrate.config import Config
from migrate.journal.states import State
from migrate.journal.store import Journal
from migrate.manifest.merged import apply_merges
from migrate.manifest.place import Manifests

AT_DESTINATION = frozenset({State.UPLOADED, State.VERIFIED, State.QUARANTINED, State.CHANGED})


@dataclass(frozen=True, kw_only=True, slots=True)
class MergeOutcome:
    """What a list of merges came to.

    Args:
        merges: Merges read.
        patients: Prior patients whose studies have another key now.
        studies: Those studies.
        moved: Those of them that the destination holds under the prior id: it needs the same merge.
        unknown_priors: Merges of patients of whom nothing was crawled.
        unknown_survivors: Merges into patients of whom nothing was crawled.
        other_messages: HL7 messages that are no merge.
        invalid: (line or message, why).
    """

    merges: int
    patients: int
    studies: int
    moved: int
    unknown_priors: int
    unknown_survivors: int
    other_messages: int
    invalid: tuple[tuple[int, str], ...]


def merge_identities(run_folder: Path, config: Config, path: Path) -> MergeOutcome:
    """Read merges, follow them to the last survivor, apply them to the tables.

    Raises:
        UsageError: The file cannot be read, or the merges contradict each other; nothing is changed.
        JournalLocked: An engine works on this run folder.
        LocalError: The disk is full or not writable.
    """
    read = read_merges(path)
    into = survivors(read.merges)
    with Journal(run_folder) as journal:
        done = apply_merges(Manifests(run_folder, config.run.source), into)
        states = journal.states_of(done.studies)
    return MergeOutcome(
        merges=len(into),
        patients=done.patients,
        studies=len(done.studies),
        moved=_moved(states),
        unknown_priors=done.unknown_priors,
        unknown_survivors=done.unknown_survivors,
        other_messages=read.other,
        invalid=tuple(read.invalid),
    )


def _moved(states: Mapping[str, State]) -> int:
    return sum(state in AT_DESTINATION for state in states.values())
