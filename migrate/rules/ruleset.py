"""A rule set: rules bound to the values of a site, in the order in which they are applied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from migrate.rules.conditions import Condition
from migrate.rules.rule import AnyRule, Reason
from migrate.rules.table import RULES


@dataclass(frozen=True, kw_only=True, slots=True)
class BoundRule:
    """One `[[rule]]` of a pack, checked.

    Args:
        name: Unique within its pack.
        kind: The line in `RULES`.
        values: Its checked parameters (a `RuleValues` of `rule.values`).
        condition: When it looks at an object.
        reason: For Original Attributes.
        on_signed: Whether it may touch objects with digital signatures.
        where: `file:line`.
    """

    name: str
    pack: str
    pack_version: str
    kind: str
    values: Any
    condition: Condition
    reason: Reason
    on_signed: bool
    where: str

    @property
    def rule(self) -> AnyRule:
        """The line in `RULES`; looked up, so that a bound rule can cross process borders."""
        return RULES[self.kind]

    @property
    def full_name(self) -> str:
        """`pack.name`."""
        return f"{self.pack}.{self.name}"

    @property
    def sentence(self) -> str:
        """What it does, for people."""
        return self.rule.sentence(self.values)


@dataclass(frozen=True, kw_only=True, slots=True)
class Inactive:
    """A rule that does nothing here, because the site gave no value that it needs."""

    name: str
    pack: str
    missing: tuple[str, ...]
    where: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PackName:
    """Which pack, in which version."""

    name: str
    version: str
    description: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleSet:
    """Everything the packs of one run say."""

    rules: tuple[BoundRule, ...] = ()
    inactive: tuple[Inactive, ...] = ()
    packs: tuple[PackName, ...] = ()

    def __iter__(self) -> Iterator[BoundRule]:
        """The active rules, in order."""
        return iter(self.rules)

    def touches(self) -> frozenset[int] | None:
        """Every top-level tag that the rules themselves may change; None when only objects can tell."""
        tags: frozenset[int] = frozenset()
        for bound in self.rules:
            touched = bound.rule.touches(bound.values)
            if touched is None:
                return None
            tags |= touched
        return tags
