"""How long each stage takes for a study, learnt from the journal: what a forecast is made of.

The journal says when a stage ended, not when it began. A study begins when it may and when one of
the places that serve it is free, so its beginning is the later of two known ends: that of its own
stage before, and that of the study which held the place. Long pauses (a closed calendar, a night
in which nothing ran) are taken out first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from migrate.config import Config
from migrate.journal.read import last_events
from migrate.manifest.read import rows_of_studies
from migrate.manifest.sizes import main_modality

EVENTS = 20_000
PAUSE_S = 600.0
STAGES = ("retrieve", "checksum", "normalize", "upload", "verify")
RESOURCE_OF = {
    "retrieve": "source",
    "checksum": "cpu",
    "normalize": "cpu",
    "upload": "destination",
    "verify": "destination",
}
ENDS = {"Retrieved": "retrieve", "Checksummed": "checksum", "Normalized": "normalize", "Uploaded": "upload"}
ENDED = frozenset({"Verified", "Quarantined"})
CPU_PER_WORKER = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """How many studies each resource serves at once, and how many are in flight at most."""

    source: int
    destination: int
    cpu: int

    @property
    def in_flight(self) -> int:
        """As the engine bounds it."""
        return 2 * (self.source + self.destination)

    def of(self, resource: str) -> int:
        """The places of one resource."""
        return {"source": self.source, "destination": self.destination, "cpu": self.cpu}[resource]


@dataclass(frozen=True, slots=True)
class Served:
    """One study that ended: its modality, and seconds of service by stage."""

    modality: str
    seconds: Mapping[str, float]


def places_of(config: Config) -> Places:
    """What the configuration allows."""
    limits, workers = config.limits, len(config.receiver.ae_titles)
    return Places(
        source=max(1, limits.source_associations // workers) * workers,
        destination=max(1, limits.destination_associations // workers) * workers,
        cpu=CPU_PER_WORKER * workers,
    )


def learn(run_folder: Path, places: Places) -> list[Served]:
    """Every study that went through all stages in the newest 20,000 events.

    Raises:
        JournalError, ManifestDamaged: Something cannot be read.
    """
    told = _Reconstruction(places)
    for event in _without_pauses(reversed(last_events(run_folder, EVENTS))):
        told.saw(*event)
    columns = rows_of_studies(run_folder, "studies", told.whole, ["study_instance_uid", "modalities_in_study"])
    modality = {uid: main_modality(text) for uid, text in zip(*columns.values(), strict=True)}
    return [Served(modality.get(uid, ""), seconds) for uid, seconds in told.whole.items()]


def _without_pauses(events: Iterable[Mapping[str, Any]]) -> Iterable[tuple[float, str, str]]:
    """(seconds of work so far, study, kind)."""
    clock, before = 0.0, None
    for event in events:
        at = datetime.fromisoformat(event["at"])
        gap = (at - before).total_seconds() if before else 0.0
        clock += gap if 0 <= gap < PAUSE_S else 0.0
        before = at
        yield clock, event["study_instance_uid"], event["kind"]


@dataclass(slots=True)
class _Reconstruction:
    """Queues with a known number of places, seen from their exits."""

    places: Places
    whole: dict[str, dict[str, float]] = field(default_factory=dict)
    _open: dict[str, dict[str, float]] = field(default_factory=dict)
    _came: dict[str, float] = field(default_factory=dict)
    _freed: dict[str, deque[float]] = field(init=False)

    def __post_init__(self) -> None:
        counts = {name: self.places.of(name) for name in ("source", "destination", "cpu")}
        counts["flight"] = self.places.in_flight
        self._freed = {name: deque(maxlen=count) for name, count in counts.items()}

    def saw(self, at: float, study: str, kind: str) -> None:
        """One event, in order."""
        if kind == "UploadStarted":
            self._came[study] = at
        elif kind in ENDS:
            self._ended(at, study, ENDS[kind])
        elif kind in ENDED:
            if len(self._open.get(study, ())) == len(STAGES) - 1:
                self._ended(at, study, "verify")
                self.whole[study] = self._open[study]
            self._freed["flight"].append(at)
            self._open.pop(study, None)
            self._came.pop(study, None)
        elif kind in {"Failed", "Lost", "SentInVain"}:
            self._open.pop(study, None)  # its times say little about a plain passage

    def _ended(self, at: float, study: str, stage: str) -> None:
        resource = RESOURCE_OF[stage]
        begun = [self._free_since(resource), self._came.get(study)]
        if stage == "retrieve":
            begun = [self._free_since("source"), self._free_since("flight")]
        known = [time for time in begun if time is not None]
        self._freed[resource].append(at)
        self._came[study] = at
        if stage == "retrieve":
            self._open[study] = {}
        if known and study in self._open:
            self._open[study][stage] = max(0.0, at - max(known))
        else:
            self._open.pop(study, None)  # the first ones: nobody knows when they began

    def _free_since(self, resource: str) -> float | None:
        freed = self._freed[resource]
        return freed[0] if len(freed) == freed.maxlen else None
