"""Which studies may begin a stage now: those that are asked for, as many as both sides are to be troubled with."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from migrate.engine.request import Request
from migrate.engine.throttle import Throttle
from migrate.journal.store import Journal, ReadyStudy
from migrate.peers import StagedStudy, StudyWork
from migrate.stages import STAGES


@dataclass(frozen=True, slots=True)
class Busy:
    """A study that a task works on."""

    study: ReadyStudy
    stage: str
    work: StudyWork | StagedStudy


@dataclass
class Starting:
    """The choice of one run. `busy` is the engine's: what is in flight, by study."""

    request: Request
    journal: Journal
    throttle: Throttle
    busy: Mapping[str, Busy]
    begun: set[str] = field(default_factory=set)

    def ready(self, stage: str) -> list[ReadyStudy]:
        """Studies whose time has come for this stage, no more than there is room for."""
        room = self._room(stage)
        if room <= 0:
            return []
        state = STAGES[stage].begins_at
        if self.request.only:
            found = self.journal.ready_of(self.request.only, state, time.time())
        else:
            found = self.journal.ready(state, time.time(), room + len(self.busy))
        idle = [study for study in found if study.study_instance_uid not in self.busy][:room]
        return list(self._within_limit(idle)) if stage == self.request.stages[0] else idle

    def more_to_do(self) -> bool:
        """Nothing is in flight: is there a study for now, or one to wait for?"""
        states = [STAGES[name].begins_at for name in self.request.stages]
        concerned: Collection[str] = self.request.only or (self.begun if self._limit_reached() else ())
        if concerned:
            return any(self.journal.ready_of(concerned, state, math.inf) for state in states)
        # At any time, not only later: a study whose time has come since `ready` looked is not left behind.
        return any(self.journal.ready(state, math.inf, 1) for state in states)

    def _room(self, stage: str) -> int:
        limits = self.request.config.limits
        room = 2 * (limits.source_associations + limits.destination_associations) - len(self.busy)
        if stage == "retrieve":
            # One more than may run: it waits in the worker, so that the source's slot is never idle.
            asking = sum(one.stage == "retrieve" for one in self.busy.values())
            spare = 1 if self.throttle.allowed == self.throttle.most else 0
            room = min(room, self.throttle.allowed + spare - asking)
        return room

    def _within_limit(self, studies: list[ReadyStudy]) -> Iterator[ReadyStudy]:
        """Those that `--limit` lets begin: the first ones, and they again."""
        for study in studies:
            if study.study_instance_uid not in self.begun and self._limit_reached():
                return
            if self.request.limit is not None:
                self.begun.add(study.study_instance_uid)
            yield study

    def _limit_reached(self) -> bool:
        return self.request.limit is not None and len(self.begun) >= self.request.limit
