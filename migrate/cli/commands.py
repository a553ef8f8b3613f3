"""Every command, imported in the order in which a migration uses them: the order of `--help`.

Importing a module registers its command, so the order here is not the alphabet's.
"""

# isort: off
# ruff: noqa: F401 - importing is all that is wanted
from __future__ import annotations

from migrate.cli import init
from migrate.cli import assess
from migrate.cli import crawl
from migrate.cli import identities, patients
from migrate.cli import plan
from migrate.cli import run
from migrate.cli import reconcile
from migrate.cli import report
from migrate.cli import status
from migrate.cli import dashboard
from migrate.cli import exceptions
from migrate.cli import journal
from migrate.cli import audit
from migrate.cli import demo
