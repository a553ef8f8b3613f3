"""The sweeps of one crawl, in order: the whole archive in one question, the date axis, the second axis.

The question without any key comes first, because its count is the largest that can come, and is
decided last, because every study of the date axis is one more proof for or against its answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from migrate.errors import PeerError
from migrate.journal import windows as journal
from migrate.manifest.fold import FoldStats, FoldTerms, fold
from migrate.model import Level
from migrate.peers import Match
from migrate.stages.crawl.answers import Bounded
from migrate.stages.crawl.certificate import Certificate, certify, shown_name
from migrate.stages.crawl.close import SUCCESS, Caps
from migrate.stages.crawl.confirm import Confirmed, SecondLook
from migrate.stages.crawl.drive import Driver
from migrate.stages.crawl.estimate import undiscovered
from migrate.stages.crawl.knowledge import Knowledge
from migrate.stages.crawl.nodes import Node
from migrate.stages.crawl.recorder import CrawlRecorder
from migrate.stages.crawl.request import CrawlRequest, Estimate, Finder
from migrate.stages.crawl.resume import date_leaf_studies, go_on
from migrate.stages.crawl.sweep import Answer, Sweep
from migrate.stages.crawl.windows import ACCESSION, PATIENT, Window, date_roots

_MOST_ANSWERS = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Swept:
    """What the sweeps found and prove."""

    certificate: Certificate
    stats: FoldStats
    confirmed: Confirmed
    estimate: Estimate | None
    sins: Mapping[str, int] = field(default_factory=dict)

    def closed(self, *, whole: bool) -> bool:
        """Whether nothing can have been missed: every axis proven, and no second look raised a doubt."""
        return self.certificate.closed(whole=whole) and not self.confirmed.doubts

    @property
    def open_windows(self) -> tuple[str, ...]:
        """The windows that keep the crawl open, with the reason: not proven, or proven and contradicted."""
        named, contradicted = self.certificate.open_windows, self.confirmed.contradicted.values()
        told = (each for each in contradicted if each.window.closed or not named)
        return (*named, *(f"{shown_name(each.window)} ({each.why})" for each in told))


class Sweeping:
    """One crawl at STUDY level.

    Args:
        request: What was ordered.
        crawl_id: The crawl, new or to go on with.
    """

    def __init__(self, request: CrawlRequest, crawl_id: str) -> None:
        self._request, self._crawl_id = request, crawl_id
        lock = threading.RLock()
        known = Knowledge(
            caps=Caps(known=request.result_cap, smallest=request.smallest_silent_cap), alphabet=request.alphabet
        )
        self._sweep = Sweep(known, (request.first, request.last), request.clock)
        self._sweep.of_small_archive(request.small_archive)
        self._recorder = CrawlRecorder(request, crawl_id, self._sweep, lock)
        self._driver = Driver(request, self._sweep, self._recorder, lock)
        self._universal: tuple[Node, Answer] | None = None

    def run(self) -> Swept:
        """Sweep, fold, look a second time.

        Raises:
            Interrupted, PeerUnavailable, PeerRefused, LocalError: See `Driver.run`.
        """
        try:
            self._recorder.drop_orphans()
            resumed = go_on(self._request, self._crawl_id, self._sweep)
            self._sweep_all(resumed=resumed)
            self._recorder.flush()
            return self._confirm()
        finally:
            self._driver.close()

    # --- the axes ---------------------------------------------------------------------------------

    def _sweep_all(self, *, resumed: bool) -> None:
        if self._request.whole:
            self._ask_universal(resumed=resumed)
        axes = {row.query[2:6] for row in journal.all_windows(self._request.db)} if resumed else set()
        if "date" not in axes:
            roots = date_roots(self._request.first, self._request.last)
            for root in reversed(roots if self._request.whole else _asked_range(roots, self._request)):
                self._sweep.add(root)
        self._driver.run()
        known = self._sweep.known
        if self._request.whole:
            known.few = known.studies <= self._request.small_archive
            samples = known.prefixes["PatientID"].samples
            known.question_mark = _honours_question_mark(self._driver.finder(), samples)
        self._sweep.cut_by_text()
        self._driver.run()
        if self._request.whole:
            self._sweep_second()

    def _ask_universal(self, *, resumed: bool) -> None:
        node = self._sweep.windows.root(PATIENT)
        if node is None and not resumed:
            node = self._sweep.add(Window(axis=PATIENT))
        if node is None or node.state != "open":
            return
        self._sweep.windows.take_out(node)
        answer = self._driver.asker().ask(node)
        self._driver.note(answer)
        self._sweep.hold(node, answer)
        self._universal = node, answer
        for found in date_leaf_studies(self._request, self._crawl_id):
            self._sweep.compare(found)

    def _sweep_second(self) -> None:
        if self._universal is not None:
            self._sweep.record(*self._universal)
        self._driver.run()
        if self._wants_third_axis():
            self._sweep_accessions()
            self._driver.run()

    def _wants_third_axis(self) -> bool:
        """Where both axes may be blind to the same study, accession numbers are the third."""
        certificate = certify(self._windows)
        known = self._sweep.known
        if certificate.universal or self._sweep.windows.root(ACCESSION) is not None:
            return False
        few = self._recorder.answers <= self._request.small_archive
        return few or PATIENT not in certificate.axes or known.prefixes["PatientID"].empty > 0

    def _sweep_accessions(self) -> None:
        if any(row.window_id == Window(axis=ACCESSION).window_id for row in self._windows()):
            return
        self._sweep.add(Window(axis=ACCESSION), state="split")

    def _windows(self) -> Iterator[journal.WindowRow]:
        return journal.all_windows(self._request.db)

    # --- after the axes ---------------------------------------------------------------------------

    def _confirm(self) -> Swept:
        look = SecondLook(self._request, self._driver.asker(), self._driver.finder(), self._windows)
        look.sample(self._crawl_id)
        self._recorder.flush()
        certificate = certify(self._windows)
        stats = self._fold(certificate)
        believed = certificate.universal or self._shows_everything(stats.studies)
        if stats.doubts and self._request.whole and not believed:
            answers = self._recorder.answers
            look.resolve(stats.doubts, certificate.expectations)
            self._recorder.flush()
            stats = self._fold(certificate) if self._recorder.answers > answers else stats
        return Swept(
            certificate=certificate,
            stats=stats,
            confirmed=look.result,
            estimate=_estimate(stats) if self._request.whole else None,
            sins=dict(self._driver.sins),
        )

    def _shows_everything(self, studies: int) -> bool:
        """The universal answer holds all that any window showed, and ends where no cap would."""
        return any(
            row.closed and row.status == SUCCESS and row.studies == studies and not self._request.plausible_cap(matches)
            for row in self._windows()
            if row.window_id == Window(axis=PATIENT).window_id and (matches := row.matches)
        )

    def _fold(self, certificate: Certificate) -> FoldStats:
        doubtful: Callable[[Mapping[str, Any]], bool] = certificate.expectations.doubtful
        return fold(
            FoldTerms(
                manifests=self._request.manifests,
                crawl_id=self._crawl_id,
                axis_of_window=certificate.axis_of_window,
                doubtful=doubtful,
            )
        )


def _asked_range(roots: tuple[Window, ...], request: CrawlRequest) -> list[Window]:
    return [root for root in roots if root.first == request.first and root.last == request.last]


def _estimate(stats: FoldStats) -> Estimate:
    return undiscovered(stats.by_axis[0], stats.by_second, stats.by_date_and_second, stats.studies)


def _honours_question_mark(finder: Finder, samples: list[str]) -> bool:
    """Whether `?` stands for one letter: tried with patient ids that are known to be there."""
    for sample in samples[:3]:
        found: list[Match] = []
        try:
            keys = {"StudyInstanceUID": "", "PatientID": f"?{sample[1:]}"}
            finder.find(Level.STUDY, keys, Bounded(found.append, _MOST_ANSWERS).take)
        except PeerError:
            return False
        if not any(match.values.get("PatientID", "").strip() == sample for match in found):
            return False
    return bool(samples)
