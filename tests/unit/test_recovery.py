"""After whatever happened, disk and journal agree again before anything else is done."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from migrate.engine.recovery import recover
from migrate.engine.retry import SETTLE_S
from migrate.journal import events as e
from migrate.journal.states import State
from migrate.journal.store import Journal
from migrate.model import Evidence
from migrate.staging.area import LandingArea
from tests.engine.events import MAKERS
from tests.engine.landed import landed
from tests.engine.objects import TestObject, make_studies, many


@pytest.fixture
def area(tmp_path: Path) -> LandingArea:
    return LandingArea(tmp_path / "staging")


@pytest.fixture
def objects(tmp_path: Path) -> list[TestObject]:
    """Two studies of two instances."""
    return make_studies(tmp_path / "objects", many(2, instances=2))


def retrieved(journal: Journal, uid: str, evidence: Sequence[Evidence]) -> None:
    journal.append([MAKERS[e.Found](uid), MAKERS[e.Planned](uid)])
    journal.append([e.Retrieved(study_instance_uid=uid, evidence=tuple(evidence))])


def test_nothing_happens_where_nothing_is_amiss(tmp_path: Path, area: LandingArea, objects: list[TestObject]) -> None:
    uid = objects[0].study_instance_uid
    with Journal(tmp_path) as journal:
        retrieved(journal, uid, [landed(area, one) for one in objects[:2]])
        assert recover(journal, area) == []
        assert journal.states_of([uid]) == {uid: State.RETRIEVED}
    assert len(list(area.staged())) == 2


@pytest.mark.parametrize("damage", ["gone", "short"])
def test_a_file_that_is_gone_or_short_is_fetched_again_and_the_others_are_kept(
    tmp_path: Path, area: LandingArea, objects: list[TestObject], damage: str
) -> None:
    uid = objects[0].study_instance_uid
    with Journal(tmp_path) as journal:
        evidence = [landed(area, one) for one in objects[:2]]
        retrieved(journal, uid, evidence)
        path = area.path_of(evidence[0].wire_xxh3)
        path.unlink() if damage == "gone" else path.write_bytes(path.read_bytes()[: evidence[0].size_bytes])
        [event] = recover(journal, area)
        assert isinstance(event, e.Lost)
        assert event.sop_instance_uids == (evidence[0].sop_instance_uid,)
        assert journal.states_of([uid]) == {uid: State.PLANNED}
        assert [row["sop_instance_uid"] for row in journal.instances(uid)] == [evidence[1].sop_instance_uid]


def test_a_whole_file_that_nobody_recorded_is_adopted_when_its_study_still_waits(
    tmp_path: Path, area: LandingArea, objects: list[TestObject]
) -> None:
    uid = objects[0].study_instance_uid
    evidence = landed(area, objects[0])
    with Journal(tmp_path) as journal:
        journal.append([MAKERS[e.Found](uid), MAKERS[e.Planned](uid)])
        [event] = recover(journal, area)
        assert isinstance(event, e.Staged)
        assert [row["wire_xxh3"] for row in journal.instances(uid)] == [evidence.wire_xxh3]
        assert recover(journal, area) == []


def test_a_file_of_a_study_that_does_not_wait_is_deleted(
    tmp_path: Path, area: LandingArea, objects: list[TestObject]
) -> None:
    with Journal(tmp_path) as journal:
        retrieved(journal, objects[0].study_instance_uid, [landed(area, objects[0])])
        for one in objects[1:]:
            landed(area, one)
        assert recover(journal, area) == []
    assert len(list(area.staged())) == 1


def test_a_file_that_is_not_what_its_name_says_is_deleted(
    tmp_path: Path, area: LandingArea, objects: list[TestObject]
) -> None:
    uid = objects[0].study_instance_uid
    path = area.path_of(landed(area, objects[0]).wire_xxh3)
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(bytes(content))
    with Journal(tmp_path) as journal:
        journal.append([MAKERS[e.Found](uid), MAKERS[e.Planned](uid)])
        assert recover(journal, area) == []
    assert list(area.staged()) == []


JUNK = {
    "an empty file": b"",
    "text": b"this is no DICOM object",
    "a header alone": bytes(128) + b"DICM",
    "noise": bytes(range(256)) * 20,
}


@pytest.mark.parametrize("content", JUNK.values(), ids=JUNK)
def test_junk_under_a_content_name_is_deleted(tmp_path: Path, area: LandingArea, content: bytes) -> None:
    path = area.path_of("ab" * 16)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with Journal(tmp_path) as journal:
        assert recover(journal, area) == []
    assert list(area.staged()) == []


def test_half_written_files_are_deleted(tmp_path: Path, area: LandingArea) -> None:
    path, descriptor = area.create()
    os.write(descriptor, b"half")
    os.close(descriptor)
    with Journal(tmp_path) as journal:
        recover(journal, area)
    assert not Path(path).exists()


def test_what_is_no_business_of_ours_is_left_alone(tmp_path: Path, area: LandingArea) -> None:
    foreign = [area.root / "README", area.root / "notes" / "ab.dcm", area.root / "quarantine" / ("cd" * 16 + ".dcm")]
    for path in foreign:
        path.parent.mkdir(exist_ok=True)
        path.write_text("keep me")
    with Journal(tmp_path) as journal:
        recover(journal, area)
    assert all(path.exists() for path in foreign)


def test_a_folder_in_tmp_does_not_end_the_recovery(tmp_path: Path, area: LandingArea) -> None:
    (area.root / "tmp" / "folder").mkdir()
    with Journal(tmp_path) as journal:
        assert recover(journal, area) == []


def test_files_of_ended_studies_that_are_not_flushed_are_no_loss(
    tmp_path: Path, area: LandingArea, objects: list[TestObject]
) -> None:
    uid = objects[0].study_instance_uid
    with Journal(tmp_path) as journal:
        evidence = [landed(area, one) for one in objects[:2]]
        retrieved(journal, uid, evidence)
        journal.append([MAKERS[e.Quarantined](uid)])
        area.remove(one.wire_xxh3 for one in evidence)
        assert recover(journal, area) == []
        assert journal.states_of([uid]) == {uid: State.QUARANTINED}


@pytest.mark.parametrize(("began", "held_back"), [(True, True), (False, False)], ids=["begun", "not begun"])
def test_an_upload_that_had_begun_waits_until_the_destination_knows_what_it_was_sent(
    tmp_path: Path, area: LandingArea, objects: list[TestObject], began: bool, held_back: bool
) -> None:
    uid = objects[0].study_instance_uid
    with Journal(tmp_path) as journal:
        retrieved(journal, uid, [landed(area, one) for one in objects[:2]])
        journal.append([e.Checksummed(study_instance_uid=uid), e.Normalized(study_instance_uid=uid, prepared=())])
        journal.append([e.UploadStarted(study_instance_uid=uid)] if began else [])
        before = time.time()
        recover(journal, area)
        found = journal.ready_of([uid], State.NORMALIZED, before)
        later = journal.ready_of([uid], State.NORMALIZED, time.time() + SETTLE_S)
    assert bool(found) is not held_back
    assert [one.study_instance_uid for one in later] == [uid]
