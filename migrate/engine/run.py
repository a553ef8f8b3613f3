"""The engine: one stage of one study at a time goes out, events come back, the journal grows.

An event is durable before the next stage of that study starts. Stopping (Ctrl-C, a full disk, a
peer that is gone) means: nothing new goes out, what is in flight is finished and recorded.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from migrate.engine import work as assemble
from migrate.engine.ahead import Ahead
from migrate.engine.auditing import Transfers, transfers
from migrate.engine.cluster import Cluster, Done
from migrate.engine.committing import Committing, committing
from migrate.engine.flush import flush, flush_all
from migrate.engine.hours import Hours
from migrate.engine.place import staging_folder
from migrate.engine.pulse import Pulse, beat_of
from migrate.engine.recovery import recover, swept
from migrate.engine.request import Progress, Request
from migrate.engine.retry import Breaker, event_of, wait_s
from migrate.engine.rulings import uids_of_run
from migrate.engine.starting import Busy, Starting
from migrate.engine.throttle import Throttle, source_throttle
from migrate.errors import Interrupted, MigrateError
from migrate.journal.events import Checksummed, CommitmentAsked, Event, Quarantined, UploadStarted, Verified
from migrate.journal.operators import here, note_run
from migrate.journal.states import State
from migrate.journal.store import Journal, ReadyStudy
from migrate.manifest.leftovers import forget_leftovers
from migrate.manifest.place import Manifests
from migrate.manifest.rejections import write_rejections
from migrate.manifest.uid_map import NEW_UIDS, write_uid_map
from migrate.manifest.write import give_memory_back
from migrate.model import Defect, ExceptionClass, Level
from migrate.peers import StagedStudy, StudyWork
from migrate.rules.run_uids import RunUids
from migrate.stages import STAGES
from migrate.staging.area import LandingArea, full

log = logging.getLogger("migrate.engine")

TICK_S = 0.2
FLUSH_EVERY_S = 10.0
MOST_HELD = 64


@dataclass
class Engine:
    """One run over one run folder. Use `run`."""

    request: Request
    journal: Journal
    cluster: Cluster
    area: LandingArea
    watch: Callable[[Progress], None]
    stopping: Callable[[], bool]
    throttle: Throttle
    busy: dict[str, Busy] = field(default_factory=dict)
    held: dict[str, StagedStudy] = field(default_factory=dict)
    breaker: Breaker = field(default_factory=Breaker)
    stop_with: MigrateError | None = None
    epoch: int = 0
    flushed_at: float = field(default_factory=time.monotonic)
    committing: Committing = field(init=False)
    transfers: Transfers = field(init=False)
    ahead: Ahead = field(init=False)
    starting: Starting = field(init=False)

    def __post_init__(self) -> None:
        self.committing = committing(self.request.run_folder, self.request.config)
        self.transfers = transfers(self.request)
        self.ahead = Ahead(self.request.run_folder, self.request.config.plan)
        self.starting = Starting(self.request, self.journal, self.throttle, self.busy)

    def run(self) -> None:
        """Until nothing is ready any more; start and stop stand in the audit trail.

        Raises:
            MigrateError: See `_work`.
        """
        with self.transfers.recorder:
            self._work()

    def _work(self) -> None:
        """Until nothing is ready any more.

        Raises:
            Interrupted: `stopping` said so; what was in flight is recorded.
            MigrateError: A full disk or a peer that is gone stopped the run; the same holds.
        """
        recover(self.journal, self.area)
        forget_leftovers(self._manifests)
        # The same studies as a run that was killed in its flush: its parts are replaced, not repeated.
        self._flush_all()
        hours = Hours(self.request.config.limits.hours, self.request.config.run.timezone)
        while True:
            if self._may_start() and hours.open_now():
                self._fill()
            if not self.busy and not (self._may_start() and self.starting.more_to_do()):
                break
            self._record(self.cluster.collect(TICK_S))
            self._flush_sometimes()
        self._flush_all()
        if self.stop_with:
            raise self.stop_with

    def _flush_all(self) -> None:
        flush_all(self.journal, self._manifests, self.area, self.transfers.recorder.deleted)

    @property
    def _manifests(self) -> Manifests:
        return Manifests(self.request.run_folder, self.request.config.run.source)

    def _may_start(self) -> bool:
        if self.stop_with is None and self.stopping():
            self.stop_with = Interrupted("stopped on request", "run the same command again to go on")
        if self.stop_with is None:
            self.stop_with = self.breaker.open_error()
        return self.stop_with is None

    def _fill(self) -> None:
        """Last stage first: what is nearly done frees the disk before new studies come in."""
        for stage in reversed(self.request.stages):
            if ready := self.starting.ready(stage):
                self.transfers.learn(self.ahead.learn(ready, self._following, self.busy))
            for study in ready:
                self._submit(stage, study)

    def _following(self, limit: int) -> list[ReadyStudy]:
        return self.journal.ready(State.PLANNED, time.time(), limit)

    def _submit(self, stage: str, study: ReadyStudy) -> None:
        uid = study.study_instance_uid
        attempts = self.request.config.limits.attempts
        known = self.ahead[uid]
        work: Any
        if stage == "retrieve":
            work = assemble.to_retrieve(self.journal, study, known, attempts)
        elif held := self.held.pop(uid, None):
            work = assemble.completed(held, study, known, attempts)
        else:
            work = assemble.staged(self.journal, study, known, attempts)
        if stage == "upload":
            self._keep_replaced_uids(work)
            self.journal.append([UploadStarted(study_instance_uid=uid)])
        if stage == "verify":
            work = self._with_transaction(work)
        self.transfers.submitted(stage, work)
        self.epoch += 1
        self.busy[uid] = Busy(study, stage, work)
        self.cluster.submit(stage, uid, work, self.epoch)

    def _with_transaction(self, study: StagedStudy) -> StagedStudy:
        """A request for storage commitment is recorded before it goes out: its answer may come after a kill."""
        transaction = self.committing.transaction(self.journal, study)
        if transaction is None:
            return study
        asked = CommitmentAsked(
            study_instance_uid=study.study_instance_uid,
            transaction_uid=transaction.transaction_uid,
            instances=len(transaction.references),
        )
        self.journal.append([asked])
        return replace(study, transaction=transaction)

    def _keep_replaced_uids(self, study: StagedStudy) -> None:
        """What goes out under another UID stands in `uid_map` before the first byte leaves."""
        changes = [change for one in study.prepared if NEW_UIDS in one.ledger for change in one.changes]
        write_uid_map(self._manifests, study.study_instance_uid, changes, self.uids)

    @cached_property
    def uids(self) -> RunUids:
        """The run's map of invalid UIDs."""
        return uids_of_run(self.request.config, self.request.run_folder)

    def _record(self, finished: Collection[Done]) -> None:
        """Append what came back, in one transaction, then let the next stages go."""
        events: list[tuple[Done, Event]] = []
        works: dict[str, StudyWork | StagedStudy] = {}
        for done in finished:
            busy = self.busy.pop(done.study_instance_uid)
            works[done.study_instance_uid] = busy.work
            if not self.committing.saw(done):
                self.breaker.saw(STAGES[done.stage].resource, done)
            if event := self._event_of(done, busy.study):
                events.append((done, event))
        self._append([event for _, event in events])
        for done in finished:
            if done.stage == "upload":
                self.area.forget(done.key)
        for done, event in events:
            self._hold(works[done.study_instance_uid], event)
            self.transfers.recorded(done.stage, event)
            self.watch(Progress(stage=done.stage, study_instance_uid=done.study_instance_uid, event=event))
            if isinstance(event, (Verified, Quarantined)):
                self.ahead.forget(done.study_instance_uid)

    def _hold(self, work: StudyWork | StagedStudy, event: Event) -> None:
        """Keep at hand what the next stage gets, for a few studies: the journal says the same, but has to be read."""
        staged = assemble.staged_after(work, event) if len(self.held) < MOST_HELD else None
        if staged:
            self.held[event.study_instance_uid] = staged
        else:
            self.held.pop(event.study_instance_uid, None)

    def _append(self, events: Sequence[Event]) -> None:
        """What rejection notes say is in its table before the journal relies on it."""
        for event in events:
            if isinstance(event, Checksummed):
                write_rejections(self._manifests, event.study_instance_uid, event.rejected)
        if events:
            self.journal.append(events)

    def _event_of(self, done: Done, study: ReadyStudy) -> Event | None:
        limits = self.request.config.limits
        retry_at = time.time() + wait_s(done.stage, study.attempts, limits.backoff_s)
        try:
            event = event_of(done, study.attempts, limits.attempts, retry_at)
        except MigrateError as error:
            self.stop_with = self.stop_with or error
            return None
        if done.error:
            log.warning("%s of study %s: %s", done.stage, done.study_instance_uid, _told(done.error))
        return self._with_register(event)

    def _with_register(self, event: Event) -> Event:
        """A study whose instances are all proven but for known defects ends in quarantine, not verified."""
        if not isinstance(event, Verified):
            return event
        known = [
            Defect(exception_class=ExceptionClass(kind), level=Level(level), uid=uid, detail=detail)
            for kind, level, uid, detail in self.journal.open_exceptions(event.study_instance_uid)
        ]
        if not known:
            return event
        return Quarantined(
            study_instance_uid=event.study_instance_uid, defects=tuple(known), checked=event.checked, flags=event.flags
        )

    def _flush_sometimes(self) -> None:
        if time.monotonic() - self.flushed_at > FLUSH_EVERY_S:
            flush(self.journal, self._manifests, self.area, removed=self.transfers.recorder.deleted)
            self.flushed_at = time.monotonic()


def _told(error: BaseException) -> str:
    return str(error) if isinstance(error, MigrateError) else type(error).__name__


def run(request: Request, watch: Callable[[Progress], None], stopping: Callable[[], bool]) -> None:
    """Move studies through `request.stages` until nothing is ready.

    Raises:
        MigrateError: See `Engine.run`; the journal holds everything that was done.
    """
    give_memory_back()
    staging = staging_folder(request.run_folder, request.config)
    area = LandingArea(staging, int(request.config.staging.reserve_gb * 1024**3))
    if shutil.disk_usage(staging).free < area.reserve_bytes:
        raise full(staging, area.reserve_bytes)
    with (
        Journal(request.run_folder, take_over=request.take_over) as journal,
        swept(area),
        Cluster(request.config, str(request.run_folder), request.scheduler) as cluster,
        source_throttle(request) as throttle,
    ):
        note_run(journal, here(request.by), request.stages, ", ".join(request.config.normalize.packs))
        engine = Engine(request, journal, cluster, area, watch, stopping, throttle)
        hours = Hours(request.config.limits.hours, request.config.run.timezone)
        with Pulse(request.run_folder, lambda: beat_of(engine.busy, throttle, hours)):
            engine.run()
