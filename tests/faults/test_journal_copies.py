"""A journal can be checked, copied, exported and made again while nothing that was verified is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from migrate.engine.planning import make_plan
from migrate.engine.rebuilding import rebuild_journal
from migrate.errors import JournalError, JournalLocked, LocalError
from migrate.journal import events as e
from migrate.journal import read
from migrate.journal.backup import backup
from migrate.journal.check import check
from migrate.journal.opening import FILE_NAME
from migrate.journal.store import Journal
from tests.engine.command import migrate
from tests.engine.events import straight
from tests.engine.inline import run_inline
from tests.engine.migration import Migrate, Migration, migrations
from tests.engine.objects import CANARY_BIRTH_DATE, CANARY_ID, CANARY_NAME, many


@pytest.fixture
def migration(tmp_path: Path) -> Iterator[Migrate]:
    with migrations(tmp_path) as start:
        yield start


def damage(path: Path) -> None:
    """A page of zeros in the middle."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 8192 * 4096)
        file.write(bytes(4096))


def lose(path: Path) -> None:
    path.unlink()


def keep(path: Path) -> None:
    """Rebuilding a sound journal does no harm."""


def test_a_backup_of_a_journal_at_work_is_sound_and_holds_what_was_durable(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append(straight("1.1"))
        size_bytes = backup(tmp_path, tmp_path / "b.sqlite")
        journal.append(straight("1.2"))
    copy = tmp_path / "b.sqlite"
    assert (check(copy).studies, check(copy).sound) == (1, True)
    assert copy.stat().st_size == size_bytes
    assert copy.stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob("*.part*"))


def test_a_backup_overwrites_nothing_and_a_damaged_journal_gives_none(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append(event for n in range(200) for event in straight(f"1.{n}"))
    (tmp_path / "old").touch()
    with pytest.raises(LocalError):
        backup(tmp_path, tmp_path / "old")
    damage(tmp_path / FILE_NAME)
    with pytest.raises(JournalError):
        backup(tmp_path, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def finished(migration: Migrate) -> Migration:
    """Two studies verified, one in quarantine, one not begun."""
    one = migration(many(4), {"limits": {"attempts": 1}}, legacy={"move": {"success_nothing_sent_for": [_uid(3)]}})
    wanted = frozenset(_uid(n) for n in (1, 2, 3))
    assert run_inline(one.run, only=wanted) is None
    assert read.states(one.run.folder) == {"VERIFIED": 2, "QUARANTINED": 1, "PLANNED": 1}
    return one


def _uid(number: int) -> str:
    return many(number)[-1].study_instance_uid


@pytest.mark.parametrize("harm", [damage, lose, keep])
def test_a_rebuilt_journal_holds_what_was_verified_and_the_rest_goes_round_again_without_a_second_copy(
    migration: Migrate, harm: Callable[[Path], None]
) -> None:
    one = finished(migration)
    path = one.run.folder / FILE_NAME
    harm(path)
    done = rebuild_journal(one.run.folder)
    assert (done.verified, done.found) == (2, 2)
    assert read.states(one.run.folder) == {"VERIFIED": 2, "FOUND": 2}
    assert check(path).sound
    assert (done.kept is not None and done.kept.exists()) == (harm is not lose)
    with Journal(one.run.folder) as journal:
        make_plan(journal, one.run.folder, one.run.config)
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": 3, "QUARANTINED": 1}
    assert (one.sent().total(), len(one.sent())) == (9, 9)


def test_what_was_found_to_differ_is_not_verified_by_a_rebuild(migration: Migrate) -> None:
    one = migration(many(2), {"limits": {"attempts": 1}}, dir_={"store": {"flip_bit_every": 5}})
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": 1, "QUARANTINED": 1}
    rebuild_journal(one.run.folder)
    assert read.states(one.run.folder) == {"VERIFIED": 1, "FOUND": 1}


def test_decisions_about_exceptions_are_saved_from_the_old_journal(migration: Migrate) -> None:
    one = finished(migration)
    with Journal(one.run.folder) as journal:
        journal.append([e.Waived(study_instance_uid=_uid(3), by="Dr. A", reason="never came")])
    before = list(read.exceptions(one.run.folder))
    assert rebuild_journal(one.run.folder).salvaged == len(before) > 0
    assert list(read.exceptions(one.run.folder)) == before


def test_what_a_rebuild_did_not_prove_is_asked_about_before_it_is_sent(migration: Migrate) -> None:
    one = migration(many(1))
    assert run_inline(one.run) is None
    for table in ("verification", "uploads"):
        shutil.rmtree(one.run.folder / "manifests" / table)
    rebuild_journal(one.run.folder)
    with Journal(one.run.folder) as journal:
        make_plan(journal, one.run.folder, one.run.config)
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": 1}
    assert one.sent().total() == 3
    assert {row["warning"] for row in one.run.rows("uploads")} == {"held when asked"}


def test_nobody_rebuilds_under_an_engine_at_work(migration: Migrate) -> None:
    one = migration(many(1))
    with Journal(one.run.folder), pytest.raises(JournalLocked):
        rebuild_journal(one.run.folder)


KILLED_AT_EVERY_STEP = """
import os, shutil, signal, sys
from pathlib import Path
from migrate.engine.rebuilding import rebuild_journal
STEPS = {"os.rename", "os.link", "os.remove", "shutil.rmtree", "os.mkdir", "sqlite3.connect"}
def killed(folder, step):
    calls = iter(range(1, 1000))
    def trace(event, arguments):
        if event in STEPS and next(calls) == step:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(trace)
    rebuild_journal(folder)
step = status = 1
while status:
    folder = Path(shutil.copytree(sys.argv[1], f"{sys.argv[2]}-{step}"))
    child = os.fork()
    if not child:
        killed(folder, step)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    step += 1
"""


def test_a_rebuild_that_is_killed_at_any_step_is_run_again_and_ends_the_same(
    migration: Migrate, tmp_path: Path
) -> None:
    one = finished(migration)
    command = [sys.executable, "-c", KILLED_AT_EVERY_STEP, str(one.run.folder), str(tmp_path / "killed")]
    subprocess.run(command, check=True, timeout=60)
    killed = list(tmp_path.glob("killed-*"))
    assert len(killed) > 8
    for folder in killed:
        rebuild_journal(folder)
        assert read.states(folder) == {"VERIFIED": 2, "FOUND": 2}
        Journal(folder).close()


def test_the_command_checks_backs_up_exports_and_rebuilds(migration: Migrate) -> None:
    one = finished(migration)
    folder = one.run.folder
    assert migrate(folder, "--json", "journal", "check").json["sound"] is True
    copy = folder / "copy.sqlite"
    assert migrate(folder, "journal", "backup", str(copy)).code == 0
    assert "sound" in migrate(folder, "journal", "check", str(copy)).stdout
    told = migrate(folder, "journal", "export").stdout
    assert [json.loads(line)["kind"] for line in told.splitlines()][:1] == ["Found"]
    assert not any(secret in told for secret in (CANARY_NAME, CANARY_ID, CANARY_BIRTH_DATE))
    damage(folder / FILE_NAME)
    refused = migrate(folder, "journal", "check")
    assert (refused.code, "journal rebuild" in refused.stderr) == (30, True)
    assert migrate(folder, "--json", "journal", "rebuild").json["verified"] == 2
    assert migrate(folder, "journal", "check").code == 0


def test_a_missing_journal_is_told(tmp_path: Path) -> None:
    (tmp_path / "migration.toml").write_text('[run]\nname = "a"\nsource = "A"\n')
    assert migrate(tmp_path, "journal", "check").code == 30
    assert migrate(tmp_path, "journal", "backup", os.devnull).code == 30
