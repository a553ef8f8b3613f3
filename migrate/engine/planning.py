"""What the crawl found becomes rows of the journal, and rows become a plan."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from migrate.config import Config
from migrate.journal.events import Event, Found
from migrate.journal.states import State
from migrate.journal.store import Journal
from migrate.manifest.read import batches
from migrate.model import now
from migrate.stages.plan import COLUMNS, plan, predicates, rank

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


def make_plan(journal: Journal, run_folder: Path, config: Config) -> dict[str, int]:
    """Plan every study that is not yet moved. Returns counts: planned, excluded.

    Raises:
        ConfigError: `[plan]` cannot be read.
    """
    exclude = predicates(config.plan.exclude)
    rank({}, config.plan.order)
    counts = {"planned": 0, "excluded": 0}
    # One moment for the whole plan: it stands in Original Attributes, so a repeat gives the same bytes.
    at = now()
    for columns in batches(run_folder, "studies", list(COLUMNS)):
        for chunk in _chunks(_rows(columns)):
            states = journal.states_of(row["study_instance_uid"] for row in chunk)
            waiting = [row for row in chunk if _waits(states.get(row["study_instance_uid"]))]
            events = [e for e in plan(waiting, config.plan.order, exclude, at) if _is_news(e, states)]
            journal.append(events)
            for event in events:
                counts[type(event).__name__.lower()] += 1
    return counts


def _waits(state: State | None) -> bool:
    return state in TO_PLAN


def _is_news(event: Event, states: dict[str, State]) -> bool:
    """A study that stands where the plan puts it needs no second event (its time stays the first one)."""
    stands = states[event.study_instance_uid]
    name = type(event).__name__
    return (name, stands) not in {("Planned", State.PLANNED), ("Excluded", State.EXCLUDED)}


def _rows(columns: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    waiting = iter(items)
    while chunk := list(itertools.islice(waiting, BATCH)):
        yield chunk
