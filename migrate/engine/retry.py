"""Retry, in one place: what may pass is tried again with backoff and jitter, bounded; then a person.

A circuit breaker per stage's peer: when nothing works any more the run stops with the peer's own
error instead of driving every study into quarantine.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from migrate.engine.cluster import Done
from migrate.errors import IllegalDicom, MigrateError, PeerError, PeerUnavailable
from migrate.journal.events import Event, Failed, Lost, Quarantined, SentInVain, Staged
from migrate.model import Defect, ExceptionClass, Level

BREAKER_FAILURES = 8
LONGEST_WAIT_S = 600.0
SETTLE_S = 2.0  # an archive may still be busy with what it was sent over an association that died


def backoff_s(attempt: int, base_s: float) -> float:
    """Seconds until the next attempt: doubling, capped, with jitter so that studies do not march in step."""
    return float(min(base_s * 2.0 ** min(attempt, 32), LONGEST_WAIT_S)) * random.uniform(0.5, 1.0)  # noqa: S311 - not for secrets


def wait_s(stage: str, attempt: int, base_s: float) -> float:
    """Seconds until a stage that failed is tried again: `backoff_s`, and after an upload `SETTLE_S` at the least."""
    return max(backoff_s(attempt, base_s), SETTLE_S if stage == "upload" else 0.0)


def event_of(done: Done, attempts: int, limit: int, retry_at: float) -> Event:
    """What the journal gets to hear of a finished task.

    Args:
        done: The task.
        attempts: How often this stage has failed for this study so far.
        limit: How many attempts there are.
        retry_at: When the next attempt would be (Unix s).

    Raises:
        MigrateError: The error must stop the run; nothing is recorded and the study stays where it is.
    """
    if done.error is None:
        return _bounded(_dated(done.event, retry_at), last=attempts + 1 >= limit)
    if isinstance(done.error, MigrateError) and done.error.stops_run:
        raise done.error
    if attempts + 1 < limit:
        reason = f"{done.stage}: {_told(done)}"
        return Failed(study_instance_uid=done.study_instance_uid, stage=done.stage, reason=reason, retry_at=retry_at)
    return Quarantined(study_instance_uid=done.study_instance_uid, defects=(_defect(done),))


def _dated(event: Event, retry_at: float) -> Event:
    if isinstance(event, Staged):
        return Staged(
            study_instance_uid=event.study_instance_uid,
            evidence=event.evidence,
            missing=event.missing,
            retry_at=retry_at,
        )
    return event


def _bounded(event: Event, *, last: bool) -> Event:
    """A disk that loses the same study again and again is a matter for a person, not for another round."""
    if not isinstance(event, Lost) or not last:
        return event
    uid = event.study_instance_uid
    lost = Defect(exception_class=ExceptionClass.READ_ERROR, level=Level.STUDY, uid=uid, detail=event.reason)
    return Quarantined(study_instance_uid=uid, defects=(lost,))


def _told(done: Done) -> str:
    """The error without anything that a foreign exception may have picked up from an object."""
    if done.worker_lost:
        return "the worker died"
    return str(done.error) if isinstance(done.error, MigrateError) else type(done.error).__name__


def _defect(done: Done) -> Defect:
    kind = ExceptionClass.READ_ERROR
    if isinstance(done.error, PeerError):
        kind = ExceptionClass.PEER_UNAVAILABLE
    elif isinstance(done.error, IllegalDicom):
        kind = ExceptionClass.ILLEGAL_DICOM
    detail = f"{done.stage} gave up: {_told(done)}"
    return Defect(exception_class=kind, level=Level.STUDY, uid=done.study_instance_uid, detail=detail)


@dataclass
class Breaker:
    """Counts failures of a peer in a row, over all studies."""

    failures: dict[str, int] = field(default_factory=dict)
    last: dict[str, PeerError] = field(default_factory=dict)

    def saw(self, resource: str, done: Done) -> None:
        """One finished task of a stage that uses the peer behind `resource`."""
        if isinstance(done.error, PeerError):
            self.failures[resource] = self.failures.get(resource, 0) + 1
            self.last[resource] = done.error
        elif not isinstance(done.event, (Staged, SentInVain)):
            self.failures[resource] = 0

    def open_error(self) -> PeerError | None:
        """The error to stop with, when a peer has failed too often in a row."""
        for resource, count in self.failures.items():
            if count >= BREAKER_FAILURES:
                error = self.last[resource]
                kind = PeerUnavailable if error.retryable else type(error)
                hint = error.hint or "when it works again, run the same command"
                return kind(f"the {resource} failed {count} times in a row: {error.fact}", hint, **error.facts)
        return None
