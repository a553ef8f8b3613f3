"""One line of an assessment: what was checked, how it stands, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from migrate.errors import MigrateError

Result = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """`fact` and `hint` hold no patient's name, id or birth date. `exit_code` is 0 unless it failed."""

    name: str
    result: Result
    fact: str
    hint: str = ""
    exit_code: int = 0

    def to_json(self) -> dict[str, str]:
        """One element of `assess --json`."""
        return {"name": self.name, "result": self.result, "fact": self.fact, "hint": self.hint}


def ok(name: str, fact: str) -> Check:
    """It is as it should be."""
    return Check(name=name, result="ok", fact=fact)


def warn(name: str, fact: str, hint: str) -> Check:
    """The migration can go on, but somebody should know."""
    return Check(name=name, result="warn", fact=fact, hint=hint)


def fail(name: str, error: MigrateError, remedy: str = "") -> Check:
    """It cannot go on like this; `remedy` where the error has no hint of its own."""
    return Check(name=name, result="fail", fact=str(error), hint=error.hint or remedy, exit_code=error.exit_code)


class Unlearnt(Exception):
    """A probe could not find out what it wanted, for no fault of the peer."""

    def __init__(self, fact: str, hint: str) -> None:
        super().__init__(fact)
        self.fact = fact
        self.hint = hint
