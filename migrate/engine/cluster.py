"""Dask, and nothing else of it anywhere: workers, their resources, tasks.

Used as a pool only. Every task is submitted with `retries=0` and a lost worker's tasks are never
run again by Dask itself (`allowed-failures` 0): the engine decides, after asking the peers, since
Dask may run a function twice by design. Only loopback listens unless a cluster is asked for.
"""

from __future__ import annotations

import contextlib
import logging
import pickle
import queue
import time
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from distributed import Client, Future, WorkerPlugin, get_worker
from distributed.scheduler import KilledWorker

from migrate.config import Config
from migrate.engine.local import configure, forget_keys, local_cluster
from migrate.engine.place import open_site
from migrate.errors import LocalError, MigrateError
from migrate.stages import STAGES
from migrate.stages.site import Site

log = logging.getLogger("migrate.engine")

PLUGIN = "migrate-site"
CONNECT_S = 10


class WorkersGone(Exception):
    """Every worker died and none came back: what the task did is not known."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """One finished task: the stage's event, or why there is none."""

    study_instance_uid: str
    stage: str
    key: str = ""
    event: Any = None
    error: BaseException | None = None

    @property
    def worker_lost(self) -> bool:
        """The worker died while it ran: what it did is not known."""
        return isinstance(self.error, (KilledWorker, WorkersGone))


class SitePlugin(WorkerPlugin):
    """Opens one `Site` per worker process and closes it with the worker."""

    name = PLUGIN

    def __init__(self, config: Config, run_folder: str) -> None:
        self.config = config
        self.run_folder = run_folder
        self.site: Site | None = None
        self.why: MigrateError = LocalError("a worker has not opened its place of work")

    def setup(self, worker: Any) -> None:
        """Open the worker's site; its name is its index."""
        logging.getLogger("distributed").setLevel(logging.ERROR)
        index = int(worker.name) if str(worker.name).isdigit() else 0
        try:
            self.site = open_site(self.config, self.run_folder, index)
        except MigrateError as error:
            self.why = error  # Dask goes on with a worker that it started again though this failed
            raise

    def teardown(self, worker: Any) -> None:
        """Release peers, receiver and landing area."""
        if self.site:
            self.site.close()


def task_key(stage: str, study_instance_uid: str, epoch: int) -> str:
    """The name of one task, used once in a run. It has no patient data."""
    return f"{stage}-{study_instance_uid}-{epoch}"


def run_stage(stage: str, packed: bytes, key: str) -> bytes:
    """One stage of one study, in a worker. Returns its event, or the MigrateError it raised.

    Both are pickled here and in the engine alone: Dask's scheduler would unpack and pack them once more.
    When a worker dies with a result that nobody has fetched yet, Dask runs the task again somewhere else:
    a repeated upload asks the destination before it sends.
    """
    forget_keys()
    plugin: Any = get_worker().plugins[PLUGIN]
    if plugin.site is None:
        return _pack(plugin.why)
    work = pickle.loads(packed)  # noqa: S301 - from our own engine, by the same way as the task itself
    try:
        if stage == "upload" and not plugin.site.area.first_time(key):
            work = replace(work, doubtful=True)
        return _pack(STAGES[stage].run(plugin.site, work))
    except MigrateError as error:
        return _pack(error)


def _pack(value: Any) -> bytes:
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


class Cluster:
    """The pool of workers of one run.

    Args:
        config: Limits decide the resources.
        run_folder: Where the workers find the staging area.
        scheduler: `tcp://…` of a running Dask cluster; None starts a local one.

    Attributes:
        no_worker_s: How long there may be none before they are started again; Dask itself gives up on a
            worker that dies while it starts.
    """

    no_worker_s = 20.0

    def __init__(self, config: Config, run_folder: str, scheduler: str | None = None) -> None:
        configure()
        self._config = config
        self._run_folder = run_folder
        self._scheduler = scheduler
        self._finished: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self._tasks: dict[str, tuple[str, str]] = {}
        self._open()

    def _open(self) -> None:
        self._local = None
        try:
            self._local = None if self._scheduler else local_cluster(self._config)
            self.client = Client(self._local or self._scheduler, set_as_default=False, timeout=CONNECT_S)
        except (RuntimeError, OSError) as error:  # whatever Dask makes of a machine without descriptors or memory
            if self._local:
                self._local.close(timeout=10)
            raise _not_started(self._scheduler, error) from None
        self._alive_at = time.monotonic()
        try:
            self.client.register_plugin(SitePlugin(self._config, self._run_folder))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """The cluster itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop the workers that we started."""
        self.close()

    def close(self) -> None:
        """Stop the workers that we started; an existing cluster stays."""
        with contextlib.suppress(TimeoutError):
            self.client.close(timeout=10)
        if self._local:
            with contextlib.suppress(TimeoutError):
                self._local.close(timeout=10)

    @property
    def dashboard(self) -> str:
        """Where Dask's own pages are, if they are."""
        return str(self.client.dashboard_link or "")

    def submit(self, stage: str, study_instance_uid: str, work: Any, epoch: int) -> None:
        """Start one stage of one study."""
        key = task_key(stage, study_instance_uid, epoch)
        forget_keys()
        self._tasks[key] = (study_instance_uid, stage)
        future = self.client.submit(
            run_stage, stage, _pack(work), key, key=key, pure=False, retries=0, resources={STAGES[stage].resource: 1}
        )
        future.add_done_callback(self._finished.put)

    @property
    def in_flight(self) -> int:
        """Tasks submitted and not yet collected."""
        return len(self._tasks)

    def collect(self, timeout_s: float) -> list[Done]:
        """Every task that has finished; waits at most `timeout_s` for the first.

        When no worker is left and none comes back, ours are started again; their tasks are lost.

        Raises:
            LocalError: The workers of an existing cluster are gone, or ours do not start any more.
        """
        done: list[Done] = []
        with contextlib.suppress(queue.Empty):
            done += self._outcome(self._finished.get(timeout=timeout_s))
            while True:
                done += self._outcome(self._finished.get_nowait())
        return done or self._without_workers()

    def _without_workers(self) -> list[Done]:
        if not self._tasks or self.client.scheduler_info()["workers"]:
            self._alive_at = time.monotonic()
        if time.monotonic() - self._alive_at < self.no_worker_s:
            return []
        if self._scheduler:
            hint = "start workers, then run the same command again"
            raise LocalError("the cluster has no worker left", hint, scheduler=self._scheduler)
        log.warning("no worker is left: starting them again")
        lost, self._tasks = self._tasks, {}
        self.close()
        self._open()
        return [
            Done(study_instance_uid=study, stage=stage, key=key, error=WorkersGone())
            for key, (study, stage) in lost.items()
        ]

    def _outcome(self, future: Future[Any]) -> list[Done]:
        key = str(future.key)
        if key not in self._tasks:
            return []  # given up with the workers that ran it
        study, stage = self._tasks.pop(key)
        try:
            result = pickle.loads(future.result(timeout=30))  # noqa: S301 - packed by `run_stage`
        except Exception as error:  # noqa: BLE001 - whatever a worker raised is told to the engine
            return [Done(study_instance_uid=study, stage=stage, key=key, error=error)]
        finally:
            future.release()
        if isinstance(result, BaseException):
            return [Done(study_instance_uid=study, stage=stage, key=key, error=result)]
        return [Done(study_instance_uid=study, stage=stage, key=key, event=result)]


def _not_started(scheduler: str | None, error: Exception) -> LocalError:
    cause = type(error.__cause__ or error).__name__
    if scheduler:
        hint = "is the scheduler running, and is its address right?"
        return LocalError("the Dask cluster does not answer", hint, scheduler=scheduler, cause=cause)
    hint = "has this machine memory, processes and open files (ulimit -n) left? then run the same command again"
    return LocalError("the workers cannot be started", hint, cause=cause)
