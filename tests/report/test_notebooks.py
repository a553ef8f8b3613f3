"""The notebooks run, on the sample and on a real run of the demo, and carry no output."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from migrate.resources import manifests_folder

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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_to_its_end(path: Path, folder: Path) -> None:
    backend = "module://matplotlib_inline.backend_inline"
    env = {**os.environ, "MIGRATE_RUN": str(folder), "PYTHONPATH": str(CHECKOUT), "MPLBACKEND": backend}
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    where = {"metadata": {"path": path.parent}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=where).execute(env=env)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not [output for output in outputs if output.output_type == "error"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:  # type: ignore[no-untyped-call]
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_there_are_notebooks() -> None:
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05"]
