"""A list of what the source's database calls deleted or hidden joins the plan: it stays behind, with that reason.

Lines name studies, series or instances. A study that is named itself, or of which every listed
instance is, is excluded; single instances are not asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migrate.config import Config
from migrate.journal.events import Event, Excluded
from migrate.journal.notes import note
from migrate.journal.store import Journal
from migrate.manifest.place import Manifests
from migrate.manifest.read import batches, count_rows
from migrate.manifest.rejections import write_deleted
from migrate.manifest.study_list import INSTANCE, SERIES, STUDY, StudyList, read_list
from migrate.model import DELETED, Defect, ExceptionClass, Level, Rejection
from migrate.stages.plan import Predicate

COLUMNS = (INSTANCE, SERIES, STUDY)
REASON = "deleted or hidden at the source"


@dataclass(frozen=True, kw_only=True, slots=True)
class Joined:
    """What a list came to: lines, those that name nothing that was crawled, those that cannot be read."""

    lines: int
    studies: int
    instances: int
    unmatched: int
    invalid: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class DeletedStudies(Predicate):
    """The exclusion of whole studies that the list names."""

    studies: frozenset[str] = frozenset()

    def holds(self, study: Mapping[str, Any]) -> bool:
        """Whether a row of `studies` is one of them."""
        return study.get("study_instance_uid") in self.studies


def join_deleted(run_folder: Path, config: Config, path: Path, column: str = "") -> Joined:
    """Read a list and keep what it says for this plan and all later ones; it replaces the list before.

    Raises:
        UsageError: The list cannot be read.
        ManifestDamaged: The crawled tables cannot be read.
        LocalError: The disk is full or not writable.
    """
    named = read_list(path, column, COLUMNS)
    found = list(_found(run_folder, named))
    write_deleted(Manifests(run_folder, config.run.source), found)
    matched = {uid for one in found for uid in (one.study_instance_uid, one.series_instance_uid, one.sop_instance_uid)}
    return Joined(
        lines=len(named.rows),
        studies=sum(not one.sop_instance_uid for one in found),
        instances=sum(bool(one.sop_instance_uid) for one in found),
        unmatched=sum(row.value not in matched for row in named.rows),
        invalid=named.invalid[:100],
    )


def _found(run_folder: Path, named: StudyList) -> Iterator[Rejection]:
    """What the crawl knows of the list, each once. A row without instance is a whole study."""
    studies, series, instances = (named.values(name) for name in (STUDY, SERIES, INSTANCE))
    for columns in batches(run_folder, "studies", [STUDY]):
        yield from (_rejection(uid) for uid in columns[STUDY] if uid in studies)
    for columns in batches(run_folder, "instances", [STUDY, SERIES, INSTANCE]):
        for study, of_series, instance in zip(*(columns[name] for name in (STUDY, SERIES, INSTANCE)), strict=True):
            if study not in studies and (of_series in series or instance in instances):
                yield _rejection(study, of_series, instance)


def _rejection(study: str, series: str | None = None, instance: str | None = None) -> Rejection:
    return Rejection(
        study_instance_uid=study, series_instance_uid=series, sop_instance_uid=instance, code=DELETED, policy="exclude"
    )


def deleted_studies(run_folder: Path) -> list[Predicate]:
    """The exclusion that the list makes of whole studies; none without a list.

    Raises:
        ManifestDamaged: A table cannot be read.
    """
    if not count_rows(run_folder, "rejections"):
        return []
    whole: set[str] = set()
    named: dict[str, set[str]] = {}
    for columns in batches(run_folder, "rejections", [STUDY, INSTANCE, "code"]):
        for study, instance, code in zip(*(columns[name] for name in (STUDY, INSTANCE, "code")), strict=True):
            if code == DELETED and instance is None:
                whole.add(study)
            elif code == DELETED:
                named.setdefault(study, set()).add(instance)
    for columns in batches(run_folder, "studies", [STUDY, "instance_count"]):
        for study, count in zip(columns[STUDY], columns["instance_count"], strict=True):
            if count is not None and len(named.get(study, ())) == count > 0:
                whole.add(study)
    return [DeletedStudies(STUDY, "in", "", REASON, frozenset(whole))] if whole else []


def note_deleted(journal: Journal, events: Iterable[Event]) -> None:
    """A line in the register for each study that the list has excluded."""
    kind, level = ExceptionClass.REJECTED_AT_SOURCE, Level.STUDY
    uids = [e.study_instance_uid for e in events if isinstance(e, Excluded) and e.reason == REASON]
    note(journal, ((uid, Defect(exception_class=kind, level=level, uid=uid, detail=REASON)) for uid in uids))
