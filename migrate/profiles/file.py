"""The file of a profile: TOML that people read and overrule, one a side.

    format = 1
    side = "source"
    peer = "LEGACY@10.1.2.3:104"
    assessed_at = "2026-11-24T04:00:00.000+00:00"

    [result_cap]
    value = 500                     # no `value`: asked, and not known
    how = "the answer for 5 years ended after 500 studies with FE00"
    when = "2026-11-24T04:00:00.000+00:00"
    override = 200                  # a person's word; counts instead of `value`, kept when assess runs again

Files are written whole or not at all. A fact that nobody learnt is None: never false, never 0.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from migrate.errors import ConfigError, FormatTooNew, LocalError
from migrate.profiles.profile import FACTS, HEAD, UNKNOWN, Profile

FORMAT_VERSION = 1
FOLDER = "profiles"
Side = Literal["source", "destination"]
_PARTS = ("value", "how", "when", "override")
_WORDS = """\
# What `migrate assess` learnt about the {side}. A table is one fact: its value (without one it is not known),
# how it was learnt and when. To overrule a fact add a line `override = ...` to its table: it counts instead
# of the value, and assess keeps it and names it when it runs again.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Learnt:
    """One fact: `value` is None when it is not known; `override` is a person's word."""

    value: Any
    how: str
    when: str
    override: Any = None

    @property
    def counts(self) -> Any:
        """What counts: the override, else the value."""
        return self.value if self.override is None else self.override


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfileFile:
    """One profile as it stands in its file. `learnt` has the facts that were asked about."""

    side: Side
    peer: str = ""
    assessed_at: str = ""
    learnt: Mapping[str, Learnt]

    def to_profile(self) -> Profile:
        """The facts that count. Raises ConfigError when one has a value of the wrong kind."""
        counting = {name: one.counts for name, one in self.learnt.items() if one.counts is not None}
        try:
            return _checker().validate_python({**counting, "peer": self.peer, "assessed_at": self.assessed_at})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            name = str(first["loc"][0])
            hint = "correct the override, or delete the file and run: migrate assess"
            raise ConfigError(f"{name}: {first['msg']}", hint, file=_file_name(self.side)) from None

    def merged(self, older: ProfileFile) -> ProfileFile:
        """These facts over older ones of the same peer; overrides stay."""
        if older.peer not in {"", self.peer}:
            return self
        kept = {name: older.learnt[name].override for name in self.learnt.keys() & older.learnt.keys()}
        mine = {name: replace(one, override=kept.get(name)) for name, one in self.learnt.items()}
        return replace(self, learnt={**older.learnt, **mine})


@lru_cache(maxsize=1)
def _checker() -> TypeAdapter[Profile]:
    return TypeAdapter(Profile)


def profile_path(run_folder: Path, side: Side) -> Path:
    """`profiles/<side>.toml`."""
    return run_folder / FOLDER / f"{side}.toml"


def load_profile(run_folder: Path, side: Side) -> Profile:
    """What is known about the peer of one side; all None when nobody assessed it.

    Raises:
        ConfigError: The file cannot be read, or has a word or a value that it cannot have.
        FormatTooNew: Written by a newer version.
    """
    return read_profile(run_folder, side).to_profile()


def peer_name(address: tuple[str, str, int]) -> str:
    """`AE@host:port`."""
    return "{}@{}:{}".format(*address)


def load_profile_of(run_folder: Path, side: Side, address: tuple[str, str, int]) -> Profile:
    """What is known about the peer at (AE title, host, port); all None when another peer was assessed.

    A file without `peer`, written by hand, holds for whichever peer is configured.

    Raises as `load_profile`.
    """
    profile = load_profile(run_folder, side)
    return profile if profile.peer in {"", peer_name(address)} else UNKNOWN


def read_profile(run_folder: Path, side: Side) -> ProfileFile:
    """The file as it stands; without facts when there is none. Raises as `load_profile`."""
    path = profile_path(run_folder, side)
    try:
        text = path.read_text(encoding="utf-8")
        return _parsed(side, tomllib.loads(text))
    except FileNotFoundError:
        return ProfileFile(side=side, learnt={})
    except (OSError, ValueError) as error:
        hint = "correct it, or delete it and run: migrate assess"
        reason = str(error) if isinstance(error, tomllib.TOMLDecodeError) else type(error).__name__
        raise ConfigError("the profile cannot be read", hint, file=_file_name(side), reason=reason) from None


def _parsed(side: Side, tables: dict[str, Any]) -> ProfileFile:
    version = tables.pop("format", FORMAT_VERSION)
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise FormatTooNew(
            "the profile was written by a newer version", "use that version", file=_file_name(side), format=version
        )
    head = {name: str(tables.pop(name, "")) for name in HEAD[1:]}
    _refuse_unknown(side, "", tables, FACTS)
    learnt = {name: _fact(side, name, table) for name, table in tables.items()}
    return ProfileFile(side=side, peer=head["peer"], assessed_at=head["assessed_at"], learnt=learnt)


def _fact(side: Side, name: str, table: Any) -> Learnt:
    if not isinstance(table, dict):
        hint = f"write it as a table: [{name}] and below it override = ..."
        raise ConfigError(f"{name} is not a table", hint, file=_file_name(side))
    _refuse_unknown(side, f"{name}.", table, _PARTS)
    return Learnt(
        value=table.get("value"),
        how=str(table.get("how", "")),
        when=str(table.get("when", "")),
        override=table.get("override"),
    )


def _refuse_unknown(side: Side, where: str, table: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    for name in table:
        if name not in allowed:
            hint = f"allowed here: {', '.join(allowed)}"
            raise ConfigError(f"unknown key {where}{name}", hint, file=_file_name(side))


def _file_name(side: Side) -> str:
    return f"{FOLDER}/{side}.toml"


def save_profile(run_folder: Path, profile: ProfileFile) -> Path:
    """Write the file whole or not at all: a temporary name, fsync, rename, fsync of the folder.

    Raises:
        LocalError: The folder or the file cannot be written; the file before is untouched.
    """
    path = profile_path(run_folder, profile.side)
    temporary = path.with_suffix(".tmp")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8") as file:
            file.write(to_text(profile))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        hint = "make the run folder writable"
        raise LocalError("the profile cannot be written", hint, file=path, reason=error.strerror) from None
    return path


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def to_text(profile: ProfileFile) -> str:
    """The file's text; facts in the order of `Profile`."""
    head = {
        "format": FORMAT_VERSION,
        "side": profile.side,
        "peer": profile.peer,
        "assessed_at": profile.assessed_at,
    }
    lines = [_WORDS.format(side=profile.side), *(f"{name} = {_toml(value)}" for name, value in head.items())]
    for name in FACTS:
        if name in profile.learnt:
            lines += _fact_lines(name, profile.learnt[name])
    return "\n".join(lines) + "\n"


def _fact_lines(name: str, fact: Learnt) -> list[str]:
    parts = {part: getattr(fact, part) for part in _PARTS if getattr(fact, part) is not None}
    tables = {part: value for part, value in parts.items() if isinstance(value, Mapping)}
    lines = ["", f"[{name}]", *(f"{part} = {_toml(value)}" for part, value in parts.items() if part not in tables)]
    for part, value in tables.items():
        lines += [f"[{name}.{part}]", *(f"{_toml(key)} = {_toml(one)}" for key, one in value.items())]
    return lines


def _toml(value: Any) -> str:
    """A TOML value; what JSON escapes TOML reads, but for DEL."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(one) for one in value)}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
