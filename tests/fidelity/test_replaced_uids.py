"""Invalid UIDs replaced by the map of the run: sent, found, proven and booked under the right name each."""

from __future__ import annotations

import io
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom import config, dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from migrate.demo.archive import read_object as stored_object
from migrate.dicom.uid import valid_uid
from migrate.engine.asking import ask_destination
from migrate.engine.place import open_site
from migrate.engine.rulings import uids_of_run
from migrate.errors import ConfigError
from migrate.journal import read
from migrate.journal.store import Journal
from migrate.manifest.uid_map import read_uid_map
from migrate.rules.run_uids import RunUids
from tests.engine.command import migrate
from tests.engine.inline import run_inline
from tests.engine.migration import Migrate, Migration
from tests.engine.objects import CT, StudyRecipe, many
from tests.engine.objects import read as read_object
from tests.engine.seeded import between, seeded, write_config

PACK = {"normalize": {"packs": ["uids"]}}
BAD_STUDY, BAD_SERIES = "1.2.0840.7.1", "1.2.0840.7.1.1"
BAD_SOPS = ("1.2.0840.7.1.1.1", "1.2.0840.7.1.1.2")


@pytest.fixture
def bad(migration: Migrate) -> Migration:
    """A planned run: one study whose UIDs are all invalid, and one that refers to it."""
    one = migration([StudyRecipe(number=1, instances=2), StudyRecipe(number=2, instances=1)], PACK)
    changed = [_changed(item.path, number) for number, item in enumerate(one.objects)]
    objects = [read_object(path) for path in changed]
    for path in changed:
        stored = stored_object(path)
        assert stored is not None
        one.embedded_legacy.archive.add(stored)
    peers = between(one.legacy.port, one.dir.port, one.run.config.receiver.port)
    return replace(one, run=seeded(one.run.folder.with_name("second"), objects, peers, PACK))


def _changed(path: Path, number: int) -> Path:
    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")
        dataset = dcmread(io.BytesIO(path.read_bytes()))
        if number < 2:
            dataset.StudyInstanceUID, dataset.SeriesInstanceUID = BAD_STUDY, BAD_SERIES
            dataset.SOPInstanceUID = UID(BAD_SOPS[number])
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        else:
            reference = Dataset()
            reference.ReferencedSOPClassUID = dataset.SOPClassUID
            reference.ReferencedSOPInstanceUID = BAD_SOPS[0]
            dataset.ReferencedImageSequence = Sequence([reference])
        dataset.save_as(path)
    return path


def held(one: Migration) -> dict[str, Any]:
    """What the DI-r holds, by SOP Instance UID."""
    found = (dcmread(path) for path in one.dir_folder.rglob("*.dcm"))
    return {str(dataset.SOPInstanceUID): dataset for dataset in found}


def test_a_run_replaces_invalid_uids_in_objects_meta_and_references_and_proves_the_result(bad: Migration) -> None:
    assert run_inline(bad.run) is None
    assert read.states(bad.run.folder) == {"VERIFIED": 2}
    uid_map, objects = read_uid_map(bad.run.folder), held(bad)
    assert uid_map.keys() == {BAD_STUDY, BAD_SERIES, *BAD_SOPS}
    assert all(valid_uid(new) for new in uid_map.values())
    assert {uid_map[uid] for uid in BAD_SOPS} < objects.keys()
    for uid in BAD_SOPS:
        there = objects[uid_map[uid]]
        assert there.file_meta.MediaStorageSOPInstanceUID == there.SOPInstanceUID
        assert (there.StudyInstanceUID, there.SeriesInstanceUID) == (uid_map[BAD_STUDY], uid_map[BAD_SERIES])
    (reference,) = objects[bad.objects[2].sop_instance_uid].ReferencedImageSequence
    assert reference.ReferencedSOPInstanceUID == uid_map[BAD_SOPS[0]]


def test_tables_keep_the_uids_that_were_received_beside_those_that_were_sent(bad: Migration) -> None:
    assert run_inline(bad.run) is None
    uid_map = read_uid_map(bad.run.folder)
    received = {row["sop_instance_uid"] for row in bad.run.rows("evidence")}
    uploads = {row["sop_instance_uid"]: row["sent_sop_instance_uid"] for row in bad.run.rows("uploads")}
    outcomes = {row["sop_instance_uid"]: row["outcome"] for row in bad.run.rows("verification")}
    assert received == uploads.keys() == outcomes.keys() >= set(BAD_SOPS)
    assert {uid: uploads[uid] for uid in BAD_SOPS} == {uid: uid_map[uid] for uid in BAD_SOPS}
    assert set(outcomes.values()) == {"match"}


def test_a_second_look_asks_the_destination_by_the_new_uids(bad: Migration) -> None:
    assert run_inline(bad.run) is None
    answers, again = ask_destination(bad.run.folder, bad.run.config, [BAD_STUDY])
    assert again(BAD_STUDY) == set(BAD_SOPS)
    assert dict(answers) == {BAD_STUDY: set(BAD_SOPS)}
    ended = migrate(bad.run.folder, "--json", "reconcile")
    assert (ended.code, ended.json["findings"]["match"], ended.json["balanced"]) == (0, 3, True), ended.stderr


def test_a_study_in_doubt_is_asked_for_under_its_new_uids_and_not_sent_twice(bad: Migration) -> None:
    assert run_inline(bad.run, stages=("retrieve", "checksum", "normalize", "upload")) is None
    before = bad.sent()
    with Journal(bad.run.folder) as journal, journal.transaction() as db:
        db.execute("UPDATE studies SET state = 'NORMALIZED'")
    assert run_inline(bad.run) is None
    assert read.states(bad.run.folder) == {"VERIFIED": 2}
    assert bad.sent() == before


def test_the_map_is_the_same_for_every_worker_and_a_repeat_and_another_for_another_run() -> None:
    one, two = RunUids("A/a", {}), RunUids("A/b", {})
    assert one["1.02"] == RunUids("A/a", {})["1.02"] != two["1.02"]
    assert one["1.02"] != one["1.03"]
    assert RunUids("A/b", {"1.02": "2.25.7"})["1.02"] == "2.25.7"


@pytest.mark.parametrize("uid", ["", "1.2.3", "2.25.0"])
def test_what_is_valid_or_empty_has_no_replacement(uid: str) -> None:
    assert RunUids("A/a", {}).get(uid) is None


def test_what_is_written_down_goes_before_what_follows_from_the_name_of_the_run(bad: Migration) -> None:
    assert run_inline(bad.run) is None
    renamed = bad.run.config.model_copy(update={"run": bad.run.config.run.model_copy(update={"name": "other"})})
    assert uids_of_run(renamed, bad.run.folder)[BAD_STUDY] == read_uid_map(bad.run.folder)[BAD_STUDY]


def test_a_destination_that_cannot_follow_replaced_uids_is_refused_before_anything_moves(tmp_path: Path) -> None:
    given = write_config(tmp_path, PACK)
    other = given.model_copy(update={"destination": given.destination.model_copy(update={"kind": "other"})})
    with pytest.raises(ConfigError, match="cannot follow replaced UIDs"):
        open_site(other, str(tmp_path), 0, receive=False)


def test_a_run_without_invalid_uids_has_no_map(migration: Migrate) -> None:
    one = migration(many(1, file=CT), PACK)
    assert run_inline(one.run) is None
    assert one.run.rows("uid_map") == []
    assert {row["sent_sop_instance_uid"] for row in one.run.rows("uploads")} == one.expected().keys()
