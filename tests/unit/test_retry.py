"""What may pass is tried again, with patience that ends; what will not pass is told at once."""

from __future__ import annotations

from typing import Any

import pytest
from distributed.scheduler import KilledWorker
from hypothesis import given
from hypothesis import strategies as st

from migrate.engine.cluster import Done
from migrate.engine.retry import BREAKER_FAILURES, LONGEST_WAIT_S, SETTLE_S, Breaker, backoff_s, event_of, wait_s
from migrate.errors import (
    ConfigError,
    IllegalDicom,
    LocalError,
    MigrateError,
    PeerError,
    PeerRefused,
    PeerUnavailable,
    StagingFull,
)
from migrate.journal.events import Checksummed, Failed, Lost, Quarantined, SentInVain, Staged
from migrate.model import ExceptionClass
from tests.engine.events import STUDY


def done(error: BaseException | None = None, event: Any = None, stage: str = "upload") -> Done:
    return Done(study_instance_uid=STUDY, stage=stage, event=event, error=error)


def killed_worker() -> KilledWorker:
    return KilledWorker("task", "worker", 0)  # type: ignore[arg-type]


@given(st.integers(0, 2000), st.floats(0.01, 100))
def test_the_wait_grows_and_never_exceeds_its_bound(attempt: int, base_s: float) -> None:
    waited_s = backoff_s(attempt, base_s)
    most_s = min(base_s * 2.0 ** min(attempt, 60), LONGEST_WAIT_S)
    assert most_s / 2 <= waited_s <= most_s <= LONGEST_WAIT_S


@pytest.mark.parametrize(("stage", "least_s"), [("upload", SETTLE_S), ("retrieve", 0.0), ("verify", 0.0)])
def test_after_an_upload_the_destination_gets_time_to_settle(stage: str, least_s: float) -> None:
    assert least_s <= wait_s(stage, 1, 0.001) <= max(least_s, 0.002)
    assert wait_s(stage, 5, 10.0) >= 5 * SETTLE_S


@pytest.mark.parametrize("attempts", [0, 1, 2])
@pytest.mark.parametrize(
    "error", [PeerUnavailable("gone"), killed_worker(), ValueError("x")], ids=lambda error: type(error).__name__
)
def test_what_may_pass_is_tried_again_later(error: BaseException, attempts: int) -> None:
    event = event_of(done(error), attempts, 4, 99.0)
    assert isinstance(event, Failed)
    assert (event.stage, event.retry_at) == ("upload", 99.0)


GIVEN_UP = [
    (PeerUnavailable("gone"), ExceptionClass.PEER_UNAVAILABLE),
    (PeerError("broken"), ExceptionClass.PEER_UNAVAILABLE),
    (IllegalDicom("nested too deeply"), ExceptionClass.ILLEGAL_DICOM),
    (killed_worker(), ExceptionClass.READ_ERROR),
    (ValueError("SECRET^NAME"), ExceptionClass.READ_ERROR),
]


@pytest.mark.parametrize(("error", "exception_class"), GIVEN_UP, ids=lambda value: type(value).__name__)
def test_after_the_last_attempt_a_person_is_asked(error: BaseException, exception_class: ExceptionClass) -> None:
    event = event_of(done(error), 3, 4, 99.0)
    assert isinstance(event, Quarantined)
    [defect] = event.defects
    assert defect.exception_class is exception_class
    assert "SECRET" not in defect.detail


@pytest.mark.parametrize("error", [StagingFull("full"), LocalError("read-only"), ConfigError("x"), PeerRefused("no")])
def test_what_concerns_every_study_stops_the_run_and_costs_no_study_an_attempt(error: MigrateError) -> None:
    with pytest.raises(type(error)):
        event_of(done(error), 0, 4, 99.0)


def test_an_event_is_recorded_as_it_is() -> None:
    event = Checksummed(study_instance_uid=STUDY)
    assert event_of(done(event=event), 0, 4, 99.0) is event


def test_a_study_of_which_some_is_missing_waits_for_its_next_attempt() -> None:
    event = event_of(done(event=Staged(study_instance_uid=STUDY, evidence=(), missing=2)), 0, 4, 99.0)
    assert isinstance(event, Staged)
    assert event.retry_at == 99.0


def test_a_study_whose_files_are_lost_again_and_again_ends_in_quarantine() -> None:
    lost = Lost(study_instance_uid=STUDY, reason="1 file gone", sop_instance_uids=("1.1",))
    assert event_of(done(event=lost), 2, 4, 99.0) is lost
    last = event_of(done(event=lost), 3, 4, 99.0)
    assert isinstance(last, Quarantined)
    assert last.defects[0].exception_class is ExceptionClass.READ_ERROR


def test_the_breaker_opens_after_so_many_failures_in_a_row_with_the_peers_own_error() -> None:
    breaker = Breaker()
    for _ in range(BREAKER_FAILURES - 1):
        breaker.saw("destination", done(PeerUnavailable("no answer", "look at it", peer="DIR")))
    assert breaker.open_error() is None
    breaker.saw("destination", done(PeerUnavailable("no answer", "look at it", peer="DIR")))
    error = breaker.open_error()
    assert isinstance(error, PeerUnavailable)
    assert (error.hint, error.facts) == ("look at it", {"peer": "DIR"})


def test_one_success_closes_the_breaker_and_the_other_peer_has_its_own() -> None:
    breaker = Breaker()
    for _ in range(BREAKER_FAILURES):
        breaker.saw("source", done(PeerUnavailable("no answer")))
        breaker.saw("destination", done(PeerUnavailable("no answer")))
        breaker.saw("destination", done(event=Checksummed(study_instance_uid=STUDY)))
    assert breaker.failures == {"source": BREAKER_FAILURES, "destination": 0}
    assert "source" in str(breaker.open_error())


@pytest.mark.parametrize(
    "event",
    [Staged(study_instance_uid=STUDY, evidence=(), missing=1), SentInVain(study_instance_uid=STUDY, missing=1)],
    ids=lambda event: type(event).__name__,
)
def test_half_a_success_says_nothing_about_the_peer(event: Any) -> None:
    breaker = Breaker()
    breaker.saw("source", done(PeerUnavailable("no answer")))
    breaker.saw("source", done(event=event))
    assert breaker.failures == {"source": 1}
