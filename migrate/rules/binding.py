"""One `[[rule]]` table, checked and bound to what the site gave."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from migrate.errors import ConfigError
from migrate.rules.conditions import Condition, parse
from migrate.rules.lines import Lines
from migrate.rules.rule import AnyRule, Reason
from migrate.rules.ruleset import BoundRule, Inactive
from migrate.rules.table import RULES
from migrate.rules.tables import Folder

OWN_KEYS = ("name", "kind", "when", "unless", "reason", "on_signed")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
_SITE_VALUE = re.compile(r"\$([a-z][a-z0-9_]*)")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True, slots=True)
class PackText:
    """The pack a rule stands in, and what the site gave in `[normalize.values]`."""

    path: Path
    lines: Lines
    name: str
    version: str
    declared: frozenset[str]
    site: Mapping[str, str]
    folder: Folder


@dataclass(slots=True)
class _Place:
    """Makes errors that name the line of one rule, and remembers site values that were not given."""

    pack: PackText
    index: int
    missing: list[str]

    def where(self, *words: str) -> str:
        return f"{self.pack.path}:{self.pack.lines.of_rule(self.index, *words)}"

    def error(self, fact: str, hint: str, *words: str) -> ConfigError:
        return ConfigError(fact, hint, file=self.where(*words))


def bind(pack: PackText, index: int, table: Mapping[str, Any]) -> BoundRule | Inactive:
    """Check one rule.

    Raises:
        ConfigError: Names the file and the line.
    """
    place = _Place(pack, index, [])
    name = _name(place, table)
    kind, rule = _rule(place, table)
    filled = {key: _filled(place, value) for key, value in table.items() if key not in OWN_KEYS}
    condition = Condition(_tests(place, table, "when"), _tests(place, table, "unless"))
    given = _without_gaps(place, rule, filled)
    if given is None:
        return Inactive(name=name, pack=pack.name, missing=tuple(place.missing), where=place.where("name"))
    return BoundRule(
        name=name,
        pack=pack.name,
        pack_version=pack.version,
        kind=kind,
        values=_values(place, rule, given),
        condition=condition,
        reason=_reason(place, table, rule),
        on_signed=_on_signed(place, table),
        where=place.where("name"),
    )


def _name(place: _Place, table: Mapping[str, Any]) -> str:
    name = table.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise place.error("a rule needs a name", "lower case letters, digits and _, at most 48", "name")
    return name


def _rule(place: _Place, table: Mapping[str, Any]) -> tuple[str, AnyRule]:
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in RULES:
        raise place.error(f"unknown kind of rule {str(kind)[:64]}", f"there are: {', '.join(RULES)}", "kind")
    return kind, RULES[kind]


def _filled(place: _Place, value: object) -> object:
    """Put the site's values where `$name` stands; None where the site gave nothing."""
    if isinstance(value, dict):
        return {key: _filled(place, one) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(place, one) for one in value]
    if not isinstance(value, str) or not value.startswith("$"):
        return value
    reference = _SITE_VALUE.fullmatch(value)
    if reference is None or reference[1] not in place.pack.declared:
        hint = 'declare it in the pack: [values], name = "what it means"'
        raise place.error(f"{value[:64]} is not a value that this pack declares", hint, value[1:])
    given = place.pack.site.get(reference[1], "")
    if not given:
        place.missing.append(reference[1])
    return given or None


def _tests(place: _Place, table: Mapping[str, Any], key: str) -> Any:
    if key not in table:
        return ()
    return _checked(place, key, lambda: parse(table[key]))


def _checked(place: _Place, key: str, check: Callable[[], R]) -> R:
    try:
        return check()
    except ValueError as error:
        raise place.error(f"{key}: {error}", "", _first_word(str(error)), key) from None


def _first_word(message: str) -> str:
    """Messages begin with the keyword or key that is wrong, when one is."""
    word = message.split(" ", maxsplit=1)[0].rstrip(":")
    return word if word[:1].isalpha() else ""


def _without_gaps(place: _Place, rule: AnyRule, filled: dict[str, object]) -> dict[str, object] | None:
    """Leave out optional parameters that the site did not give; None when a needed one is missing."""
    gaps = [key for key, value in filled.items() if _has_gap(value)]
    fields = rule.values.model_fields
    if any(key in fields and fields[key].is_required() for key in gaps):
        return None
    return {key: value for key, value in filled.items() if key not in gaps}


def _has_gap(value: object) -> bool:
    if isinstance(value, dict):
        return any(_has_gap(one) for one in value.values())
    return value is None or (isinstance(value, list) and any(_has_gap(one) for one in value))


def _values(place: _Place, rule: AnyRule, given: dict[str, object]) -> Any:
    try:
        return rule.values.model_validate(given, context=place.pack.folder)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _explained(place, rule, first) from None


def _explained(place: _Place, rule: AnyRule, first: Any) -> ConfigError:
    key = str(first["loc"][0]) if first["loc"] else ""
    hint = f"allowed here: {', '.join((*OWN_KEYS, *rule.values.model_fields))}"
    if first["type"] == "extra_forbidden":
        return place.error(f"unknown key {key}", hint, key)
    if first["type"] == "missing":
        return place.error(f"the rule needs {key}", hint, "kind")
    message = str(first["msg"]).removeprefix("Value error, ")
    return place.error(f"{key}: {message}" if key else message, hint, _first_word(message), key)


def _reason(place: _Place, table: Mapping[str, Any], rule: AnyRule) -> Reason:
    reason = table.get("reason", rule.reason)
    if reason == "COERCE":
        return "COERCE"
    if reason == "CORRECT":
        return "CORRECT"
    raise place.error("unknown reason", "there are: COERCE, CORRECT", "reason")


def _on_signed(place: _Place, table: Mapping[str, Any]) -> bool:
    on_signed = table.get("on_signed", False)
    if not isinstance(on_signed, bool):
        raise place.error("on_signed is true or false", "", "on_signed")
    return on_signed
