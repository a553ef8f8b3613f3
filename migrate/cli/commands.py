"""Every command, imported in the order in which a migration uses them: the order of `--help`."""

from __future__ import annotations

from migrate.cli import (  # noqa: F401  importing a module registers its command
    init,  # isort: skip
    assess,  # isort: skip
    crawl,  # isort: skip
    plan,  # isort: skip
    run,  # isort: skip
    reconcile,  # isort: skip
    report,  # isort: skip
    status,  # isort: skip
    exceptions,  # isort: skip
    demo,  # isort: skip
)
