"""What the crawl found becomes rows of the journal, and rows become a plan."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from migrate.config import Config
from migrate.engine.deleted import deleted_studies, note_deleted
from migrate.engine.following import follow_deltas, note_crawl_defects
from migrate.journal.events import Event, Found, Planned
from migrate.journal.plans import standing_plans
from migrate.journal.states import State
from migrate.journal.store import Journal
from migrate.manifest.read import batches
from migrate.manifest.sizes import COUNTS, learnt_sizes
from migrate.model import now
from migrate.stages.booked import joined, read_booked, read_worklist
from migrate.stages.plan import COLUMNS, Booked, plan, predicates, ranking

BATCH = 2_000
TO_PLAN = frozenset({State.FOUND, State.CHANGED, State.EXCLUDED, State.PLANNED})


def register_found(journal: Journal, run_folder: Path) -> int:
    """A `Found` event for every crawled study that the journal does not know yet. Returns how many."""
    new = 0
    for columns in batches(run_folder, "studies", ["study_instance_uid"]):
        for uids in _chunks(columns["study_instance_uid"]):
            known = journal.states_of(uids)
            found = [Found(study_instance_uid=uid) for uid in dict.fromkeys(uids) if uid not in known]
            journal.append(found)
            new += len(found)
    return new


@dataclass(slots=True)
class Wave:
    """What one wave holds of the studies that wait. Sizes are estimates: None while nothing has been learnt."""

    text: str
    studies: int = 0
    instances: float | None = None
    size_bytes: float | None = None

    def add(self, instances: float | None, size_bytes: float | None) -> None:
        """One study more."""
        self.studies += 1
        if instances is not None:
            self.instances = (self.instances or 0) + instances
        if size_bytes is not None:
            self.size_bytes = (self.size_bytes or 0) + size_bytes

    def to_json(self) -> dict[str, Any]:
        """The object of `plan --json`, with whole numbers."""
        instances, size_bytes = (None if n is None else round(n) for n in (self.instances, self.size_bytes))
        return {"wave": self.text, "studies": self.studies, "instances": instances, "estimated_bytes": size_bytes}


@dataclass(slots=True)
class Outline:
    """What a plan came to: events by what they did, the waves, and the list of who comes first."""

    planned: int = 0
    excluded: int = 0
    reordered: int = 0
    noted: int = 0
    waves: list[Wave] = field(default_factory=list)
    booked: Booked | None = None


def make_plan(journal: Journal, run_folder: Path, config: Config) -> Outline:
    """Plan every study that is not yet moved; one that is planned already moves to its new place.

    First the journal hears what delta crawls saw, and the register what the crawl found wrong.

    Raises:
        ConfigError: `[plan]` cannot be read.
    """
    exclude = [*deleted_studies(run_folder), *predicates(config.plan.exclude)]
    booked = booked_of(run_folder, config)
    order = ranking(config.plan.order, config.plan.waves, booked)
    follow_deltas(journal, run_folder, config)
    noted = note_crawl_defects(journal, run_folder)
    found = Outline(noted=noted, waves=[Wave(text) for text in order.named], booked=booked)
    sizes = learnt_sizes(run_folder)
    # One moment for the whole plan: it stands in Original Attributes, so a repeat gives the same bytes.
    at = now()
    for columns in batches(run_folder, "studies", [*COLUMNS, *COUNTS, "patient_key"]):
        for chunk in _chunks(_rows(columns)):
            states = journal.states_of(row["study_instance_uid"] for row in chunk)
            waiting = [row for row in chunk if _waits(states.get(row["study_instance_uid"]))]
            events = list(plan(waiting, order, exclude, at))
            for row, event in zip(waiting, events, strict=True):
                if isinstance(event, Planned):
                    found.waves[order.wave_of(row)].add(*sizes.expected(row))
            news = _news(journal, events, states, found)
            journal.append(news)
            note_deleted(journal, news)
    return found


def booked_of(run_folder: Path, config: Config) -> Booked | None:
    """Who is on the list that `[plan] booked` names (its path relative to the run folder) or was on the worklist.

    None without either.
    """
    people = read_booked(run_folder, run_folder / config.plan.booked) if config.plan.booked else None
    return joined(people, read_worklist(run_folder) if config.plan.worklist else None)


def _news(journal: Journal, events: Iterable[Event], states: dict[str, State], found: Outline) -> list[Event]:
    """What is not yet so. A study keeps the time of its first plan, wherever it moves."""
    planned = [uid for uid, state in states.items() if state is State.PLANNED]
    before = standing_plans(journal, planned)
    news: list[Event] = []
    for event in events:
        uid = event.study_instance_uid
        if isinstance(event, Planned) and uid in before:
            rank, modified_at = before[uid]
            if rank != event.rank:
                news.append(replace(event, modified_at=modified_at))
                found.reordered += 1
        elif isinstance(event, Planned):
            news.append(event)
            found.planned += 1
        elif states[uid] is not State.EXCLUDED:
            news.append(event)
            found.excluded += 1
    return news


def _waits(state: State | None) -> bool:
    return state in TO_PLAN


def _rows(columns: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    waiting = iter(items)
    while chunk := list(itertools.islice(waiting, BATCH)):
        yield chunk
