"""The engine's pool of workers without processes: the same stages at the same kind of site, in threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from queue import Empty, SimpleQueue
from typing import Any

from migrate.engine.cluster import Cluster, Done
from migrate.engine.place import open_site
from migrate.engine.request import Progress, Request
from migrate.engine.run import Engine
from migrate.engine.throttle import source_throttle
from migrate.errors import MigrateError
from migrate.journal.store import Journal
from migrate.stages import STAGES
from migrate.staging.area import LandingArea
from tests.engine.seeded import SeededRun


class InlineCluster(Cluster):
    """One worker, in this process."""

    def __init__(self, run: SeededRun) -> None:
        limits = run.config.limits
        self.site = open_site(run.config, str(run.folder), 0)
        self._pool = ThreadPoolExecutor(8)
        self._done: SimpleQueue[Done] = SimpleQueue()
        self._slots = {
            "source": threading.Semaphore(limits.source_associations),
            "destination": threading.Semaphore(limits.destination_associations),
            "cpu": threading.Semaphore(2),
        }

    def close(self) -> None:
        self._pool.shutdown()
        self.site.close()

    def submit(self, stage: str, study_instance_uid: str, work: Any, epoch: int) -> None:
        def task() -> Any:
            with self._slots[STAGES[stage].resource]:
                return STAGES[stage].run(self.site, work)

        def ended(future: Future[Any]) -> None:
            error = future.exception()
            event = None if error else future.result()
            self._done.put(Done(study_instance_uid=study_instance_uid, stage=stage, event=event, error=error))

        self._pool.submit(task).add_done_callback(ended)

    def collect(self, timeout_s: float) -> list[Done]:
        try:
            return [self._done.get(timeout=timeout_s)]
        except Empty:
            return []


def run_inline(
    run: SeededRun,
    *,
    stopping: Callable[[], bool] = lambda: False,
    watch: Callable[[Progress], None] = lambda _: None,
    **request: Any,
) -> MigrateError | None:
    """`engine.run.run` with `InlineCluster`: the error that stopped it, or None."""
    asked = Request(run_folder=run.folder, config=run.config, **request)
    area = LandingArea(run.staging, int(run.config.staging.reserve_gb * 1024**3))
    with ExitStack() as stack:
        journal = stack.enter_context(Journal(run.folder))
        cluster = stack.enter_context(InlineCluster(run))
        throttle = stack.enter_context(source_throttle(asked))
        try:
            Engine(asked, journal, cluster, area, watch, stopping, throttle).run()
        except MigrateError as error:
            return error
    return None
