"""What imports what, and what a command line costs before it does anything."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGE = CHECKOUT / "migrate"
SLOW_TO_IMPORT = {"pydicom", "pynetdicom", "dask", "distributed", "pyarrow", "numpy", "sqlite3", "jinja2"}
ONE_FORBIDDEN_IMPORT_PER_CONTRACT = {
    "model.py": "import migrate.config",
    "demo/twin.py": "import migrate.rules",
    "errors.py": "import hashlib",
    "engine.py": "import pynetdicom",
    "rules/__init__.py": "import urllib3",
    "manifest/__init__.py": "import sqlite3",
    "stages/__init__.py": "import distributed.client",
    "report/__init__.py": "import tqdm.auto",
    "journal/__init__.py": "import pyarrow.parquet",
    "wire/__init__.py": "import xxhash",
}
INNOCENT_MODULES = ("__init__.py", "config.py", "cli/__init__.py", "demo/__init__.py", "dicom/__init__.py")


def modules_of_the_package() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("arguments", [[], ["--help"]], ids=["import", "help"])
def test_the_command_line_starts_without_the_slow_libraries(arguments: list[str]) -> None:
    code = "import sys; from migrate.cli import main; sys.argv[1:] and main()"
    command = [sys.executable, "-X", "importtime", "-c", code, *arguments]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "migrate" in imported
    assert imported & SLOW_TO_IMPORT == set()


def test_no_module_imports_hashlib() -> None:
    guilty = [path for path in modules_of_the_package() if "hashlib" in _imported_names(path)]
    assert guilty == []


def test_every_folder_of_the_package_is_a_package() -> None:
    folders = {path.parent for path in modules_of_the_package()}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


def test_the_layers_hold_for_modules_that_keep_to_them(tmp_path: Path) -> None:
    _write_package(tmp_path, dict.fromkeys(ONE_FORBIDDEN_IMPORT_PER_CONTRACT, ""))
    verdicts = _contract_verdicts(tmp_path)
    assert len(verdicts) == len(ONE_FORBIDDEN_IMPORT_PER_CONTRACT)
    assert set(verdicts) == {"KEPT"}


def test_each_contract_is_broken_by_one_forbidden_import(tmp_path: Path) -> None:
    _write_package(tmp_path, ONE_FORBIDDEN_IMPORT_PER_CONTRACT)
    assert set(_contract_verdicts(tmp_path)) == {"BROKEN"}


def test_a_module_without_a_layer_breaks_the_contract(tmp_path: Path) -> None:
    _write_package(tmp_path, {"helpers.py": ""})
    assert "BROKEN" in _contract_verdicts(tmp_path)


def _imported_names(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").partition(".")[0])
    return names


def _write_package(folder: Path, sources: dict[str, str]) -> None:
    shutil.copy(CHECKOUT / "pyproject.toml", folder)
    for name, source in {**dict.fromkeys(INNOCENT_MODULES, ""), **sources}.items():
        path = folder / "migrate" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(source + "\n")


def _contract_verdicts(folder: Path) -> list[str]:
    """`KEPT` or `BROKEN` of each contract, in the order of pyproject.toml."""
    code = "import sys; from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--no-logo", "--no-cache"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    verdicts = [word for line in done.stdout.splitlines() for word in line.split() if word in {"KEPT", "BROKEN"}]
    assert verdicts, done.stdout + done.stderr
    return verdicts
