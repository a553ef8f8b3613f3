"""A whole group made durable with two calls: the same promises as file by file."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from migrate.errors import LocalError, StagingFull
from migrate.staging.area import TOGETHER_FROM, Landed, LandingArea, commit_together
from migrate.staging.filesystem import SYNCFS, Filesystem
from tests.peers import tools

NAMES = [f"{number:02x}" * 16 for number in range(TOGETHER_FROM + 1)]


@pytest.fixture
def area(tmp_path: Path) -> Iterator[LandingArea]:
    area = LandingArea(tmp_path / "staging")
    yield area
    area.close()


class Told:
    """Who heard what."""

    def __init__(self) -> None:
        self.words: dict[str, Exception | None] = {}

    def of(self, name: str) -> Callable[[Exception | None], None]:
        return lambda error: self.words.update({name: error})


def complete(area: LandingArea, told: Told) -> list[Landed]:
    group = []
    for name in NAMES:
        path, descriptor = area.create()
        os.write(descriptor, name.encode())
        os.close(descriptor)
        group.append(Landed(path, area.name_of(name), told.of(name)))
    return group


def left(area: LandingArea) -> list[Path]:
    return [path for path in area.root.rglob("*") if path.is_file()]


class Syncs:
    """A filesystem whose n-th sync fails; what it holds at each is remembered."""

    def __init__(self, area: LandingArea, fails_at: int, number: int = errno.EIO) -> None:
        self.area = area
        self.fails_at = fails_at
        self.number = number
        self.staged: list[int] = []

    def __call__(self) -> None:
        self.staged.append(len(list(self.area.staged())))
        if len(self.staged) == self.fails_at:
            raise OSError(self.number, os.strerror(self.number))


def test_files_are_synced_before_they_get_their_names_and_names_before_anybody_hears(area: LandingArea) -> None:
    told = Told()
    syncs = Syncs(area, fails_at=0)
    commit_together(complete(area, told), syncs)
    assert syncs.staged == [0, len(NAMES)]
    assert told.words == dict.fromkeys(NAMES)
    assert sorted(path.read_text() for path in area.staged()) == sorted(NAMES)


@pytest.mark.parametrize("fails_at", [1, 2])
@pytest.mark.parametrize(("number", "kind"), [(errno.EIO, LocalError), (errno.ENOSPC, StagingFull)])
def test_a_disk_that_cannot_sync_a_group_leaves_nothing_of_it_and_tells_each_owner(
    area: LandingArea, fails_at: int, number: int, kind: type[LocalError]
) -> None:
    told = Told()
    commit_together(complete(area, told), Syncs(area, fails_at, number))
    assert {type(error) for error in told.words.values()} == {kind}
    assert set(told.words) == set(NAMES)
    assert left(area) == []


def test_a_file_that_vanished_is_told_to_its_owner_and_the_rest_of_the_group_lands(area: LandingArea) -> None:
    told = Told()
    group = complete(area, told)
    Path(group[0].temporary).unlink()
    commit_together(group, Syncs(area, fails_at=0))
    assert isinstance(told.words.pop(NAMES[0]), LocalError)
    assert told.words == dict.fromkeys(NAMES[1:])
    assert sorted(path.stem for path in area.staged()) == sorted(NAMES[1:])


@pytest.mark.skipif(SYNCFS is None, reason="this kernel does not report errors of syncfs")
def test_a_real_filesystem_can_be_synced_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    Filesystem(tmp_path).sync()


LAND_MANY = """
import os, sys, threading
from pathlib import Path
from migrate.staging.area import Landed, LandingArea
area = LandingArea(Path(sys.argv[1]))
group, heard = [], threading.Semaphore(0)
def durable(error):
    os.write(1, b"durable %s" % str(error).encode())
    heard.release()
for number in range(64):
    path, descriptor = area.create()
    open(descriptor, "wb").write(b"x")
    group.append(Landed(path, area.name_of(f"{number:02x}" * 16), durable))
for item in group:
    area.land(item)
for item in group:
    heard.acquire()
area.close()
"""


@pytest.mark.skipif(SYNCFS is None, reason="this kernel does not report errors of syncfs")
def test_in_every_group_the_kernel_is_asked_to_sync_before_and_after_the_renames(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    calls = "trace=fsync,syncfs,rename,renameat,renameat2,write"
    command = [tools.program("strace"), "-f", "-y", "-e", calls, "-o", str(trace), sys.executable, "-c", LAND_MANY]
    done = subprocess.run([*command, str(tmp_path / "staging")], capture_output=True, text=True, check=False)
    if done.returncode and "ptrace" in done.stderr:
        pytest.skip("needs permission to trace a child process")
    assert done.returncode == 0, done.stderr
    order = "".join(_letter(line) for line in trace.read_text().splitlines())
    assert order.count("r") == order.count("d") == 64
    # Small groups go file by file: sync, rename, folder sync, word; large ones together.
    assert re.fullmatch(r"f*((fr)+f+d+|sr+sd+)+", order), order
    assert "sr" in order


def _letter(line: str) -> str:
    if " syncfs(" in line:
        return "s"
    if " fsync(" in line:
        return "f"
    if re.search(r" rename(at2?)?\(.*= 0$", line):
        return "r"
    return "d" if '"durable None' in line else ""
