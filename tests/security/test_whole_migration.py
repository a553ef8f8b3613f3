"""A whole migration of real objects shows no patient, leaves nothing open, and listens where it was told to."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from migrate.demo.pacs import PeerOptions
from migrate.demo.process import started_peer
from tests.corpus import CorpusObject
from tests.engine.command import Command
from tests.engine.seeded import between, write_config
from tests.peers.ports import free_port
from tests.peers.process import listening_addresses
from tests.security.identities import ALLOWED, pattern_of, places, secrets, seen

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
STEPS = (
    ("crawl",),
    ("normalize", "--what-if"),
    ("plan",),
    ("run",),
    ("exceptions", "list"),
    ("reconcile",),
    ("report",),
    ("journal", "export"),
)


@dataclass
class Migrated:
    """A run folder after everything, what the commands said, and what was seen while `run` ran."""

    folder: Path
    secrets: set[str]
    codes: dict[str, int] = field(default_factory=dict)
    said: list[tuple[str, str]] = field(default_factory=list)
    titles: set[str] = field(default_factory=set)
    listening: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def migrated(corpus_index: list[CorpusObject], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Migrated]:
    place = tmp_path_factory.mktemp("identity")
    small = of_each_patient(corpus_index)
    (place / "LEGACY").mkdir()
    for number, one in enumerate(small):
        shutil.copy(one.path, place / "LEGACY" / f"{number}.dcm")
    receiver = free_port()
    here = {"MIGRATE": ("127.0.0.1", receiver)}
    with ExitStack() as stack:
        source, destination = (
            stack.enter_context(started_peer(PeerOptions(ae_title=name, folder=place / name, destinations=here)))
            for name in ("LEGACY", "DIR")
        )
        quick = {"limits": {"attempts": 2, "destination_associations": 2}, "destination": {"commitment_timeout_s": 5}}
        write_config(place / "run", between(source.port, destination.port, receiver), quick)
        done = Migrated(place / "run", secrets(small))
        for step in STEPS:
            _do(done, step)
        yield done


def of_each_patient(objects: list[CorpusObject]) -> list[CorpusObject]:
    """The smallest object of every patient."""
    found: dict[tuple[str, str], CorpusObject] = {}
    for one in sorted(objects, key=lambda one: one.path.stat().st_size):
        found.setdefault((one.row["patient_id"], one.row["patient_name"]), one)
    return list(found.values())


def _do(done: Migrated, step: tuple[str, ...]) -> None:
    name = " ".join(step)
    command = Command(done.folder, "-vv", *step)
    while step == ("run",) and command.process.poll() is None:
        _look(done, command.process.pid)
        command.wait_until(lambda: False, timeout_s=0.3)
    ended = command.end(timeout_s=110)
    assert ended.code in {0, 3, 4}, f"{name}: {ended.stderr[-2000:]}"
    done.codes[name] = ended.code
    done.said += [(f"{name}: stdout", ended.stdout), (f"{name}: stderr", ended.stderr)]


def _look(done: Migrated, pid: int) -> None:
    try:
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            done.titles |= {" ".join(one.cmdline()), one.name(), *one.environ().values()}
        done.listening |= listening_addresses(pid)
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return


def test_there_is_something_to_find(migrated: Migrated) -> None:
    assert len(migrated.secrets) > 100
    assert set(migrated.codes.values()) <= {0, 3, 4}
    tables = "".join(
        str(path.read_bytes()) for path in migrated.folder.rglob("*.parquet") if "identities" in path.parts
    )
    assert tables
    assert len(list((migrated.folder / "manifests" / "evidence").rglob("*.parquet"))) > 0


def test_no_command_prints_or_logs_a_patient(migrated: Migrated) -> None:
    assert seen(pattern_of(migrated.secrets), migrated.said) == {}


def test_no_file_but_the_two_tables_of_identities_holds_a_patient(migrated: Migrated) -> None:
    assert seen(pattern_of(migrated.secrets), places(migrated.folder)) == {}


def test_no_process_shows_a_patient_in_its_title_or_environment(migrated: Migrated) -> None:
    assert migrated.titles
    assert seen(pattern_of(migrated.secrets), (("title", title) for title in migrated.titles)) == {}


def test_a_run_listens_on_loopback_alone_when_nothing_else_is_configured(migrated: Migrated) -> None:
    assert migrated.listening
    assert migrated.listening <= {"127.0.0.1", "::1"}


def test_nothing_in_the_run_folder_is_for_others_to_read(migrated: Migrated) -> None:
    open_ = {
        str(path.relative_to(migrated.folder)): stat.filemode(path.stat().st_mode)
        for path in migrated.folder.rglob("*")
        if path.stat().st_mode & 0o077
    }
    assert open_ == {}


@pytest.mark.parametrize("table", ALLOWED[:2])
def test_the_search_finds_what_is_there(migrated: Migrated, table: str) -> None:
    """The negative control: without the exception the tables of identities are found."""
    folder = migrated.folder / table
    if not folder.exists():
        pytest.skip("no rule changed an identifying attribute")
    assert seen(pattern_of(migrated.secrets), places(folder)) != {}
