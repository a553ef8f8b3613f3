"""The disk of the run folder fills while the books are compared or a report is written: a sentence, nothing lost."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.ledger import write_run
from tests.cli.inline import Said, say
from tests.peers.disk import small_disk_mounted
from tests.report.example import build_run

ENOUGH_FOR_RANGES_ON_DISK = 1_700  # studies of 100 instances: more rows than one range holds
KIB = 1024

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def large_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with small_disk_mounted(tmp_path_factory.mktemp("large") / "disk", "80m") as disk:
        write_run(disk / "run", ENOUGH_FOR_RANGES_ON_DISK)
        yield disk / "run"


@pytest.fixture(scope="module")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with small_disk_mounted(tmp_path_factory.mktemp("small") / "disk", "16m") as disk:
        build_run(disk / "run", count=30)
        yield disk / "run"


@contextmanager
def room_left(run: Path, size_bytes: int) -> Iterator[None]:
    """Only so much room on the disk of the run folder."""
    disk = os.statvfs(run)
    ballast = run.parent / "ballast"
    ballast.write_bytes(bytes(max(0, disk.f_bavail * disk.f_bsize - size_bytes)))
    yield
    ballast.unlink()


def assert_told(said: Said, run: Path, code: int = 50, reason: str = "No space left on device") -> None:
    assert said.code == code
    assert reason in said.stderr
    assert "hint: " in said.stderr
    assert "Traceback" not in said.stderr
    unfinished = [path for path in run.rglob("*") if path.suffix == ".tmp" or path.name.startswith("ranges-")]
    assert unfinished == []


def tables(run: Path) -> dict[str, bytes]:
    """Every table's files."""
    return {str(path.relative_to(run)): path.read_bytes() for path in (run / "manifests").rglob("*.parquet")}


def test_a_disk_that_is_full_while_tables_are_sorted_leaves_the_old_tables_and_says_so(large_run: Path) -> None:
    before = tables(large_run)
    with room_left(large_run, 0):
        assert_told(say(large_run, "reconcile", "--offline"), large_run, 30, "the disk is full")
    for kib in (100, 600, 2_000, 6_000, 12_000):  # in the first tables that are sorted, and in the last
        with room_left(large_run, kib * KIB):
            assert_told(say(large_run, "reconcile", "--offline"), large_run)
        assert tables(large_run) == before
    said = say(large_run, "--json", "reconcile", "--offline")
    assert said.json["balanced"] is True
    assert said.json["instances"]["source"] == ENOUGH_FOR_RANGES_ON_DISK * 100


def written(run: Path) -> dict[str, int]:
    """Files of the report set and their sizes; each of them is whole."""
    files = [path for path in (run / "reports").glob("*") if path.is_file()]
    for path in files:
        if path.suffix == ".json":
            json.loads(path.read_bytes())
        if path.suffix == ".html":
            assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
        if path.suffix == ".xlsx":
            assert path.read_bytes()[-22:-18] == b"PK\5\6"  # the end of a zip archive
    return {path.name: path.stat().st_size for path in files}


def test_a_disk_that_is_full_while_a_report_is_written_leaves_whole_files_and_the_next_report_is_complete(
    small_run: Path,
) -> None:
    assert say(small_run, "report").code == 0
    known = written(small_run)
    told = set()
    for name in ("report.html", "tables.xlsx", "digests.txt"):
        for path in (small_run / "reports").iterdir():
            path.unlink()
        order = ["report.html", "certificate.html", *sorted(known.keys() - {*LAST, "report.html", "certificate.html"})]
        room = _pages(known, [*order, *LAST][: [*order, *LAST].index(name)]) + 2 * KIB
        with room_left(small_run, room):
            said = say(small_run, "report")
        assert_told(said, small_run)
        told.add(said.stderr.split("file=")[1].split(",")[0])
        assert written(small_run).keys() < known.keys()
    assert told == {"report.html", "tables.xlsx", "digests.txt"}
    assert say(small_run, "report").code == 0
    assert written(small_run).keys() == known.keys()


LAST = ("tables.xlsx", "digests.txt")
PAGE_BYTES = 4096


def _pages(sizes: dict[str, int], names: list[str]) -> int:
    """What these files take on a disk that gives whole pages."""
    return sum(-(-sizes[name] // PAGE_BYTES) * PAGE_BYTES for name in names)
