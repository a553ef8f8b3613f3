"""Rule packs: TOML files, checked when they are loaded.

    name = "issuers"
    version = "1.0"
    description = "Says whose numbers these are."
    include = ["common"]                  # other packs, applied before this one

    [values]                              # what a site must give in [normalize.values]
    issuer_of_patient_id = "who gave out the PatientID"

    [[rule]]
    name = "issuer"
    kind = "issuer_of_patient_id_set"     # a line in RULES; the other keys are its parameters
    issuer = "$issuer_of_patient_id"      # the whole text is one site value, or it is as written
    when = { source = "FRASER" }          # conditions.CONDITIONS
    unless = { modality = "SR" }
    reason = "COERCE"                     # COERCE | CORRECT
    on_signed = false                     # leave objects with digital signatures alone

Nothing in a pack is ever run: no code, no format strings, no regular expressions.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from migrate.errors import ConfigError
from migrate.resources import manifests_folder
from migrate.rules.binding import PackText, bind
from migrate.rules.conflicts import refuse_conflicts
from migrate.rules.lines import Lines
from migrate.rules.ruleset import BoundRule, Inactive, PackName, RuleSet
from migrate.rules.tables import Folder, ReadRows

LARGEST_PACK_BYTES = 4 << 20


class _PackFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")
    version: str = Field(pattern=r"^[0-9]+(\.[0-9]+){0,2}$")
    description: str = Field(min_length=1)
    include: list[str] = []
    values: dict[str, str] = {}
    rule: list[dict[str, Any]] = []


@dataclass(slots=True)
class _Loading:
    """What is known so far while packs include each other."""

    values: Mapping[str, str]
    base: Path
    read_rows: ReadRows | None
    done: set[Path] = field(default_factory=set)
    names: dict[str, Path] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    packs: list[PackName] = field(default_factory=list)
    rules: list[BoundRule] = field(default_factory=list)
    inactive: list[Inactive] = field(default_factory=list)


def load(names: Sequence[str], values: Mapping[str, str], base: Path, read_rows: ReadRows | None = None) -> RuleSet:
    """Load packs, and what they include, into one rule set.

    Args:
        names: Names of shipped packs (`common`) or paths of `.toml` files, relative to `base`.
        values: `[normalize.values]`: what this site fills in. A rule that needs a value that is
            not given does nothing, and `RuleSet.inactive` says so.
        base: The run folder.
        read_rows: Reads lookup tables that are not CSV.

    Raises:
        ConfigError: A pack or one of its tables is wrong; the facts name file and line.
    """
    state = _Loading(values, base, read_rows)
    for name in names:
        _load_one(_path_of(name, base), (), state)
    if unknown := sorted(values.keys() - state.asked):
        hint = f"these packs ask for: {', '.join(sorted(state.asked)) or 'nothing'}"
        raise ConfigError(f"no pack asks for the value {unknown[0]} in [normalize.values]", hint)
    refuse_conflicts(state.rules)
    return RuleSet(rules=tuple(state.rules), inactive=tuple(state.inactive), packs=tuple(state.packs))


def shipped() -> list[str]:
    """The names of the packs that travel with the program."""
    return sorted(path.stem for path in (manifests_folder() / "rules").glob("*.toml"))


def _path_of(name: str, base: Path) -> Path:
    if name.endswith(".toml"):
        return (base / name).resolve()
    path = manifests_folder() / "rules" / f"{name}.toml"
    if "/" in name or not path.is_file():
        hint = f"packs that travel with the program: {', '.join(shipped())}; a path must end in .toml"
        raise ConfigError("there is no such rule pack", hint, pack=name)
    return path.resolve()


def _load_one(path: Path, chain: tuple[Path, ...], state: _Loading) -> None:
    if path in chain:
        circle = " > ".join(one.stem for one in (*chain[chain.index(path) :], path))
        line = Lines.of(_text_of(chain[-1])).of_key("include")
        raise ConfigError("rule packs include each other in a circle", file=f"{chain[-1]}:{line}", circle=circle)
    if path in state.done:
        return
    text = _text_of(path)
    lines = Lines.of(text)
    pack = _parsed(path, text, lines)
    for name in pack.include:
        _load_one(_included(name, path, lines), (*chain, path), state)
    _refuse_second_name(pack.name, path, state)
    _bind_rules(pack, path, lines, state)
    state.done.add(path)


def _included(name: str, path: Path, lines: Lines) -> Path:
    try:
        return _path_of(name, path.parent)
    except ConfigError as error:
        where = f"{path}:{lines.of_key(name, 'include')}"
        raise ConfigError(error.fact, error.hint, file=where, **error.facts) from None


def _refuse_second_name(name: str, path: Path, state: _Loading) -> None:
    other = state.names.setdefault(name, path)
    if other != path:
        raise ConfigError(
            "two rule packs have one name", "rename one of them", file=f"{path}:1", other=other, pack=name
        )


def _bind_rules(pack: _PackFile, path: Path, lines: Lines, state: _Loading) -> None:
    state.asked.update(pack.values)
    state.packs.append(PackName(name=pack.name, version=pack.version, description=pack.description))
    text = PackText(
        path=path,
        lines=lines,
        name=pack.name,
        version=pack.version,
        declared=frozenset(pack.values),
        site=state.values,
        folder=Folder(path=path.parent, run_folder=state.base, read_rows=state.read_rows),
    )
    seen: set[str] = set()
    for index, table in enumerate(pack.rule):
        bound = bind(text, index, table)
        if bound.name in seen:
            raise ConfigError("two rules of a pack have one name", file=bound.where, rule=bound.name)
        seen.add(bound.name)
        if isinstance(bound, Inactive):
            state.inactive.append(bound)
        else:
            state.rules.append(bound)


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_PACK_BYTES:
            raise ConfigError("the rule pack is too large", file=path)
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("the rule pack cannot be read", file=path, reason=type(error).__name__) from None


def _parsed(path: Path, text: str, lines: Lines) -> _PackFile:
    try:
        return _PackFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"the rule pack is not TOML: {error}", file=path) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = str(first["loc"][0])
        if first["type"] == "extra_forbidden":
            hint = f"allowed here: {', '.join(_PackFile.model_fields)}"
            raise ConfigError(f"unknown key {key}", hint, file=f"{path}:{lines.of_key(key)}") from None
        raise ConfigError(f"{key}: {first['msg']}", file=f"{path}:{lines.of_key(key)}") from None
