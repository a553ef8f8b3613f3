"""The documents and samples that travel with the program are what the program says."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrate.manifest.read import read_table
from migrate.manifest.schema import TABLES
from migrate.report.run import open_run
from migrate.report.write import ReportOptions, write_reports
from migrate.resources import manifests_folder
from tests.report.columns import README, with_chapter
from tests.report.example import build_run

SAMPLES = manifests_folder() / "samples"
MOST_BYTES = 120_000


def test_the_manifests_page_describes_the_tables_as_they_are() -> None:
    text = README.read_text(encoding="utf-8")
    assert with_chapter(text) == text, "run: python -m tests.report.columns"


@pytest.mark.parametrize("name", ["DIGESTS.md", "migration.example.toml", "rules", "samples"])
def test_the_manifests_page_names_only_what_is_there(name: str) -> None:
    assert (manifests_folder() / name).exists()


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    build_run(folder, count=60, journal=False)
    return folder


@pytest.mark.parametrize("table", [name for name in TABLES if (SAMPLES / "manifests" / name).is_dir()])
def test_the_samples_are_what_the_script_writes(table: str, fresh: Path) -> None:
    expected = read_table(fresh, table).to_pylist()
    assert read_table(SAMPLES, table).to_pylist() == expected, "run: python -m tests.report.example manifests/samples"


def test_the_samples_are_small_and_name_no_patient() -> None:
    run = open_run(SAMPLES)
    assert sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file()) < MOST_BYTES
    assert not {"identities", "identity_changes"} & set(run.tables())


def test_a_copy_of_the_manifests_alone_has_a_report(fresh: Path) -> None:
    (fresh / "migration.toml").unlink()
    page = write_reports(fresh, ReportOptions())[0].read_text(encoding="utf-8")
    assert 'data-verdict="in_progress"' in page
