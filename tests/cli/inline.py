"""The `migrate` command inside the test's own process: quick, for commands that start no other process."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from migrate.cli import commands  # noqa: F401  registers every command
from migrate.cli.app import app


@dataclass(frozen=True, kw_only=True)
class Said:
    """How a command ended and what it said."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        found: dict[str, Any] = json.loads(self.stdout)
        return found


def say(folder: Path, *words: str) -> Said:
    """Run one command over a run folder."""
    result = CliRunner().invoke(app, ["--run", str(folder), *words], catch_exceptions=False)
    return Said(code=result.exit_code, stdout=result.stdout, stderr=result.stderr)
