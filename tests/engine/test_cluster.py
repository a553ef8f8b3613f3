"""The pool of workers: what it does when a worker dies, and what it refuses to start without."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from migrate.engine import work as assemble
from migrate.engine.cluster import Cluster, Done
from migrate.errors import LocalError
from migrate.journal.events import Checksummed, UploadStarted
from migrate.journal.states import State
from migrate.journal.store import Journal
from tests.engine.inline import run_inline
from tests.engine.migration import Migrate, Migration, migrations
from tests.engine.objects import many
from tests.peers.ports import free_port


@pytest.fixture
def migration(tmp_path: Path) -> Iterator[Migrate]:
    with migrations(tmp_path) as start:
        yield start


def kill_workers() -> None:
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "spawn_main" in " ".join(child.cmdline()):
                child.kill()


class Impatient(Cluster):
    """Starts workers again soon, for a test."""

    no_worker_s = 2.0


def collected(cluster: Cluster) -> Done:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        if found := cluster.collect(0.5):
            return found[0]
    raise AssertionError("the task did not end")


def port_taken(port: int) -> socket.socket:
    """Somebody else listens there as soon as the killed worker does not."""
    while True:
        try:
            return socket.create_server(("127.0.0.1", port))
        except OSError:
            time.sleep(0.01)


def normalized(one: Migration) -> None:
    """Bring the study to the point where it is sent."""
    assert run_inline(one.run, stages=("retrieve", "checksum", "normalize")) is None


@pytest.mark.slow
def test_an_upload_whose_result_died_with_its_worker_is_not_sent_a_second_time(migration: Migrate) -> None:
    one = migration(many(1))
    normalized(one)
    with Journal(one.run.folder) as journal, Cluster(one.run.config, str(one.run.folder)) as cluster:
        [study] = journal.ready(State.NORMALIZED, 1e12, 1)
        uid = study.study_instance_uid
        known = assemble.Known(assemble.listed(one.run.folder, [uid])[uid], "")
        work = assemble.staged(journal, study, known, 4)
        journal.append([UploadStarted(study_instance_uid=uid)])
        cluster.submit("upload", uid, work, 1)
        deadline = time.monotonic() + 20
        while len(one.stores()) < len(one.objects) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1)  # the result is known to the scheduler, and nobody has fetched it
        kill_workers()
        done = collected(cluster)
    assert one.sent() == one.once()
    assert done.error is None or done.worker_lost
    if done.error is None:
        assert {outcome.warning for outcome in done.event.outcomes} == {"held when asked"}


@pytest.mark.slow
def test_a_worker_that_cannot_open_its_place_of_work_again_stops_the_run_and_quarantines_nothing(
    migration: Migrate,
) -> None:
    one = migration(many(1))
    normalized(one)
    with Journal(one.run.folder) as journal, Cluster(one.run.config, str(one.run.folder)) as cluster:
        [study] = journal.ready(State.NORMALIZED, 1e12, 1)
        kill_workers()
        with port_taken(one.run.config.receiver.port):
            work = assemble.staged(journal, study, assemble.Known(), 4)
            cluster.submit("checksum", study.study_instance_uid, work, 1)
            done = collected(cluster)
    assert isinstance(done.error, LocalError)
    assert "port is in use" in str(done.error)


@pytest.mark.slow
def test_workers_that_are_killed_until_none_comes_back_are_started_again(migration: Migrate) -> None:
    one = migration(many(1))
    normalized(one)
    with Journal(one.run.folder) as journal, Impatient(one.run.config, str(one.run.folder)) as cluster:
        [study] = journal.ready(State.NORMALIZED, 1e12, 1)
        work = assemble.staged(journal, study, assemble.Known(), 4)
        deadline = time.monotonic() + 6
        while time.monotonic() < deadline:  # also while they start, where Dask gives up on them
            kill_workers()
            time.sleep(0.02)
        told = []
        for epoch in (1, 2, 3):
            cluster.submit("checksum", study.study_instance_uid, work, epoch)
            told.append(collected(cluster))
    assert all(done.worker_lost or done.event for done in told)
    assert told[-1].event == Checksummed(study_instance_uid=study.study_instance_uid)


def test_a_scheduler_that_is_not_there_is_an_error_with_what_to_look_at(migration: Migrate) -> None:
    one = migration(many(1))
    with pytest.raises(LocalError, match="does not answer"):
        Cluster(one.run.config, str(one.run.folder), f"tcp://127.0.0.1:{free_port()}")
