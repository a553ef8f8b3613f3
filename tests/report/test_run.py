"""What an analyst gets from `migrate.open_run`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import migrate
from migrate.errors import UsageError
from migrate.manifest.schema import TABLES
from migrate.report.run import Run
from tests.report.conftest import Reported


@pytest.fixture
def run(reported: Reported) -> Run:
    found: Run = migrate.open_run(reported.folder)
    return found


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # Dask's own use of pandas
@pytest.mark.parametrize("kind", ["table", "polars", "pandas", "duckdb", "dask"])
def test_a_table_has_the_same_rows_in_every_shape(kind: str, run: Run) -> None:
    expected = sorted(run.table("studies")["study_instance_uid"].to_pylist())
    found = getattr(run, kind)("studies")
    if kind == "duckdb":
        uids = [row[0] for row in found.project("study_instance_uid").fetchall()]
    elif kind == "table":
        uids = found["study_instance_uid"].to_pylist()
    elif kind == "dask":
        uids = found["study_instance_uid"].compute().tolist()
    else:
        uids = list(found["study_instance_uid"])
    assert sorted(uids) == expected


def test_columns_are_documented(run: Run) -> None:
    for table in TABLES:
        assert all(run.doc(table).values()), table
    assert run.doc("evidence")["size_bytes"].endswith("[bytes]")


def test_a_table_that_nobody_wrote_is_empty_and_not_listed(run: Run) -> None:
    assert "documents" not in run.tables()
    assert run.table("identities").num_rows == 0
    assert "identities" not in run.tables()


def test_a_table_that_does_not_exist_is_refused_with_the_names_of_those_that_do(run: Run) -> None:
    with pytest.raises(UsageError) as caught:
        run.table("studdies")
    assert "studies" in caught.value.hint


def test_states_and_events_come_from_the_journal(run: Run, reported: Reported) -> None:
    states = dict(zip(run.states()["study_instance_uid"].to_pylist(), run.states()["state"].to_pylist(), strict=True))
    assert states == {study.uid: study.fate for study in reported.studies}
    assert next(run.events())["kind"] == "Found"


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a run folder"):
        migrate.open_run(tmp_path)


def test_importing_migrate_imports_nothing_heavy() -> None:
    code = "import sys, migrate; print([m for m in ('pyarrow', 'dask', 'pydicom', 'jinja2') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_package_that_is_not_installed_is_named_with_the_command_that_installs_it(reported: Reported) -> None:
    code = (
        "import sys; sys.modules['polars'] = None\n"
        "import migrate\n"
        "from migrate.errors import UsageError\n"
        f"run = migrate.open_run({str(reported.folder)!r})\n"
        "try:\n    run.polars('studies')\n"
        "except UsageError as error:\n    print(error, '|', error.hint)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == (
        "this needs polars, which is not installed (package=polars) | pip install 'cdi-migrate[notebook]'"
    )
