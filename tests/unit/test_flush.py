"""Ended studies leave the journal for the tables: first there, then gone here, and never twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from migrate.engine.flush import flush
from migrate.journal import events as e
from migrate.journal.store import Journal
from migrate.manifest.place import Manifests
from migrate.manifest.read import count_rows, read_table
from migrate.model import Change, Outcome, Prepared, ledger_of
from migrate.staging.area import LandingArea
from tests.cli.inline import say
from tests.engine.events import MAKERS, STUDY, change, checked, defect, evidence, prepared, sop, stored, straight
from tests.engine.seeded import between, write_config

TABLES = ("evidence", "uploads", "verification", "changes", "identity_changes")


@pytest.fixture
def place(tmp_path: Path) -> Manifests:
    return Manifests(tmp_path, "TEST")


@pytest.fixture
def area(tmp_path: Path) -> LandingArea:
    return LandingArea(tmp_path / "staging")


def tables(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Every table's rows in a fixed order."""
    return {table: sorted(read_table(folder, table).to_pylist(), key=repr) for table in TABLES}


def stage_files(area: LandingArea, *studies: str) -> None:
    for study in studies:
        for number in (1, 2):
            path = area.path_of(evidence(study, number).wire_xxh3)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x" * 500)


def test_a_verified_study_goes_to_the_tables_and_leaves_journal_and_staging(
    tmp_path: Path, place: Manifests, area: LandingArea
) -> None:
    stage_files(area, STUDY)
    with Journal(tmp_path) as journal:
        journal.append(straight())
        assert flush(journal, place, area) == 1
        assert journal.instances(STUDY) == []
        assert flush(journal, place, area) == 0
    assert {table: count_rows(tmp_path, table) for table in TABLES} == {
        "evidence": 2,
        "uploads": 2,
        "verification": 2,
        "changes": 2,
        "identity_changes": 0,
    }
    assert list(area.staged()) == []


def test_a_study_in_flight_stays(tmp_path: Path, place: Manifests, area: LandingArea) -> None:
    stage_files(area, STUDY)
    with Journal(tmp_path) as journal:
        journal.append(straight(until=e.Uploaded))
        assert flush(journal, place, area) == 0
        assert len(journal.instances(STUDY)) == 2
    assert len(list(area.staged())) == 2


class KilledAfterTables(Journal):
    """The engine's journal in a process that dies between the tables and the journal."""

    def flushed(self, studies: Any) -> None:
        raise KeyboardInterrupt


def test_a_flush_that_was_killed_after_its_tables_replaces_itself(
    tmp_path: Path, place: Manifests, area: LandingArea
) -> None:
    stage_files(area, "1.1", "1.2")
    with Journal(tmp_path) as journal:
        journal.append([*straight("1.1"), *straight("1.2", e.Uploaded), MAKERS[e.Quarantined]("1.2")])
    with KilledAfterTables(tmp_path) as dying, pytest.raises(KeyboardInterrupt):
        flush(dying, place, area)
    after_the_kill = tables(tmp_path)
    with Journal(tmp_path) as journal:
        assert flush(journal, place, area) == 2
    assert tables(tmp_path) == after_the_kill
    assert count_rows(tmp_path, "evidence") == 4


def test_what_went_to_the_tables_from_quarantine_does_not_go_there_again_after_a_retry(
    tmp_path: Path, place: Manifests, area: LandingArea
) -> None:
    half = e.Quarantined(study_instance_uid=STUDY, defects=(defect(STUDY, 2),), checked=(checked(),))
    again = [
        e.Retrieved(study_instance_uid=STUDY, evidence=(evidence(number=2, attempt=2),)),
        MAKERS[e.Checksummed](STUDY),
        e.Normalized(study_instance_uid=STUDY, prepared=(prepared(number=2),)),
        MAKERS[e.UploadStarted](STUDY),
        e.Uploaded(study_instance_uid=STUDY, outcomes=(stored(number=2),)),
        e.Verified(study_instance_uid=STUDY, checked=(checked(number=2),)),
    ]
    with Journal(tmp_path) as journal:
        journal.append([*straight(until=e.Uploaded), half])
        flush(journal, place, area)
        journal.append([MAKERS[e.Retried](STUDY), *again])
        flush(journal, place, area)
        assert journal.instances(STUDY) == []
    rows = [(row["sop_instance_uid"], row["attempt"]) for row in tables(tmp_path)["evidence"]]
    assert sorted(rows) == [(sop(STUDY, 1), 1), (sop(STUDY, 2), 1), (sop(STUDY, 2), 2)]
    matches = [row["sop_instance_uid"] for row in tables(tmp_path)["verification"] if row["outcome"] == "match"]
    assert sorted(matches) == [sop(STUDY, 1), sop(STUDY, 2)]


def test_a_retry_behind_a_killed_flush_leaves_each_attempt_in_the_tables_once(
    tmp_path: Path, place: Manifests, area: LandingArea
) -> None:
    write_config(tmp_path, between(1, 2, 3), {"run": {"source": "TEST"}})
    half = e.Quarantined(study_instance_uid=STUDY, defects=(defect(STUDY, 2),), checked=(checked(),))
    with Journal(tmp_path) as journal:
        journal.append([*straight(until=e.Uploaded), half])
    with KilledAfterTables(tmp_path) as dying, pytest.raises(KeyboardInterrupt):
        flush(dying, place, area)
    assert say(tmp_path, "exceptions", "retry", STUDY).code == 0
    with Journal(tmp_path) as journal:
        again = e.Retrieved(study_instance_uid=STUDY, evidence=(evidence(number=2, attempt=2),))
        journal.append([again, MAKERS[e.Quarantined](STUDY)])
        assert flush(journal, place, area) == 1
    rows = [(row["sop_instance_uid"], row["attempt"]) for row in tables(tmp_path)["evidence"]]
    assert sorted(rows) == [(sop(STUDY, 1), 1), (sop(STUDY, 2), 1), (sop(STUDY, 2), 2)]


def test_a_study_sent_round_again_before_its_flush_is_not_taken_for_an_ended_one(
    tmp_path: Path, place: Manifests, area: LandingArea
) -> None:
    with Journal(tmp_path) as journal:
        journal.append([*straight(until=e.Uploaded), MAKERS[e.Quarantined](STUDY), MAKERS[e.Retried](STUDY)])
        journal.append([MAKERS[e.Retrieved](STUDY)])
        stage_files(area, STUDY)
        assert flush(journal, place, area) == 0
    assert len(list(area.staged())) == 2


def test_identifying_values_stand_in_their_own_table_alone(tmp_path: Path, place: Manifests, area: LandingArea) -> None:
    secret = Change(
        sop_instance_uid=sop(STUDY, 1),
        path="00100020",
        keyword="PatientID",
        before="9999999998",
        after="X",
        identifying=True,
        rule="r",
        pack="p",
        pack_version="1",
    )
    item = Prepared(sop_instance_uid=sop(STUDY, 1), dataset_xxh3="e" * 32, ledger=ledger_of([secret, change()]))
    with Journal(tmp_path) as journal:
        journal.append(straight(until=e.Checksummed))
        journal.append([e.Normalized(study_instance_uid=STUDY, prepared=(item, prepared(number=2)))])
        journal.append(straight()[5:])
        flush(journal, place, area)
    found = tables(tmp_path)
    assert [(row["before"], row["after"]) for row in found["changes"] if row["identifying"]] == [(None, None)]
    assert [(row["before"], row["after"]) for row in found["identity_changes"]] == [("9999999998", "X")]


def test_what_was_not_sent_has_no_upload_and_no_change(tmp_path: Path, place: Manifests, area: LandingArea) -> None:
    with Journal(tmp_path) as journal:
        journal.append([*straight(until=e.Normalized), MAKERS[e.Quarantined](STUDY)])
        flush(journal, place, area)
    assert {table: count_rows(tmp_path, table) for table in TABLES} == {
        "evidence": 2,
        **dict.fromkeys(TABLES[1:], 0),
    }


@pytest.mark.parametrize("outcome", [Outcome.DIFFERS, Outcome.MISSING, Outcome.UNVERIFIABLE])
def test_what_was_not_proven_stands_in_the_table_as_that(
    tmp_path: Path, place: Manifests, area: LandingArea, outcome: Outcome
) -> None:
    bad = e.Quarantined(
        study_instance_uid=STUDY, defects=(defect(STUDY, 2),), checked=(checked(), checked(number=2, outcome=outcome))
    )
    with Journal(tmp_path) as journal:
        journal.append([*straight(until=e.Uploaded), bad])
        flush(journal, place, area)
    rows = {row["sop_instance_uid"]: row["outcome"] for row in tables(tmp_path)["verification"]}
    assert rows == {sop(STUDY, 1): "match", sop(STUDY, 2): outcome.value}


def test_no_more_studies_than_asked_for_go_at_once(tmp_path: Path, place: Manifests, area: LandingArea) -> None:
    with Journal(tmp_path) as journal:
        for number in range(5):
            journal.append(straight(f"1.{number}"))
        assert [flush(journal, place, area, limit=2) for _ in range(4)] == [2, 2, 1, 0]
    assert count_rows(tmp_path, "evidence") == 10
