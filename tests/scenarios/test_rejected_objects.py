"""Rejection notes of IHE IOCM, and lists of what a database calls deleted, on their way through a migration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian

from migrate.checks.reconcile import reconcile
from migrate.engine.deleted import join_deleted
from migrate.engine.planning import make_plan
from migrate.journal import read
from migrate.journal.store import Journal
from tests.engine.inline import run_inline
from tests.engine.migration import Migrate, Migration
from tests.engine.objects import CANARY_ID, CANARY_NAME, UID_ROOT, StudyRecipe
from tests.engine.objects import read as read_object
from tests.engine.seeded import SOURCE, seed_tables

KEY_OBJECT_SELECTION = "1.2.840.10008.5.1.4.1.1.88.59"
STUDY = f"{UID_ROOT}.1"
NOTE = f"{STUDY}.2.1"


def sop(number: int) -> str:
    return f"{STUDY}.1.{number}"


def item(**values: Any) -> Dataset:
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, Sequence(value) if isinstance(value, list) else value)
    return dataset


def rejection_note(code: str, rejected: list[str], uid: str = NOTE) -> Dataset:
    """A Key Object Selection document with a rejecting title (PS3.3 A.35.4, IHE RAD TF-3 4.66)."""
    title = item(CodeValue=code, CodingSchemeDesignator="DCM", CodeMeaning="Rejected")
    refs = [item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID=each) for each in rejected]
    series = item(SeriesInstanceUID=f"{STUDY}.1", ReferencedSOPSequence=refs)
    note = item(
        SOPClassUID=KEY_OBJECT_SELECTION,
        SOPInstanceUID=uid,
        StudyInstanceUID=STUDY,
        SeriesInstanceUID=f"{STUDY}.2",
        Modality="KO",
        PatientName=CANARY_NAME,
        PatientID=CANARY_ID,
        StudyDate="20010115",
        ConceptNameCodeSequence=[title],
        CurrentRequestedProcedureEvidenceSequence=[item(StudyInstanceUID=STUDY, ReferencedSeriesSequence=[series])],
    )
    note.file_meta = FileMetaDataset()
    note.file_meta.MediaStorageSOPClassUID = UID(KEY_OBJECT_SELECTION)
    note.file_meta.MediaStorageSOPInstanceUID = UID(uid)
    note.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return note


def with_note(migration: Migrate, code: str, rejected: list[str]) -> Migration:
    """One study of three instances and a note that rejects some of them, planned."""
    one = migration([StudyRecipe(number=1)])
    add_note(one, rejection_note(code, rejected))
    return one


def add_note(one: Migration, note: Dataset) -> None:
    path = one.embedded_legacy.options.folder / f"000-note-{note.SOPInstanceUID}.dcm"
    note.save_as(path, enforce_file_format=True)
    one.embedded_legacy.archive.add_file(path)
    notes = one.embedded_legacy.options.folder.glob("000-note-*.dcm")
    seed_tables(one.run, [*one.objects, *(read_object(each) for each in notes)])


def books(one: Migration) -> dict[str, int]:
    found = reconcile(one.run.folder, SOURCE)
    assert found.balanced
    return {**found.instances, "rejected": found.rejected["instances"]}


EXCLUDING = ["113037", "113038", "113039"]


@pytest.mark.parametrize("code", EXCLUDING)
def test_what_a_note_rejects_stays_behind_with_the_note_and_the_books_say_so(migration: Migrate, code: str) -> None:
    one = with_note(migration, code, [sop(2)])
    assert run_inline(one.run) is None
    assert set(one.held()) == {sop(1), sop(3)}
    assert read.states(one.run.folder) == {"VERIFIED": 1}
    assert books(one) == {"source": 4, "migrated": 2, "excluded": 2, "failed": 0, "pending": 0, "rejected": 2}
    register = {(row["uid"], row["exception_class"], row["disposition"]) for row in read.exceptions(one.run.folder)}
    assert register == {(uid, "REJECTED_AT_SOURCE", "noted") for uid in (sop(2), NOTE)}


def test_what_was_rejected_for_its_quality_moves_with_a_flag_and_the_note_goes_last(migration: Migrate) -> None:
    one = with_note(migration, "113001", [sop(2)])
    assert run_inline(one.run) is None
    assert set(one.held()) == {*(sop(n) for n in (1, 2, 3)), NOTE}
    assert [uid for uid, _ in one.stores()][-1] == NOTE
    [noted] = list(read.exceptions(one.run.folder))
    assert (noted["uid"], noted["detail"], noted["disposition"]) == (sop(2), "113001: migrate", "noted")
    assert books(one) == {"source": 4, "migrated": 4, "excluded": 0, "failed": 0, "pending": 0, "rejected": 0}


@pytest.mark.parametrize(
    ("code", "policy", "held"),
    [
        ("113001", "exclude", {sop(1), sop(3)}),
        ("113001", {"113001": "exclude"}, {sop(1), sop(3)}),
        ("113039", "migrate", {sop(1), sop(2), sop(3), NOTE}),
    ],
)
def test_policy_says_for_each_title_what_is_done(migration: Migrate, code: str, policy: Any, held: set[str]) -> None:
    one = migration([StudyRecipe(number=1)])
    block = one.run.config.plan.model_copy(update={"rejected": policy})
    ordered = one.run.__class__(folder=one.run.folder, config=one.run.config.model_copy(update={"plan": block}))
    add_note(one, rejection_note(code, [sop(2)]))
    assert run_inline(ordered) is None
    assert set(one.held()) == held


def test_a_key_object_selection_with_another_title_rejects_nothing(migration: Migrate) -> None:
    one = with_note(migration, "113000", [sop(2)])
    assert run_inline(one.run) is None
    assert len(one.held()) == 4
    assert list(read.exceptions(one.run.folder)) == []


def test_a_study_of_which_all_is_rejected_is_excluded_in_the_books(migration: Migrate) -> None:
    one = with_note(migration, "113038", [sop(n) for n in (1, 2, 3)])
    assert run_inline(one.run) is None
    assert one.held() == {}
    found = reconcile(one.run.folder, SOURCE)
    assert found.studies == {"source": 1, "migrated": 0, "excluded": 1, "failed": 0, "pending": 0}
    assert found.rejected == {"studies": 1, "instances": 4}


def test_a_note_that_names_nothing_rejects_nothing_and_moves(migration: Migrate) -> None:
    note = rejection_note("113038", [sop(2)])
    del note.CurrentRequestedProcedureEvidenceSequence
    one = migration([StudyRecipe(number=1)])
    add_note(one, note)
    assert run_inline(one.run) is None
    assert set(one.held()) == {sop(1), sop(2), sop(3), NOTE}


def deleted(one: Migration, text: str) -> Path:
    path = one.run.folder / "deleted.csv"
    path.write_text(text)
    return path


def test_instances_that_a_list_calls_deleted_are_not_even_asked_for(migration: Migrate) -> None:
    one = migration([StudyRecipe(number=1)])
    joined = join_deleted(one.run.folder, one.run.config, deleted(one, f"SOP Instance UID\n{sop(3)}\n1.2.3\nx\n"))
    assert (joined.instances, joined.studies, joined.unmatched, joined.invalid) == (1, 0, 1, ((4, "not a UID"),))
    assert run_inline(one.run) is None
    assert {row["sop_instance_uid"] for row in one.run.rows("evidence")} == {sop(1), sop(2)}
    assert books(one) == {"source": 3, "migrated": 2, "excluded": 1, "failed": 0, "pending": 0, "rejected": 1}


@pytest.mark.parametrize("line", [f"study_instance_uid\n{STUDY}\n", f"SeriesInstanceUID\n{STUDY}.1\n"])
def test_a_study_that_a_list_calls_deleted_is_excluded_until_the_list_says_otherwise(
    migration: Migrate, line: str
) -> None:
    one = migration([StudyRecipe(number=1), StudyRecipe(number=2)])
    join_deleted(one.run.folder, one.run.config, deleted(one, line))
    for _ in range(2):
        with Journal(one.run.folder) as journal:
            make_plan(journal, one.run.folder, one.run.config)
        assert read.states(one.run.folder) == {"EXCLUDED": 1, "PLANNED": 1}
    found = reconcile(one.run.folder, SOURCE)
    assert found.studies["excluded"] == found.rejected["studies"] == 1
    join_deleted(one.run.folder, one.run.config, deleted(one, "study_instance_uid\n1.2.3\n"))
    with Journal(one.run.folder) as journal:
        make_plan(journal, one.run.folder, one.run.config)
    assert read.states(one.run.folder) == {"PLANNED": 2}
