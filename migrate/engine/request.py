"""What a run is asked to do, and what whoever watches it hears."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from migrate.config import Config
from migrate.journal.events import Event
from migrate.stages import STAGES


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What a run is asked to do."""

    run_folder: Path
    config: Config
    stages: tuple[str, ...] = tuple(STAGES)
    only: frozenset[str] = frozenset()
    limit: int | None = None
    scheduler: str | None = None
    take_over: bool = False
    by: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """One thing that happened, for whoever watches."""

    stage: str
    study_instance_uid: str
    event: Event
