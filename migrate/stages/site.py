"""What the stages of one worker share: both peers, the landing area, the rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from migrate.config import Config
from migrate.dicom.decoding import PixelReader
from migrate.model import Defect, ExceptionClass, Level
from migrate.peers import Destination, Source
from migrate.rules.ruleset import RuleSet
from migrate.stages.recent import Recent
from migrate.staging.area import LandingArea


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """One worker's place of work. `close` releases all of it.

    `recent` remembers how the instances that were normalized last will be sent, so that upload need not read and
    edit their headers again. `pixels` decodes, where the destination is declared to transcode; None elsewhere.
    """

    config: Config
    source: Source
    destination: Destination
    area: LandingArea
    rules: RuleSet
    uid_map: Mapping[str, str]
    crosswalk: Mapping[tuple[str, str], str]
    close: Callable[[], None]
    recent: Recent = field(default_factory=Recent)
    pixels: PixelReader | None = None


def defect(exception_class: ExceptionClass, uid: str, detail: str, level: Level = Level.IMAGE) -> Defect:
    """One defect; the detail has no values of attributes."""
    return Defect(exception_class=exception_class, level=level, uid=uid, detail=detail)
