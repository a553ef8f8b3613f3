"""The notebooks run, on the sample and on a real run of the demo, say what the report says, and carry no output."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from migrate.report.write import write_reports
from migrate.resources import manifests_folder
from tests.report.page import Page

CHECKOUT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((CHECKOUT / "notebooks").glob("*.ipynb"))

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the Jupyter client, not ours
    pytest.mark.xdist_group("notebooks"),  # kernels are heavy: one at a time
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole migration by `migrate demo`, small: one for all notebooks."""
    folder = tmp_path_factory.mktemp("demo") / "demo"
    words = [sys.executable, "-c", "from migrate.cli import main; main()", "demo", "--studies", "20", str(folder)]
    done = subprocess.run(words, cwd=folder.parent, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "run"


@pytest.fixture(params=["samples", "demo"])
def folder(request: pytest.FixtureRequest) -> Path:
    if request.param == "samples":
        return manifests_folder() / "samples"
    found: Path = request.getfixturevalue("demo")
    return found


@pytest.fixture
def page(folder: Path, tmp_path: Path) -> Page:
    """The report on the same folder, made from a copy: the samples stay as they are."""
    copy = Path(shutil.copytree(folder, tmp_path / "run", ignore=shutil.ignore_patterns("staging", "reports", "logs")))
    return Page(write_reports(copy)[0].read_text(encoding="utf-8"))


# Number of the notebook -> what it holds at its end, as rows; and the same from the page.
Rows = list[list[Any]]
SAID: dict[str, tuple[str, Callable[[Page], Rows]]] = {
    "01": (
        'held[["modality", "studies", "series", "instances", "bytes"]].fillna(0).values.tolist()',
        lambda page: [[row[0] or "unknown", *row[1:]] for row in page.tables["held"]],
    ),
    "02": (
        "[[len(found) for found in first.values()]]",
        lambda page: [page.tables["flow"][-1][2:]],
    ),
    "03": (
        "totals.reset_index().values.tolist()",
        lambda page: [[row[0], *map(int, row[1:6])] for row in page.tables["totals"]],
    ),
    "04": (
        'table[table["repeated"] > 0][["modality", "repeated"]].values.tolist()',
        lambda page: [[row[0], int(row[1])] for row in page.tables["repeated"] if len(row) > 1],
    ),
    "05": (
        """db.sql("SELECT level, outcome, count(*) FROM findings GROUP BY ALL").fetchall()""",
        lambda page: [[*row[:2], int(row[2])] for row in page.tables["finding_counts"] if len(row) > 1],
    ),
}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_to_its_end_and_says_what_the_report_says(path: Path, folder: Path, page: Page) -> None:
    backend = "module://matplotlib_inline.backend_inline"
    env = {**os.environ, "MIGRATE_RUN": str(folder), "PYTHONPATH": str(CHECKOUT), "MPLBACKEND": backend}
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    asked, of_page = SAID[path.stem[:2]]
    last = f"import json\nprint(json.dumps({asked}, default=int))"
    notebook.cells.append(nbformat.v4.new_code_cell(last))  # type: ignore[no-untyped-call]
    where = {"metadata": {"path": path.parent}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=where).execute(env=env)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not [output for output in outputs if output.output_type == "error"]
    assert _sorted(json.loads(outputs[-1].text)) == _sorted(of_page(page))


def _sorted(rows: Rows) -> Rows:
    return sorted([[int(value) if isinstance(value, float) else value for value in row] for row in rows], key=str)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:  # type: ignore[no-untyped-call]
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_there_are_notebooks() -> None:
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05"]
