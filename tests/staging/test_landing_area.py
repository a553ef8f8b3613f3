"""Files land whole or not at all, under the name of their content, and say so only when they are durable."""

from __future__ import annotations

import errno
import os
import re
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrate.errors import LocalError, StagingFull
from migrate.staging.area import GROUP_OBJECTS, Landed, LandingArea, commit, refused
from tests.peers import tools
from tests.peers.disk import fill

NAME = "0123456789abcdef0123456789abcdef"


def half_written(area: LandingArea, content: bytes = b"content") -> Path:
    path, descriptor = area.create()
    os.write(descriptor, content)
    os.close(descriptor)
    return Path(path)


def land(area: LandingArea, wire_xxh3: str = NAME, content: bytes = b"content") -> Exception | None:
    """Land one file and wait until it is durable: the error, or None."""
    told: list[Exception | None] = []
    heard = threading.Event()

    def durable(error: Exception | None) -> None:
        told.append(error)
        heard.set()

    area.land(Landed(str(half_written(area, content)), area.name_of(wire_xxh3), durable), at_once=True)
    assert heard.wait(10)
    return told[0]


@given(st.binary(min_size=16, max_size=16).map(bytes.hex))
def test_a_name_is_made_of_the_digest_alone(digest: str) -> None:
    area = LandingArea.__new__(LandingArea)
    area.root = Path("/staging")
    assert str(area.path_of(digest)) == f"/staging/{digest[:2]}/{digest[2:4]}/{digest}.dcm"


def test_a_landed_file_lies_under_its_name_with_nothing_left_in_tmp(area: LandingArea) -> None:
    assert land(area) is None
    assert area.path_of(NAME).read_bytes() == b"content"
    assert list((area.root / "tmp").iterdir()) == []
    assert list(area.staged()) == [area.path_of(NAME)]


def test_files_and_folders_are_for_their_owner_alone(area: LandingArea) -> None:
    land(area)
    half_written(area)
    modes = {stat.S_IMODE(p.stat().st_mode) for p in area.root.rglob("*") if p.is_file()}
    folders = {stat.S_IMODE(p.stat().st_mode) for p in (area.root, *area.root.rglob("*")) if p.is_dir()}
    assert (modes, folders) == ({0o600}, {0o700})


def test_the_same_content_twice_is_one_file(area: LandingArea) -> None:
    assert [land(area), land(area)] == [None, None]
    assert len(list(area.staged())) == 1


def test_what_waits_when_the_area_is_closed_is_made_durable_first(tmp_path: Path) -> None:
    area = LandingArea(tmp_path / "staging")
    told: list[Exception | None] = []
    names = [f"{number:032x}" for number in range(GROUP_OBJECTS * 2 + 5)]
    for name in names:
        area.land(Landed(str(half_written(area)), area.name_of(name), told.append))
    area.close()
    assert told == [None] * len(names)
    assert sorted(path.stem for path in area.staged()) == names


def test_a_closed_area_lands_again(area: LandingArea) -> None:
    area.close()
    assert land(area) is None


def test_a_file_that_vanished_is_told_to_its_owner_and_the_rest_of_the_group_lands(area: LandingArea) -> None:
    told: dict[str, Exception | None] = {}
    group = []
    for name in (NAME, "ff" * 16):
        path = half_written(area)
        group.append(Landed(str(path), area.name_of(name), lambda error, name=name: told.update({name: error})))  # type: ignore[misc]
    Path(group[0].temporary).unlink()
    commit(group)
    assert isinstance(told[NAME], LocalError)
    assert told["ff" * 16] is None
    assert not area.path_of(NAME).exists()


def test_forgetting_what_is_not_there_is_no_error(area: LandingArea) -> None:
    land(area)
    area.remove([NAME, "ff" * 16])
    assert list(area.staged()) == []


def test_half_written_files_of_a_killed_process_are_swept_away_and_landed_ones_stay(area: LandingArea) -> None:
    land(area)
    half_written(area)
    area.sweep()
    assert list((area.root / "tmp").iterdir()) == []
    assert area.path_of(NAME).exists()


def test_an_object_set_aside_is_kept_and_does_not_count_as_staged(area: LandingArea) -> None:
    area.set_aside(str(half_written(area)), NAME)
    assert (area.root / "quarantine" / f"{NAME}.dcm").read_bytes() == b"content"
    assert list(area.staged()) == []


def test_nothing_more_is_begun_when_the_reserve_would_be_touched(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path)
    area = LandingArea(tmp_path / "staging", reserve_bytes=free.f_blocks * free.f_frsize)
    with pytest.raises(StagingFull) as caught:
        area.create()
    assert caught.value.exit_code == 51
    assert "reserve_gb" in caught.value.hint


ERRNOS = [
    (errno.ENOSPC, StagingFull),
    (errno.EDQUOT, StagingFull),
    (errno.EROFS, LocalError),
    (errno.EIO, LocalError),
    (errno.EACCES, LocalError),
]


@pytest.mark.parametrize(("number", "kind"), ERRNOS, ids=str)
def test_what_the_disk_says_becomes_an_error_of_ours(tmp_path: Path, number: int, kind: type[LocalError]) -> None:
    assert type(refused(tmp_path, OSError(number, os.strerror(number)))) is kind


def test_a_staging_path_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "staging").write_text("a file")
    with pytest.raises(LocalError):
        LandingArea(tmp_path / "staging")


@pytest.mark.root
def test_a_read_only_disk_is_told_by_everything_that_would_write(small_disk: Path) -> None:
    area = LandingArea(small_disk / "staging")
    half_written(area)
    land(area)
    area.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for attempt in (area.create, area.sweep, lambda: area.remove([NAME]), lambda: LandingArea(small_disk / "other")):
        with pytest.raises(LocalError) as caught:
            attempt()
        assert caught.value.exit_code == 50


@pytest.mark.root
def test_a_full_disk_leaves_nothing_under_a_final_name_and_lands_again_when_there_is_room(small_disk: Path) -> None:
    area = LandingArea(small_disk / "staging")
    path = half_written(area)
    ballast = small_disk / "ballast"
    fill(ballast)
    told: list[Exception | None] = []
    landed = Landed(str(path), area.name_of(NAME), told.append)
    commit([landed])
    assert isinstance(told[0], StagingFull) or told[0] is None
    assert all(file.stat().st_size for file in area.staged())
    ballast.unlink()
    assert land(area) is None
    area.close()


LAND_TWO = """
import os, sys
from pathlib import Path
from migrate.staging.area import Landed, LandingArea, commit
area = LandingArea(Path(sys.argv[1]))
group = []
for name in ("aa" * 16, "ab" * 16):
    path, descriptor = area.create()
    open(descriptor, "wb").write(b"x")
    group.append(Landed(path, area.name_of(name), lambda error: os.write(1, b"durable %s" % str(error).encode())))
os.write(1, b"begin")
commit(group)
"""


def test_the_order_is_file_sync_rename_folder_sync_and_only_then_the_word(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    calls = "trace=openat,fsync,rename,renameat,renameat2,write"
    command = [tools.program("strace"), "-f", "-y", "-e", calls, "-o", str(trace), sys.executable, "-c", LAND_TWO]
    done = subprocess.run([*command, str(tmp_path / "staging")], capture_output=True, text=True, check=False)
    if done.returncode and "ptrace" in done.stderr:
        pytest.skip("needs permission to trace a child process")
    assert done.returncode == 0, done.stderr
    lines = trace.read_text().splitlines()
    begin = next(number for number, line in enumerate(lines) if '"begin' in line)
    order = [kind for line in lines[begin:] if (kind := _kind(line))]
    last_rename = len(order) - 1 - order[::-1].index("rename")
    told = [number for number, kind in enumerate(order) if kind == "told"]
    assert len(told) == 2
    assert {"folder"} == set(order[last_rename + 1 : told[0]])
    assert order.count("file") == order.count("rename") == 2
    for number, kind in enumerate(order):
        if kind == "rename":
            assert order[:number].count("file") > order[:number].count("rename")


def _kind(line: str) -> str:
    if re.search(r"fsync\(\d+<.*/tmp/[0-9a-f]{32}>", line):
        return "file"
    if "fsync(" in line:
        return "folder"
    if re.search(r"rename(at2?)?\(", line):
        return "rename"
    return "told" if '"durable None' in line else ""


def test_work_is_begun_for_the_first_time_once_until_it_is_forgotten_or_swept(area: LandingArea) -> None:
    assert [area.first_time("upload-1.2-7") for _ in range(3)] == [True, False, False]
    assert area.first_time("upload-1.2-8")
    area.forget("upload-1.2-7")
    assert area.first_time("upload-1.2-7")
    area.sweep()
    assert area.first_time("upload-1.2-8")
    assert "1.2" not in "".join(path.name for path in area.root.rglob("*"))


class RefusingFolders(LandingArea):
    """A disk that takes files and does not promise their names (EIO on the folder's fsync)."""

    def sync_folder(self, folder: Path | str) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_file_whose_name_is_not_durable_is_told_as_refused_and_the_area_goes_on(tmp_path: Path) -> None:
    area = RefusingFolders(tmp_path / "staging")
    errors = [land(area), land(area, "ff" * 16)]
    assert [type(error) for error in errors] == [LocalError, LocalError]
    assert list(area.staged()) == []
    area.close()
