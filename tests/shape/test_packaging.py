"""What is packed, and what is pinned."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from itertools import chain
from pathlib import Path

import pytest

from migrate.resources import manifests_folder

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.xdist_group("packaging")
def test_the_wheel_holds_the_program_and_the_manifests_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {"migrate"}
    assert "migrate/py.typed" in names
    assert any(name.startswith("migrate/_manifests/") for name in names)
    assert any(name.endswith("/licenses/LICENSE") for name in names)


@pytest.mark.xdist_group("packaging")
def test_the_source_distribution_holds_no_environment_and_no_run(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        tops = {name.split("/")[1] for name in archive.getnames() if "/" in name}
    assert {"migrate", "tests", "manifests", "README.md", "LICENSE", "constraints.txt", "pyproject.toml"} <= tops
    assert not {name for name in tops if name.startswith(".") and name != ".gitignore"}


@pytest.mark.xdist_group("packaging")
def test_an_installed_wheel_finds_its_manifests(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path)
    assert _manifests_folder_seen_from(tmp_path) == str(tmp_path / "migrate" / "_manifests")


def test_a_checkout_finds_its_manifests() -> None:
    assert manifests_folder() == CHECKOUT / "manifests"


def test_an_installation_without_manifests_says_so(tmp_path: Path) -> None:
    (tmp_path / "migrate").mkdir()
    for name in ("__init__.py", "resources.py"):
        shutil.copy(CHECKOUT / "migrate" / name, tmp_path / "migrate")
    assert "no manifests folder beside" in _manifests_folder_seen_from(tmp_path)


def test_constraints_name_no_host_and_pin_every_requirement() -> None:
    text = (CHECKOUT / "constraints.txt").read_text()
    assert "://" not in text
    pinned = {_canonical(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, flags=re.MULTILINE)}
    assert _required_names() - pinned == set()


def _required_names() -> set[str]:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    requirements = [*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())]
    names = {_canonical(re.split(r"[\[<>=!~; ]", requirement)[0]) for requirement in requirements}
    return names - {project["name"]}


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _manifests_folder_seen_from(folder: Path) -> str:
    """What the program under `folder` takes for its manifests, or the error it prints."""
    code = "from migrate.resources import manifests_folder; print(manifests_folder())"
    command = [sys.executable, "-S", "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.strip() or done.stderr
