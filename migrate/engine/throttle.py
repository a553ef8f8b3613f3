"""The clinic comes first: the source's own latency decides how much we ask of it at once.

Every few seconds one small C-FIND is timed. Slower than `latency_factor` times the baseline: half
as many retrieves at once, at the least one; quick again: one more (additive increase,
multiplicative decrease). The baseline is the quickest median seen in this run.
"""

from __future__ import annotations

import logging
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Self

from migrate.engine.place import doorstep
from migrate.engine.request import Request
from migrate.errors import MigrateError
from migrate.model import Level
from migrate.sources import open_source

log = logging.getLogger("migrate.engine")

PROBE_EVERY_S = 5.0
PROBES_KEPT = 5
NO_SUCH_STUDY = "2.25.1"
NOISE_S = 0.02  # two quick answers differ by this much for no reason that concerns the clinic


class Throttle:
    """How many studies may be retrieved at once now.

    Args:
        probe: Asks the source something small; its duration is the latency.
        most: The configured number of associations.
        factor: How much slower than its baseline the source may become.
    """

    def __init__(self, probe: Callable[[], None], most: int, factor: float) -> None:
        self.most = most
        self.allowed = most
        self.factor = factor
        self.latency_s: float | None = None
        self.baseline_s: float | None = None
        self._probe = probe
        self._recent: deque[float] = deque(maxlen=PROBES_KEPT)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="throttle", daemon=True)

    def __enter__(self) -> Self:
        """Start probing."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop probing."""
        self._ended.set()

    def saw(self, latency_s: float) -> None:
        """One probe took this long: adapt."""
        self._recent.append(latency_s)
        self.latency_s = statistics.median(self._recent)
        self.baseline_s = min(self.baseline_s or self.latency_s, self.latency_s)
        before = self.allowed
        if self.latency_s > self.factor * max(self.baseline_s, NOISE_S):
            self.allowed = max(1, self.allowed // 2)
        else:
            self.allowed = min(self.most, self.allowed + 1)
        if self.allowed < before:
            log.warning(
                "the source answers in %.2f s, its baseline is %.2f s: at most %d retrieves at once",
                self.latency_s,
                self.baseline_s,
                self.allowed,
            )

    def _watch(self) -> None:
        while not self._ended.wait(PROBE_EVERY_S):
            began = time.monotonic()
            try:
                self._probe()
            except MigrateError as error:
                log.info("latency probe: %s", error)
                continue
            self.saw(time.monotonic() - began)


def source_throttle(request: Request) -> Throttle:
    """Watches the source's latency with a C-FIND for a study that does not exist."""
    limits = request.config.limits
    source = open_source(doorstep(request.config, request.run_folder, 0, receiving=False))

    def probe() -> None:
        try:
            source.find(Level.STUDY, {"StudyInstanceUID": NO_SUCH_STUDY}, lambda _: None)
        finally:
            source.close()  # between two probes the source has its association back

    return Throttle(probe, limits.source_associations, limits.latency_factor)
