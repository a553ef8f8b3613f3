"""Move every study of a legacy PACS into a shared diagnostic imaging repository, and prove it.

import migrate

run = migrate.open_run("R")     # the tables of a run folder, for notebooks
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

__all__ = ["open_run"]


def open_run(path: str | Path) -> Any:
    """Open a run folder for reading: a `migrate.report.run.Run`.

    What reads it is imported when it is called: `import migrate` alone stays light, and everything
    below the reports may import `migrate` without importing them.

    Raises:
        UsageError: There are no manifests in this folder.
    """
    return importlib.import_module("migrate.report.run").open_run(path)
