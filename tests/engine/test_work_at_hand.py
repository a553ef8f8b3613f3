"""What the engine hands on from stage to stage is what the journal would say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from migrate.engine.work import Known, completed, staged, staged_after, to_retrieve
from migrate.journal import events as e
from migrate.journal.states import State
from migrate.journal.store import Journal, ReadyStudy
from migrate.model import Decoded
from migrate.peers import StagedStudy, StudyWork
from tests.engine.events import MAKERS, STUDY, defect, evidence, prepared, sop, straight

KNOWN = Known(facility="RCH")
ATTEMPTS = 3
STAGES = (
    (State.RETRIEVED, MAKERS[e.Retrieved](STUDY)),
    (State.CHECKSUMMED, MAKERS[e.Checksummed](STUDY)),
    (State.NORMALIZED, MAKERS[e.Normalized](STUDY)),
    (State.UPLOADED, MAKERS[e.Uploaded](STUDY)),
)
DEFECTS = (defect(STUDY, 1),)
INCIDENTS = [
    e.Retrieved(study_instance_uid=STUDY, evidence=(evidence(), evidence(number=2)), defects=DEFECTS),
    e.Staged(study_instance_uid=STUDY, evidence=(evidence(),), missing=1),
    e.Checksummed(study_instance_uid=STUDY, defects=DEFECTS),
    e.Checksummed(study_instance_uid=STUDY, decoded=(Decoded(sop_instance_uid=sop(STUDY, 1), pixels_xxh3="a" * 32),)),
    e.Normalized(study_instance_uid=STUDY, prepared=(prepared(),), defects=DEFECTS),
    *(MAKERS[kind](STUDY) for kind in (e.Failed, e.Lost, e.SentInVain, e.Committed, e.Verified)),
]


def ready(journal: Journal, state: State) -> ReadyStudy:
    return journal.ready_of([STUDY], state, 1e12)[0]


def test_after_each_stage_without_incident_it_is_what_the_journal_says(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append(straight(STUDY, e.Planned))
        work: StudyWork | StagedStudy = to_retrieve(journal, ready(journal, State.PLANNED), KNOWN, ATTEMPTS)
        for state, event in STAGES:
            journal.append([MAKERS[e.UploadStarted](STUDY)] if isinstance(event, e.Uploaded) else [])
            journal.append([event])
            held = staged_after(work, event)
            assert held is not None
            study = ready(journal, state)
            work = completed(held, study, KNOWN, ATTEMPTS)
            assert work == staged(journal, study, KNOWN, ATTEMPTS)


def test_what_came_twice_counts_once_and_in_the_order_of_the_journal(tmp_path: Path) -> None:
    came = (evidence(number=2), replace(evidence(), received_at="first"), replace(evidence(), received_at="later"))
    event = e.Retrieved(study_instance_uid=STUDY, evidence=came)
    with Journal(tmp_path) as journal:
        journal.append([*straight(STUDY, e.Planned), event])
        held = staged_after(StudyWork(study_instance_uid=STUDY, instances=()), event)
        assert held is not None
        assert held.evidence == staged(journal, ready(journal, State.RETRIEVED), KNOWN, ATTEMPTS).evidence


@pytest.mark.parametrize("event", INCIDENTS, ids=lambda event: type(event).__name__)
def test_after_an_incident_the_journal_is_asked(event: e.Event) -> None:
    for work in (StudyWork(study_instance_uid=STUDY, instances=()), StagedStudy(study_instance_uid=STUDY, evidence=())):
        assert staged_after(work, event) is None


@pytest.mark.parametrize(
    "left", [{"staged": (evidence(),)}, {"aside": frozenset({sop(STUDY, 2)})}], ids=["earlier", "aside"]
)
def test_a_study_of_which_something_was_there_before_is_read_from_the_journal(left: dict[str, object]) -> None:
    work = replace(StudyWork(study_instance_uid=STUDY, instances=()), **left)  # type: ignore[arg-type]
    assert staged_after(work, MAKERS[e.Retrieved](STUDY)) is None
