"""Who ran what: one row for each run, with the operator, the version and the rule packs.

The names are what people and the operating system said. They tell apart colleagues, not impostors.
"""

from __future__ import annotations

import importlib.metadata
import os
import pwd
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from migrate.journal import sql
from migrate.journal.read import connected
from migrate.journal.store import Journal
from migrate.model import now


@dataclass(frozen=True, kw_only=True, slots=True)
class Operator:
    """A name that somebody gave with `--by` ("" when none was given), and the account of the process."""

    name: str
    os_user: str

    @property
    def told(self) -> str:
        """Both, as the register keeps them: `Ben (account migrate)`; the account where there is no name."""
        return f"{self.name} (account {self.os_user})" if self.name not in {"", self.os_user} else self.os_user

    def is_same_as(self, other: Operator) -> bool:
        """Whether nothing tells the two apart: the same name, or the same account where either gave no name."""
        if self.name and other.name:
            return _folded(self.name) == _folded(other.name)
        mine, theirs = self.name or self.os_user, other.name or other.os_user
        return self.os_user == other.os_user or _folded(mine) == _folded(theirs)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunNote:
    """One run. `at` is ISO 8601; `packs` is `name version` of each, joined by commas."""

    at: str
    operator: Operator
    stages: str
    version: str
    packs: str


def here(name: str = "") -> Operator:
    """Whoever runs this process, under the name given."""
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # an account that the machine does not know, as in a container
        user = f"uid {os.geteuid()}"
    return Operator(name=" ".join(name.split()), os_user=user)


def note_run(journal: Journal, operator: Operator, stages: Iterable[str], packs: str) -> None:
    """Write down who runs what, before anything is done.

    Raises:
        JournalError: It cannot be written.
    """
    version = importlib.metadata.version("cdi-migrate")
    row = (now(), operator.name, operator.os_user, " ".join(stages), version, packs)
    with journal.transaction() as db:
        db.execute(sql.ADD_RUN, row)


def runs(run_folder: Path) -> list[RunNote]:
    """Every run, oldest first; empty when the journal is older than this table.

    Raises:
        JournalError: The journal cannot be read.
    """
    with connected(run_folder) as db:
        if db is None or not db.execute(sql.HAS_RUNS).fetchone()[0]:
            return []
        rows = db.execute(sql.ALL_RUNS).fetchall()
    return [
        RunNote(at=at, operator=Operator(name=name, os_user=user), stages=stages, version=version, packs=packs)
        for at, name, user, stages, version, packs in rows
    ]


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()
