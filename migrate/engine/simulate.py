"""When the run will end, by playing it: studies go through the limits with the times that were learnt.

A discrete-event simulation (SimPy) of what is left, many times over, each time with another draw of
the studies seen so far: the spread of the ends is the interval. The simulated hours are hours of
work; the calendar turns them into a date.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import simpy

from migrate.config import Config
from migrate.engine.hours import Hours
from migrate.engine.learning import RESOURCE_OF, STAGES, Places, Served, learn, places_of
from migrate.engine.rates import OPEN, QUANTILES
from migrate.errors import UsageError
from migrate.journal.read import states, study_states
from migrate.manifest.read import batches
from migrate.manifest.sizes import main_modality

FEWEST = 20
REPEATS = 30
MOST_PLAYED = 300
MOST_LISTED = 200_000


@dataclass(frozen=True, kw_only=True, slots=True)
class WhatIf:
    """Limits instead of those of the configuration; None leaves one as it is."""

    source_associations: int | None = None
    destination_associations: int | None = None
    hours: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """When it ends, and why not sooner.

    `work_s` are seconds of open hours by quantile, `ends` the dates that follow from them. `busy` is the share of
    its places that each stage keeps busy; `bottleneck` the stage that keeps its resource busiest.
    """

    studies: int
    learnt_from: int
    ends: Mapping[str, str]
    work_s: Mapping[str, float]
    bottleneck: str
    busy: Mapping[str, float]
    places: Places
    open_hours_a_week: float

    def to_json(self) -> dict[str, Any]:
        """The object `forecast` of `plan --simulate --json`."""
        return {
            "studies": self.studies,
            "learnt_from": self.learnt_from,
            **self.ends,
            "work_hours": {name: round(seconds / 3600, 3) for name, seconds in self.work_s.items()},
            "bottleneck": self.bottleneck,
            "busy": {name: round(share, 3) for name, share in self.busy.items()},
            "source_associations": self.places.source,
            "destination_associations": self.places.destination,
            "open_hours_a_week": self.open_hours_a_week,
        }


def forecast(run_folder: Path, config: Config, now: datetime, what_if: WhatIf | None = None) -> Forecast:
    """Play what is left of the run.

    A different number of associations is played with the times learnt with the present one: whether
    the peer keeps its pace is what nobody knows before it is tried.

    Raises:
        UsageError: Nothing is left, or fewer than 20 studies have gone through all stages.
        ConfigError: The hours cannot be read.
    """
    asked = what_if or WhatIf()
    seen = learn(run_folder, places_of(config))
    left = _left(run_folder)
    if not left:
        raise UsageError("nothing is left to forecast", "see: migrate status")
    if len(seen) < FEWEST:
        hint = f"move {FEWEST} studies first: migrate run --limit {2 * FEWEST}"
        raise UsageError("too little has been learnt for a forecast", hint, studies=len(seen))
    limits = config.limits.model_copy(update=_said(asked))
    config = config.model_copy(update={"limits": limits})
    hours, places = Hours(limits.hours, config.run.timezone), places_of(config)
    work_s, busy = _played(seen, left, places)
    return Forecast(
        studies=left.total(),
        learnt_from=len(seen),
        ends={name: hours.after(now, seconds).isoformat(timespec="seconds") for name, seconds in work_s.items()},
        work_s=work_s,
        bottleneck=_bottleneck(busy),
        busy=busy,
        places=places,
        open_hours_a_week=round(hours.open_minutes_a_week / 60, 2),
    )


def _said(asked: WhatIf) -> dict[str, Any]:
    named = {name: getattr(asked, name) for name in ("source_associations", "destination_associations")}
    hours = {"hours": list(asked.hours)} if asked.hours is not None else {}
    return {name: value for name, value in named.items() if value is not None} | hours


def _left(run_folder: Path) -> Counter[str]:
    """Modality -> studies that have not ended; of a very large rest the modalities of the whole archive."""
    counts = states(run_folder)
    total = sum(counts.get(state, 0) for state in OPEN)
    listed = total <= MOST_LISTED
    rows = study_states(run_folder) if listed and total else ()
    open_ = {row["study_instance_uid"] for row in rows if row["state"] in OPEN}
    found: Counter[str] = Counter()
    for part in batches(run_folder, "studies", ["study_instance_uid", "modalities_in_study"]) if total else ():
        pairs = zip(*part.values(), strict=True)
        found.update(main_modality(text) for uid, text in pairs if not listed or uid in open_)
    if not listed and found:
        share = total / found.total()
        found = Counter({name: round(count * share) for name, count in found.items()})
    return found


def _played(seen: Sequence[Served], left: Counter[str], places: Places) -> tuple[dict[str, float], dict[str, float]]:
    """Quantiles of the working time, and how busy each stage was in the mean."""
    # The same run folder gives the same answer: the seed is fixed.
    draw = random.Random(len(seen))  # noqa: S311 - not for secrets
    played = min(left.total(), MOST_PLAYED)
    scale = left.total() / played
    names, weights = list(left), list(left.values())
    ends, busy = [], dict.fromkeys(STAGES, 0.0)
    for _ in range(REPEATS):
        pool = _pool(draw.choices(seen, k=len(seen)))
        studies = [draw.choice(pool[name] or pool["*"]) for name in draw.choices(names, weights, k=played)]
        took = _once(studies, places)
        ends.append(took * scale)
        for stage in STAGES:
            served = sum(study.seconds[stage] for study in studies)
            busy[stage] += served / (max(took, 1e-9) * places.of(RESOURCE_OF[stage])) / REPEATS
    ends.sort()
    return {name: ends[int(REPEATS * share)] for name, share in QUANTILES}, busy


def _pool(studies: Iterable[Served]) -> dict[str, list[Served]]:
    pool: dict[str, list[Served]] = defaultdict(list)
    for study in studies:
        pool[study.modality].append(study)
        pool["*"].append(study)
    return pool


def _once(studies: Iterable[Served], places: Places) -> float:
    """Seconds until the last study has ended."""
    environment = simpy.Environment()
    resources = {name: simpy.Resource(environment, places.of(name)) for name in ("source", "destination", "cpu")}
    flight = simpy.Resource(environment, places.in_flight)

    def passage(study: Served) -> Generator[Any, Any, None]:
        with flight.request() as begun:
            yield begun
            for stage in STAGES:
                if study.seconds[stage] > 0:
                    with resources[RESOURCE_OF[stage]].request() as place:
                        yield place
                        yield environment.timeout(study.seconds[stage])

    for study in studies:
        environment.process(passage(study))
    environment.run()
    return float(environment.now)


def _bottleneck(busy: Mapping[str, float]) -> str:
    """The stage with the largest part of the busiest resource."""
    by_resource: Counter[str] = Counter()
    for stage, share in busy.items():
        by_resource[RESOURCE_OF[stage]] += share  # type: ignore[assignment]  # a Counter may count in parts
    [(busiest, _)] = by_resource.most_common(1)
    return max((stage for stage in STAGES if RESOURCE_OF[stage] == busiest), key=lambda stage: busy[stage])
