"""What the stages of one worker share: both peers, the landing area, the rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from migrate.config import Config
from migrate.dicom.decoding import PixelReader
from migrate.model import Defect, ExceptionClass, Level
from migrate.peers import Destination, Source
from migrate.rules.ruleset import RuleSet
from migrate.staging.area import LandingArea
from migrate.staging.filing import Arrived, new_arrived
from migrate.staging.recent import Recent

Segments = tuple[bytes | tuple[int, int], ...]
"""A data set in pieces: new bytes, and ranges (offset, length) of the data set as received."""

_MOST_BYTES = 32 * 1024 * 1024
_ENTRY_BYTES = 500  # of an entry besides its bytes


def _bytes_of(segments: Segments) -> int:
    return _ENTRY_BYTES + sum(len(one) for one in segments if isinstance(one, bytes))


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """One worker's place of work. `close` releases all of it.

    `arrived` remembers what came last, so that normalize need not parse it again, and `recent` how the
    instances that were normalized last will be sent, so that upload need not edit their headers again.
    `pixels` decodes, where the destination is declared to transcode; None elsewhere.
    """

    config: Config
    source: Source
    destination: Destination
    area: LandingArea
    rules: RuleSet
    uid_map: Mapping[str, str]
    crosswalk: Mapping[tuple[str, str], str]
    close: Callable[[], None]
    arrived: Arrived = field(default_factory=new_arrived)
    recent: Recent[Segments] = field(default_factory=lambda: Recent(_bytes_of, _MOST_BYTES))
    pixels: PixelReader | None = None


def defect(exception_class: ExceptionClass, uid: str, detail: str, level: Level = Level.IMAGE) -> Defect:
    """One defect; the detail has no values of attributes."""
    return Defect(exception_class=exception_class, level=level, uid=uid, detail=detail)
