"""A run folder for one assessment, and its result as tests want to read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from migrate.config import load
from migrate.engine.place import tls_files
from migrate.profiles import Profile, Side, load_profile
from migrate.stages.assess import Assessed, Assessment, Check, assess

Blocks = Mapping[str, Mapping[str, Any]]
QUICK: Blocks = {
    "run": {"name": "test", "source": "TEST", "timezone": "UTC"},
    "source": {"quiet_s": 0.5},
    "staging": {"reserve_gb": 0.001},
    "normalize": {"packs": []},
}


def made_run_folder(folder: Path, *blocks: Blocks) -> Path:
    """A run folder whose migration.toml has `blocks`, later ones over earlier ones."""
    merged: dict[str, dict[str, Any]] = {}
    for layer in (QUICK, *blocks):
        for name, values in layer.items():
            merged.setdefault(name, {}).update(values)
    folder.mkdir(exist_ok=True)
    lines: list[str] = []
    for name, values in merged.items():
        lines += [f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in values.items())]
    (folder / "migration.toml").write_text("\n".join(lines))
    return folder


def _toml(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def at(side: Side, ae_title: str, port: int) -> Blocks:
    """Where one peer listens, on this machine."""
    return {side: {"ae_title": ae_title, "host": "127.0.0.1", "port": port}}


def assessment_of(folder: Path, **options: int) -> Assessment:
    """What `migrate assess` would assess."""
    config = load(folder / "migration.toml")
    return Assessment(config=config, run_folder=folder, tls=tls_files(config, folder), **options)


@dataclass
class Found:
    """One assessment; `told` is what the callback got."""

    folder: Path
    assessed: Assessed
    told: list[Check] = field(default_factory=list)

    def line(self, name: str) -> Check:
        """The one line with this name."""
        (found,) = [one for one in self.assessed.checks if one.name == name]
        return found

    def failures(self) -> dict[str, int]:
        """Names of the lines that failed, with their exit codes."""
        return {one.name: one.exit_code for one in self.assessed.checks if one.result == "fail"}

    @property
    def source(self) -> Profile:
        """What a later stage reads."""
        return load_profile(self.folder, "source")

    @property
    def destination(self) -> Profile:
        """What a later stage reads."""
        return load_profile(self.folder, "destination")


def assessed(folder: Path, **options: int) -> Found:
    """Assess a run folder."""
    told: list[Check] = []
    return Found(folder, assess(assessment_of(folder, **options), told.append), told)
