"""The README, the help and the code say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from migrate import errors
from migrate.cli import commands
from migrate.cli.app import EXIT_CODES, app
from migrate.config import load
from migrate.resources import manifests_folder

CHECKOUT = Path(__file__).resolve().parents[2]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.MigrateError)]
RESULTS = {3, 4, 5}
assert commands


def _codes_of_readme() -> set[int]:
    cells = re.findall(r"^\| ([0-9, ]+) \|", README, re.MULTILINE)
    return {int(code) for cell in cells for code in cell.split(",")}


def test_the_readme_lists_every_exit_code_and_no_other() -> None:
    assert _codes_of_readme() == {kind.exit_code for kind in KINDS} | RESULTS | {0}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_help_knows_the_exit_code_of_every_error(kind: type[errors.MigrateError]) -> None:
    assert re.search(rf"\b{kind.exit_code}\b", EXIT_CODES)


def test_every_command_that_the_readme_shows_exists() -> None:
    group = typer.main.get_command(app)
    known = set(group.commands)  # type: ignore[attr-defined]
    shown = set(re.findall(r"^(?:\$ )?migrate (?:--run \S+ )?([a-z]+)", README, re.MULTILINE))
    assert shown <= known
    assert {"init", "assess", "crawl", "plan", "run", "reconcile", "report", "demo"} <= shown | {"demo"}


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_every_link_of_the_readme_leads_somewhere(link: str) -> None:
    assert (CHECKOUT / link).exists()


RELIABILITY = (CHECKOUT / "RELIABILITY.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"\b(?:[a-z]+/)+test_\w+\.py", README + RELIABILITY)))


@pytest.mark.parametrize("name", NAMED)
def test_every_test_that_proves_a_fault_exists(name: str) -> None:
    assert (CHECKOUT / "tests" / name.removeprefix("tests/")).is_file()


def test_the_readme_has_every_fault_of_the_matrix() -> None:
    faults = re.findall(r"^\| \d+ \| (.*?) \|", RELIABILITY, re.MULTILINE)
    assert len(faults) == 34
    assert not [fault for fault in faults if f"\n| {fault} |" not in README]


def test_the_example_configuration_is_read() -> None:
    example = manifests_folder() / "migration.example.toml"
    assert load(example).run.name == "my-migration"
