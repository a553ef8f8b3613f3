"""Both ends of a migration made by ourselves, so that only our own growth is measured.

A source that has a process of ours make and send a study's tiny objects when it is asked for it, and a
destination that is a receiver of ours in the same process: it digests what comes, answers 0000 and keeps
nothing, so reading back is answered without asking.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import ours
from migrate.config import FILE_NAME, load
from migrate.destinations.dimse import DimseDestination
from migrate.engine.place import doorstep, staging_folder
from migrate.engine.request import Request
from migrate.engine.run import Engine
from migrate.engine.throttle import Throttle
from migrate.journal.store import Journal
from migrate.model import Checked, Outcome, now
from migrate.peers import Received, Sendable, StudyWork
from migrate.sources.dimse import DimseSource
from migrate.staging.area import LandingArea
from migrate.staging.evidence import evidence_of
from migrate.staging.intake import Arrival
from tests.engine.inline import InlineCluster
from tests.engine.seeded import SeededRun

QUIET_S = 60.0
NEVER = 1e9


class MadeSource(DimseSource):
    """Studies that are made when they are asked for; the number stands in the Study Instance UID."""

    sender: ProcessPoolExecutor
    place: ours.Place

    def retrieve(self, work: StudyWork) -> Received:
        """Have the study sent to our receiver and wait until it is durable."""
        wanted = [ref.sop_instance_uid for ref in work.wanted]
        inbox = self.door.registry.open(work.study_instance_uid, wanted, _evidence)
        number = int(work.study_instance_uid.split(".")[-3][1:])
        self.sender.submit(ours.send_study, self.place, "tiny", number).result()
        inbox.wait_complete(QUIET_S)
        self.door.registry.close(inbox)
        return Received(evidence=tuple(inbox.kept), status=0)


def _evidence(arrival: Arrival) -> Any:
    return evidence_of(arrival, 1)


class BlindDestination(DimseDestination):
    """Really sent to, over the wire; never asked."""

    def holds(self, study_instance_uid: str, series_instance_uids: Iterable[str]) -> set[str]:
        """Nothing: each study is sent once."""
        return set()

    def read_back(self, study_instance_uid: str, expected: Sequence[Sendable]) -> tuple[Checked, ...]:
        """Taken for granted."""
        at = now()
        uids = (item.evidence.sop_instance_uid for item in expected)
        return tuple(
            Checked(sop_instance_uid=uid, method="content", outcome=Outcome.MATCH, verified_at=at) for uid in uids
        )


class BetweenOurEnds(InlineCluster):
    """The engine's workers as threads, between these two ends."""

    def __init__(self, run: SeededRun, sender: ProcessPoolExecutor) -> None:
        super().__init__(run)
        config = run.config
        registry = self.site.source.door.registry  # type: ignore[attr-defined]
        door = replace(doorstep(config, run.folder, 0, receiving=True), registry=registry)
        source = MadeSource(door)
        source.sender, source.place = sender, ours.Place(config.receiver.ae_titles[0], config.receiver.port)
        self.site = replace(self.site, source=source, destination=BlindDestination(door))


def run_between(run_folder: Path) -> tuple[float, float]:
    """A whole run in this process: wall and CPU seconds of ours, without the other process."""
    config = load(run_folder / FILE_NAME)
    run = SeededRun(folder=run_folder, config=config)
    context = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        sender = stack.enter_context(ProcessPoolExecutor(1, mp_context=context))
        taker = stack.enter_context(ProcessPoolExecutor(1, mp_context=context))
        taker.submit(ours.take_everything, config.destination.ae_title, config.destination.port).result()
        stack.callback(lambda: taker.submit(ours.close).result())
        sender.submit(ours.process_id).result()
        journal = stack.enter_context(Journal(run_folder))
        cluster = stack.enter_context(BetweenOurEnds(run, sender))
        area = LandingArea(staging_folder(run_folder, config))
        began, spent = time.monotonic(), time.process_time()
        throttle = Throttle(lambda: None, config.limits.source_associations, NEVER)
        asked = Request(run_folder=run_folder, config=config)
        Engine(asked, journal, cluster, area, lambda _: None, lambda: False, throttle).run()
        return time.monotonic() - began, time.process_time() - spent
