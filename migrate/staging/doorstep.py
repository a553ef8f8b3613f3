"""What a kind of source or destination gets to work with in one worker."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

from migrate.config import Config
from migrate.dicom.decoding import PixelReader
from migrate.profiles import UNKNOWN, Profile
from migrate.staging.area import LandingArea
from migrate.staging.filing import Arrived, LandingSink, SpoolingSink, new_arrived
from migrate.staging.intake import ReadingSink, Registry
from migrate.staging.mailbox import Mailbox


@dataclass(frozen=True, kw_only=True, slots=True)
class Doorstep:
    """The landing area, the registry of waiting studies and the sinks of one worker.

    `receiving` says whether a receiver listens under `ae_title`: without one no C-MOVE is possible.
    `stopping` is polled while a peer is waited for. `source_profile` and `destination_profile` are
    what `migrate assess` learnt; all None when nobody assessed the peer that is configured. `pixels`
    decodes, where the destination is declared to transcode. `arrived` remembers what landed last.
    """

    config: Config
    ae_title: str
    area: LandingArea
    registry: Registry
    receiving: bool
    tls: ssl.SSLContext | None = None
    retrieve: str = "auto"
    source_profile: Profile = UNKNOWN
    destination_profile: Profile = UNKNOWN
    stopping: Callable[[], bool] = lambda: False
    mailbox: Mailbox = field(default_factory=Mailbox)
    pixels: PixelReader = field(default_factory=PixelReader)
    arrived: Arrived = field(default_factory=new_arrived)

    @property
    def landing(self) -> LandingSink:
        """Objects that are kept."""
        return LandingSink(self.registry, self.area, self.ae_title, self.arrived)

    @property
    def reading(self) -> ReadingSink:
        """Objects that are only digested, and decoded where the destination is declared to transcode."""
        if self.config.destination.transcodes == "lossless":
            return SpoolingSink(self.registry, self.area)
        return ReadingSink(self.registry)
