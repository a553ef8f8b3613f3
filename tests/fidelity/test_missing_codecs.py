"""An installation without the extra `pixels`: a run that needs a codec is refused with a sentence."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from migrate.dicom.pixels import CODECS
from tests.engine.command import MAIN
from tests.engine.migration import Migrate
from tests.engine.objects import many

# Where the modules of `CODECS` live, besides a folder of their own name.
PARTS = ("_gdcm", "_CharLS", "_openjpeg", "python_gdcm", "pylibjpeg", "pyjpegls")
MOVE_NOTHING = ("retrieve", "--limit", "1")


@pytest.fixture(scope="module")
def without_codecs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is installed here but for the codecs."""
    folder = tmp_path_factory.mktemp("site-packages")
    for one in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if not one.name.startswith((*CODECS, *PARTS)) or one.name.startswith("numpy"):
            (folder / one.name).symlink_to(one)
    return folder


def said(run_folder: Path, packages: Path) -> subprocess.CompletedProcess[str]:
    """`migrate retrieve` in a Python that finds those packages alone."""
    checkout = Path(__file__).parents[2]
    arguments = [sys.executable, "-S", "-c", MAIN, "--run", str(run_folder), *MOVE_NOTHING]
    environment = {**os.environ, "PYTHONPATH": f"{packages}{os.pathsep}{checkout}"}
    return subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False, timeout=100)


def test_codecs_that_are_not_installed_are_told_before_anything_moves(migration: Migrate, without_codecs: Path) -> None:
    one = migration(many(1), {"destination": {"transcodes": "lossless"}})
    done = said(one.run.folder, without_codecs)
    assert done.returncode == 20, done.stderr
    assert "the codecs for the digest of decoded pixels are not installed" in done.stderr
    assert f"missing={[name for name in CODECS if name != 'numpy']}" in done.stderr
    assert "pip install 'cdi-migrate[pixels]'" in done.stderr
    assert one.run.staged_files() == []
