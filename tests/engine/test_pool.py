"""Dask as a pool: what has been done leaves nothing behind, so that memory does not grow with the archive."""

from __future__ import annotations

import gc
from pathlib import Path

from dask.utils import key_split
from distributed import Client
from distributed.scheduler import TaskGroup, TaskState

from migrate.engine.local import LOG_LENGTH, MOST_KEYS, configure, forget_keys, local_cluster
from tests.engine.seeded import between, write_config

TASKS = 3 * LOG_LENGTH


def test_tasks_that_are_done_leave_nothing_in_the_scheduler(tmp_path: Path) -> None:
    config = write_config(tmp_path, between(1, 2, 3))
    configure()
    with local_cluster(config) as cluster, Client(cluster, set_as_default=False) as client:
        futures = [client.submit(len, str(n), key=f"nothing-1.2.{n}-{n}", pure=False) for n in range(TASKS)]
        assert client.gather(futures) == [len(str(n)) for n in range(TASKS)]
        for future in futures:
            future.release()
        client.run_on_scheduler(lambda: None)  # what was released before has been heard of
        scheduler = cluster.scheduler
        gc.collect()
        tasks = [one.key for one in gc.get_objects() if isinstance(one, TaskState)]
        groups = [one.name for one in gc.get_objects() if isinstance(one, TaskGroup)]
        assert not [name for name in (*tasks, *groups) if str(name).startswith("nothing")]
        logs = [
            comm.recent_message_log for comm in (*scheduler.stream_comms.values(), *scheduler.client_comms.values())
        ]
        assert logs
        assert all(len(log) <= LOG_LENGTH for log in (*logs, scheduler.transition_log))


def test_names_of_tasks_are_not_remembered_for_ever() -> None:
    key_split.cache_clear()
    for number in range(3 * MOST_KEYS):
        forget_keys()
        key_split(f"retrieve-1.2.{number}-{number}")
    assert key_split.cache_info().currsize <= MOST_KEYS + 1
