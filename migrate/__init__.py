"""Move every study of a legacy PACS into a shared diagnostic imaging repository, and prove it.

import migrate

run = migrate.open_run("R")     # the tables of a run folder, for notebooks
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from migrate.report.run import Run, open_run

__all__ = ["Run", "open_run"]


def __getattr__(name: str) -> Any:
    """Import what notebooks use when they use it: `import migrate` alone stays light."""
    if name in __all__:
        from migrate.report import run  # noqa: PLC0415  the reason why this function exists

        return getattr(run, name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
