"""Kill any process at any moment: the same command reaches the same end, byte for byte, and nothing twice."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter

import psutil
import pytest

from migrate.journal import read
from tests.engine.command import Command, migrate
from tests.engine.migration import Migrate, Migration
from tests.engine.objects import many

KILLS = 10
SLOW_SOURCE = {"move": {"slow_objects_s": 0.05}}
PATIENT = {"limits": {"attempts": 30, "backoff_s": 0.05}}


def events(one: Migration) -> int:
    return sum(1 for _ in read.events(one.run.folder))


def stores_of_verified_studies(one: Migration) -> Counter[str]:
    """How often each instance of the studies that the journal calls verified was stored so far."""
    verified = {row["study_instance_uid"] for row in read.study_states(one.run.folder) if row["state"] == "VERIFIED"}
    proven = {each.sop_instance_uid for each in one.objects if each.study_instance_uid in verified}
    return Counter(uid for uid, _ in one.stores() if uid in proven)


def assert_same_end(one: Migration) -> None:
    assert read.states(one.run.folder) == {"VERIFIED": len({each.study_instance_uid for each in one.objects})}
    assert read.first_broken_link(one.run.folder) is None
    assert one.held() == one.expected()
    assert one.run.staged_files() == []
    for table in ("evidence", "uploads", "verification"):
        rows = [row["sop_instance_uid"] for row in one.run.rows(table)]
        assert rows == sorted(one.expected()), table


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_an_engine_killed_at_ten_moments_ends_as_if_it_had_not_been(migration: Migrate) -> None:
    chance = random.Random(7)
    one = migration(many(24, instances=2), PATIENT, legacy=SLOW_SOURCE, processes=True)
    proven: Counter[str] = Counter()
    for number in range(KILLS):
        before = events(one)
        command = Command(one.run.folder, "run")
        if number % 5 == 4:  # while it starts, or recovers from the kill before
            time.sleep(chance.uniform(0.3, 2.0))
        else:
            command.wait_until(lambda: events(one) > before)  # noqa: B023 - called at once
            time.sleep(chance.uniform(0, 0.3))
        assert command.process.poll() is None, command.stderr()
        command.kill()
        proven = stores_of_verified_studies(one)
    assert migrate(one.run.folder, "run").code == 0
    assert_same_end(one)
    stores = Counter(uid for uid, _ in one.stores())
    assert {uid: stores[uid] for uid in proven} == proven
    # Half-sent studies are asked about first: nothing at all went out twice.
    assert stores == one.once()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_workers_killed_at_ten_moments_of_one_run_cost_time_and_nothing_else(migration: Migrate) -> None:
    chance = random.Random(11)
    one = migration(many(24, instances=2), PATIENT, legacy={"move": {"slow_objects_s": 0.1}}, processes=True)
    command = Command(one.run.folder, "run")
    kills = 0
    while kills < KILLS:
        before = events(one)
        if not command.wait_until(lambda: events(one) > before):  # noqa: B023 - called at once
            break
        time.sleep(chance.uniform(0, 0.3))
        for worker in command.workers():
            try:
                worker.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
            kills += 1
    ended = command.end(200)
    assert ended.code == 0, ended.stderr
    # A quick machine is done before the tenth moment comes; what matters is that some came.
    assert kills
    assert_same_end(one)
    assert Counter(uid for uid, _ in one.stores()) == one.once()
