"""The workers of one machine: how Dask is told to be a pool and nothing else."""

from __future__ import annotations

import contextlib
import logging
import signal
from collections.abc import Iterator
from multiprocessing import resource_tracker

import dask
from dask.utils import key_split
from distributed import LocalCluster

from migrate.config import Config

LOG_LENGTH = 8
MOST_KEYS = 1_000


def forget_keys() -> None:
    """Dask remembers how it split the names of the last 100,000 tasks; ours never come again."""
    if key_split.cache_info().currsize > MOST_KEYS:
        key_split.cache_clear()


def configure() -> None:
    """Dask's settings for this process: nothing is stolen, spilt, shown or run again of its own accord."""
    dask.config.set(
        {
            "distributed.scheduler.allowed-failures": 0,
            "distributed.scheduler.work-stealing": False,
            "distributed.worker.memory.terminate": False,
            "distributed.worker.memory.pause": False,
            "distributed.worker.memory.spill": False,
            "distributed.worker.memory.target": False,
            "distributed.admin.tick.limit": "60s",
            # A tenth of our time goes into looking at ourselves a hundred times a second.
            "distributed.worker.profile.enabled": False,
            "distributed.admin.system-monitor.interval": "10s",
            # Three processes that wake up fifty times a second to see whether they do.
            "distributed.admin.tick.interval": "1s",
            "distributed.scheduler.active-memory-manager.start": False,
            "distributed.admin.system-monitor.gil.enabled": False,
            # Its logs for developers keep the last 1,000 messages, whole studies of evidence among them.
            "distributed.admin.low-level-log-length": LOG_LENGTH,
            "distributed.admin.log-length": LOG_LENGTH,
            "distributed.admin.system-monitor.log-length": LOG_LENGTH,
            "distributed.diagnostics.computations.max-history": 0,
            "distributed.diagnostics.erred-tasks.max-history": 0,
            # Its pages would show every local user which studies are moved.
            "distributed.scheduler.http.routes": [],
            "distributed.worker.http.routes": [],
        }
    )
    for name in ("distributed", "tornado"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def local_cluster(config: Config) -> LocalCluster:
    """One worker process for each receiving AE title; the limits are divided among them."""
    workers = len(config.receiver.ae_titles)
    source = max(1, config.limits.source_associations // workers)
    destination = max(1, config.limits.destination_associations // workers)
    with _signals_for_us_alone():
        return LocalCluster(
            n_workers=workers,
            threads_per_worker=source + destination + 2,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            # Without extensions: one of them, spans, remembers every group of tasks for ever.
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0", "extensions": {}},
            extensions={},
            memory_limit=0,
            resources={"source": source, "destination": destination, "cpu": 2},
            silence_logs=logging.CRITICAL,
        )


@contextlib.contextmanager
def _signals_for_us_alone() -> Iterator[None]:
    """A terminal sends Ctrl-C to the workers too, which must finish what is in flight.

    Whatever starts inside inherits a mask without it: Dask's own thread, and every worker that this thread
    will ever start.
    """
    resource_tracker.ensure_running()  # when it starts later, it unblocks the signal in the thread that starts workers
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
