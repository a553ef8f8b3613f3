"""The command line: `migrate [--run DIR] [--json] [-v|-q] COMMAND`. One module per command."""

from __future__ import annotations

from migrate.cli.app import main

__all__ = ["main"]
