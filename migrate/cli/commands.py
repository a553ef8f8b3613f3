"""Every command, imported in the order in which a migration uses them: the order of `--help`."""

from __future__ import annotations

from migrate.cli import (  # noqa: F401  importing a module registers its command
    assess,  # isort: skip
    audit,  # isort: skip
    crawl,  # isort: skip
    dashboard,  # isort: skip
    demo,  # isort: skip
    exceptions,  # isort: skip
    identities,  # isort: skip
    init,  # isort: skip
    journal,  # isort: skip
    patients,  # isort: skip
    plan,  # isort: skip
    reconcile,  # isort: skip
    report,  # isort: skip
    run,  # isort: skip
    status,  # isort: skip
)
