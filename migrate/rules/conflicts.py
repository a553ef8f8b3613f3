"""Rules that cannot stand side by side: refused when packs are loaded, not found at object 40,000,000."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from migrate.dicom.dictionary import keyword_of
from migrate.errors import ConfigError
from migrate.rules.ruleset import BoundRule


def refuse_conflicts(rules: Sequence[BoundRule]) -> None:
    """Refuse rules that set one tag differently, and rules that undo each other.

    Raises:
        ConfigError: Names both rules and where they stand.
    """
    for first, second in combinations(rules, 2):
        if first.condition.excludes(second.condition):
            continue
        _refuse_two_values(first, second)
        _refuse_feedback(first, second)


def _refuse_two_values(first: BoundRule, second: BoundRule) -> None:
    mine, its = first.rule.sets(first.values), second.rule.sets(second.values)
    for tag in sorted(mine.keys() & its.keys()):
        if mine[tag] != its[tag]:
            hint = "give the rules conditions that cannot both hold, or drop one"
            raise _conflict(f"two rules set {_name(tag)} differently", hint, first, second)


def _refuse_feedback(first: BoundRule, second: BoundRule) -> None:
    """A rule that reads what a later one writes would do something else the second time."""
    written = second.rule.sets(second.values).keys()
    for tag in sorted(first.rule.reads(first.values) & written):
        if tag not in first.rule.sets(first.values):
            hint = "put the rule that writes before the rule that reads"
            raise _conflict(f"a rule reads {_name(tag)}, which a later rule writes", hint, first, second)


def _conflict(fact: str, hint: str, first: BoundRule, second: BoundRule) -> ConfigError:
    return ConfigError(
        fact, hint, file=second.where, rule=second.full_name, other=first.full_name, other_file=first.where
    )


def _name(tag: int) -> str:
    return keyword_of(tag) or f"{tag:08X}"
