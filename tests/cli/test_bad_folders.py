"""Run folders as nobody should find them: each command says a sentence, ends with a code, and loses nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from migrate.manifest.schema import FORMAT_KEY
from tests.cli.inline import say
from tests.report.example import TOML, build_run

COMMANDS = (("status",), ("report",), ("reconcile", "--offline"), ("exceptions", "list"), ("plan",))
WRITTEN = ("reports", "findings", "balance", "acceptance", "forensics", "audit", "journal.", ".work")
Spoil = Callable[[Path], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build_run(folder := tmp_path_factory.mktemp("whole") / "run", count=12)
    return folder


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def without(*tables: str) -> Spoil:
    def spoil(folder: Path) -> None:
        for table in tables:
            shutil.rmtree(folder / "manifests" / table)

    return spoil


def part(folder: Path, table: str) -> Path:
    return next((folder / "manifests" / table).rglob("*.parquet"))


def emptied(folder: Path) -> None:
    for path in (folder / "manifests").rglob("*.parquet"):
        pq.write_table(pq.read_table(path, partitioning=None).slice(0, 0), path)


def newer(folder: Path) -> None:
    path = part(folder, "studies")
    table = pq.read_table(path, partitioning=None)
    pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), FORMAT_KEY: b"99"}), path)


def older(folder: Path) -> None:
    """A table of a version that had fewer columns and no format version yet."""
    path = part(folder, "evidence")
    table = pq.read_table(path, partitioning=None).drop_columns(["pixels_xxh3"]).replace_schema_metadata(None)
    pq.write_table(table, path)


def torn(folder: Path) -> None:
    path = part(folder, "evidence")
    path.write_bytes(path.read_bytes()[:-20])


def without_journal(folder: Path) -> None:
    for path in folder.glob("journal.*"):
        path.unlink()


def kept(folder: Path) -> dict[str, bytes]:
    """Everything that no command may change, but for what it writes itself."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not any(part in name for part in WRITTEN)}


FOLDERS = [
    pytest.param(without("evidence", "uploads", "verification", "changes"), {0, 3, 4}, id="half a run"),
    pytest.param(without("series", "instances"), {0, 3, 4}, id="missing tables"),
    pytest.param(without("balance", "findings"), {0, 3, 4}, id="never reconciled"),
    pytest.param(without_journal, {0, 3, 4}, id="no journal"),
    pytest.param(emptied, {0, 3, 4}, id="empty manifests"),
    pytest.param(older, {0, 3, 4}, id="an older format"),
    pytest.param(newer, {0, 33}, id="a newer format"),
    pytest.param(torn, {0, 50}, id="a torn table"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(("spoil", "codes"), FOLDERS)
def test_a_bad_folder_gives_a_sentence_and_loses_nothing(
    spoil: Spoil, codes: set[int], words: tuple[str, ...], folder: Path
) -> None:
    spoil(folder)
    before = kept(folder)
    said = say(folder, *words)
    assert said.code in codes
    assert said.stdout.strip() or "error: " in said.stderr
    assert ("error: " in said.stderr) is (said.code in {33, 50})
    assert kept(folder) == before


@pytest.mark.parametrize("table", ["windows", "studies", "series", "instances", "evidence", "uploads", "verification"])
def test_whichever_table_is_missing_a_report_is_made_and_nothing_else_is_touched(table: str, folder: Path) -> None:
    without(table)(folder)
    before = kept(folder)
    for words in (("reconcile", "--offline"), ("report",), ("status",)):
        said = say(folder, *words)
        assert said.code in {0, 3, 4}, said.stderr
        assert "error: " not in said.stderr
    assert kept(folder) == before


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("count", [0, 1])
def test_a_run_of_one_study_or_none_is_a_run(count: int, words: tuple[str, ...], tmp_path: Path) -> None:
    build_run(tmp_path, count=max(count, 1))
    if not count:
        emptied(tmp_path)
        without_journal(tmp_path)
    said = say(tmp_path, *words)
    assert said.code == 0, said.stderr
    assert said.stdout.strip() or words[0] == "exceptions"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_folder_with_a_configuration_alone_says_so(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "migration.toml").write_text(TOML, encoding="utf-8")
    said = say(tmp_path, *words)
    assert said.code in {0, 2}
    assert said.stdout.strip() or "error: " in said.stderr or words[0] == "exceptions"
