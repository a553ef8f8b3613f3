"""Each thing that can be wrong around a run gives its error form and its exit code, and the run folder stays usable."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrate.errors import MigrateError
from migrate.journal import read
from migrate.manifest.place import Manifests
from tests.engine.command import Command, Ended, migrate
from tests.engine.inline import run_inline
from tests.engine.migration import Migrate, Migration
from tests.engine.objects import make_studies, many
from tests.engine.seeded import SOURCE, SeededRun, between, seeded, write_config
from tests.peers import tools
from tests.peers.disk import small_disk_mounted
from tests.peers.ports import free_port
from tests.peers.process import accepts_connections, listening_addresses


def assert_stopped(error: MigrateError | None, code: int, *words: str) -> None:
    assert error is not None
    assert error.exit_code == code
    assert error.hint
    for word in words:
        assert word in f"{error}\n{error.hint}"


def assert_error(ended: Ended, code: int, *words: str) -> None:
    assert ended.code == code, ended.stderr
    lines = ended.stderr.splitlines()
    assert [line for line in lines if line.startswith("error: ")], ended.stderr
    assert [line for line in lines if line.startswith("hint: ")], ended.stderr
    assert "Traceback" not in ended.stderr
    for word in words:
        assert word in ended.stderr


def assert_goes_on(one: Migration) -> None:
    """The run folder is usable: the same run reaches the end."""
    assert run_inline(one.run) is None
    assert set(read.states(one.run.folder)) == {"VERIFIED"}
    assert one.held() == one.expected()
    assert one.run.staged_files() == []


@pytest.fixture
def lonely_run(tmp_path: Path) -> SeededRun:
    """A planned run of which neither peer is there."""
    objects = make_studies(tmp_path / "objects", many(1))
    quick = {"limits": {"attempts": 2, "backoff_s": 0.05}}
    return seeded(tmp_path / "run", objects, between(free_port(), free_port()), quick)


def test_a_second_engine_on_the_run_folder_is_refused_and_the_first_goes_on(migration: Migrate) -> None:
    one = migration(many(6), legacy={"move": {"slow_objects_s": 0.1}})
    first = Command(one.run.folder, "run")
    assert first.wait_until(lambda: bool(read.states(one.run.folder).get("RETRIEVED", 0) or first.workers()))
    first.process.send_signal(signal.SIGSTOP)  # it shall not end before the second has looked
    try:
        assert_error(migrate(one.run.folder, "run"), 31, "another engine works on this run folder", "pid ")
    finally:
        first.process.send_signal(signal.SIGCONT)
    assert first.end().code == 0
    assert one.held() == one.expected()


def test_a_receiver_port_in_use_is_told_with_what_to_do(migration: Migrate) -> None:
    one = migration(many(1))
    with socket.create_server(("127.0.0.1", one.run.config.receiver.port)):
        assert_error(migrate(one.run.folder, "run"), 50, "port is in use", "receiver.port")
    assert_goes_on(one)


@pytest.mark.parametrize("descriptors", [12, 32])
def test_a_run_without_descriptors_says_so_and_goes_on_when_it_has_some(migration: Migrate, descriptors: int) -> None:
    one = migration(many(2))
    limited = Command(one.run.folder, "run", under=[tools.program("prlimit"), f"--nofile={descriptors}"])
    ended = limited.end()
    if descriptors == 12 or ended.code:  # the others may do
        assert_error(ended, 50, "open files")
    assert_goes_on(one)


def test_a_peer_that_is_not_there_ends_the_attempts_in_bounded_time(lonely_run: SeededRun) -> None:
    began = time.monotonic()
    assert run_inline(lonely_run) is None
    assert time.monotonic() - began < 20
    assert read.states(lonely_run.folder) == {"QUARANTINED": 1}
    assert {row["exception_class"] for row in read.exceptions(lonely_run.folder)} == {"PEER_UNAVAILABLE"}


def test_with_many_studies_a_peer_that_is_not_there_stops_the_run(tmp_path: Path) -> None:
    objects = make_studies(tmp_path / "objects", many(10, instances=1))
    run = seeded(tmp_path / "run", objects, between(free_port(), free_port()))
    assert_stopped(run_inline(run), 41, "the source failed")
    assert "QUARANTINED" not in read.states(run.folder)


def test_an_ae_title_that_the_source_does_not_know_stops_the_run_with_what_to_register(migration: Migrate) -> None:
    one = migration(many(2), {"source": {"retrieve": "c-move"}}, registered=False)
    assert_stopped(run_inline(one.run), 42, "C-MOVE refused", "MIGRATE 127.0.0.1:")
    assert read.states(one.run.folder) == {"PLANNED": 2}
    one.embedded_legacy.add_destination("MIGRATE", "127.0.0.1", one.run.config.receiver.port)
    assert_goes_on(one)


def test_an_ae_title_that_the_peer_rejects_stops_the_run(migration: Migrate) -> None:
    one = migration(many(1))
    nobody = write_config(one.run.folder, between(one.legacy.port, one.dir.port), {"source": {"ae_title": "NOBODY"}})
    assert_stopped(run_inline(SeededRun(folder=one.run.folder, config=nobody)), 42, "no such AE", "NOBODY")
    assert read.states(one.run.folder) == {"PLANNED": 1}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_who_asks_to_stop_gets_what_is_in_flight_finished_and_130(migration: Migrate, number: signal.Signals) -> None:
    one = migration(many(8), legacy={"move": {"slow_objects_s": 0.15}})
    command = Command(one.run.folder, "run")
    assert command.wait_until(lambda: "Retrieved" in {event["kind"] for event in read.events(one.run.folder)})
    if number is signal.SIGINT:
        command.interrupt()  # a terminal sends Ctrl-C to the workers as well
    else:
        command.process.send_signal(number)
    ended = command.end()
    assert_error(ended, 130, "run the same command again")
    states = read.states(one.run.folder)
    assert 0 < states["PLANNED"] < 8
    assert not any("worker died" in str(event["payload"]) for event in read.events(one.run.folder))
    assert_goes_on(one)
    assert one.sent() == one.once()


def test_a_second_ctrl_c_aborts_and_the_next_run_repairs(migration: Migrate) -> None:
    one = migration(many(4), legacy={"move": {"slow_objects_s": 1.0}})
    command = Command(one.run.folder, "run")
    assert command.wait_until(lambda: bool(one.run.staged_files()))  # a study is in flight, and takes seconds more
    command.interrupt()
    assert command.wait_until(lambda: "again to abort" in command.stderr())
    command.interrupt()
    ended = command.end(30)
    assert ended.code == 130
    assert "Traceback" not in ended.stderr
    assert read.first_broken_link(one.run.folder) is None


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk_mounted(tmp_path / "small-disk", "3m") as folder:
        yield folder


@pytest.mark.root
def test_a_full_staging_disk_stops_the_run_and_the_same_command_goes_on_after_room_was_made(
    migration: Migrate, small_disk: Path
) -> None:
    staging = {"path": str(small_disk), "reserve_gb": 0.0015}
    one = migration(many(6), {"staging": staging}, legacy={"move": {"slow_objects_s": 0.3}})
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1_350_000))
    assert_stopped(run_inline(one.run), 51, "the staging disk is full", "free space")
    assert all(path.stat().st_size for path in one.run.staged_files())
    assert "QUARANTINED" not in read.states(one.run.folder)
    ballast.unlink()
    assert_goes_on(one)


@pytest.mark.root
def test_a_staging_disk_below_its_reserve_is_told_before_anything_is_asked_for(
    migration: Migrate, small_disk: Path
) -> None:
    one = migration(many(1), {"staging": {"path": str(small_disk), "reserve_gb": 1}})
    assert_error(migrate(one.run.folder, "run"), 51, "the staging disk is full")
    assert read.states(one.run.folder) == {"PLANNED": 1}


@pytest.mark.root
def test_a_read_only_staging_disk_is_told(migration: Migrate, small_disk: Path) -> None:
    one = migration(many(1), {"staging": {"path": str(small_disk / "staging"), "reserve_gb": 0}})
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert_error(migrate(one.run.folder, "run"), 50, "the staging disk refuses")
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert_goes_on(one)


def test_a_corrupt_manifest_is_named_and_nothing_is_moved(migration: Migrate) -> None:
    one = migration(many(2))
    [part] = Manifests(one.run.folder, SOURCE).table_folder("instances").glob("*.parquet")
    whole = part.read_bytes()
    part.write_bytes(whole[: len(whole) // 2])
    assert_stopped(run_inline(one.run), 50, part.name)
    assert one.held() == {}
    part.write_bytes(whole)
    assert_goes_on(one)


def test_a_journal_of_a_newer_version_is_left_alone(migration: Migrate) -> None:
    one = migration(many(1))
    journal = one.run.folder / "journal.sqlite"
    newer = bytearray(journal.read_bytes())
    newer[60:64] = (99).to_bytes(4, "big")  # user_version, SQLite file format 1.3
    journal.write_bytes(newer)
    for command in ("run", "status"):
        assert_error(migrate(one.run.folder, command), 33, "newer version")
    assert journal.read_bytes()[60:64] == bytes(newer[60:64])


@pytest.mark.parametrize("command", ["run", "status", "exceptions"])
def test_a_journal_that_is_none_is_an_error_of_ours_for_every_command(migration: Migrate, command: str) -> None:
    one = migration(many(1))
    for path in one.run.folder.glob("journal.sqlite-*"):
        path.unlink()
    (one.run.folder / "journal.sqlite").write_bytes(b"no journal " * 1000)
    arguments = (command, "list") if command == "exceptions" else (command,)
    assert_error(migrate(one.run.folder, *arguments), 30, "journal")


def test_a_worker_that_loses_its_staging_folder_fetches_again(migration: Migrate) -> None:
    one = migration(many(3))
    assert run_inline(one.run, stages=("retrieve",)) is None
    shutil.rmtree(one.run.staging)
    assert_goes_on(one)


def test_no_one_but_this_machine_can_reach_what_listens(migration: Migrate) -> None:
    one = migration(many(4), legacy={"move": {"slow_objects_s": 0.2}})
    command = Command(one.run.folder, "run")
    assert command.wait_until(lambda: accepts_connections(one.run.config.receiver.port))
    assert listening_addresses(command.process.pid) == {"127.0.0.1"}
    assert command.end().code == 0
