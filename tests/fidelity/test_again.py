"""Proofs long after the move: read back, sampled, undone; the tables alone say what must be there."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest
from pydicom import dcmread

from migrate.audit.trail import FOLDER, files
from migrate.journal import read
from migrate.profiles import Learnt, ProfileFile, save_profile
from tests.cli.inline import Said, say
from tests.engine.inline import run_inline
from tests.engine.migration import Migrate, Migration
from tests.engine.objects import CANARY_ID, MR, StudyRecipe, many
from tests.engine.seeded import Settings

ISSUERS = {
    "normalize": {"packs": ["issuers"]},
    "normalize.values": {"issuer_of_patient_id": "FHA", "issuer_of_accession_number": "FHA_RIS"},
}


def moved(migration: Migrate, *settings: Settings, count: int = 2) -> Migration:
    """A finished run whose staging area is gone."""
    one = migration(many(count, instances=2), ISSUERS, *settings)
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": count}
    shutil.rmtree(one.run.staging)
    return one


def at_the_destination(one: Migration, number: int = 0) -> Path:
    wanted = one.objects[number].sop_instance_uid
    return next(path for path in one.dir_folder.rglob("*.dcm") if dcmread(path).SOPInstanceUID == wanted)


def alter(one: Migration, keyword: str, value: str) -> None:
    """Somebody changes an object at the destination, months later."""
    path = at_the_destination(one)
    dataset = dcmread(path)
    setattr(dataset, keyword, value)
    dataset.save_as(path)


def ended(one: Migration, *arguments: str) -> Said:
    return say(one.run.folder, "--json", *arguments)


def test_what_is_still_there_is_found_to_be_the_same_and_nothing_is_sent(migration: Migrate) -> None:
    one = moved(migration)
    before = one.sent()
    found = ended(one, "verify", "--again")
    assert (found.code, found.json["instances"]) == (0, {"match": 4}), found.stderr
    assert found.json["acceptance"]["compared"] == 2
    assert one.sent() == before
    assert len(one.run.rows("verification")) == 8


def test_what_was_changed_since_is_found_and_put_aside(migration: Migrate) -> None:
    one = moved(migration)
    alter(one, "StudyDescription", "SOMETHING ELSE")
    found = ended(one, "verify", "--again")
    assert (found.code, found.json["instances"]) == (4, {"match": 3, "differs": 1}), found.stderr
    assert read.states(one.run.folder) == {"VERIFIED": 1, "QUARANTINED": 1}
    assert one.sent() == one.once()
    reconciled = ended(one, "reconcile")
    assert reconciled.json["instances"] == {"source": 4, "migrated": 3, "excluded": 0, "failed": 1, "pending": 0}


def test_what_is_gone_is_found(migration: Migrate) -> None:
    one = moved(migration)
    archive = one.embedded_dir.archive
    archive.remove(next(o for o in archive.objects() if o.sop_instance_uid == one.objects[0].sop_instance_uid))
    found = ended(one, "verify", "--again", "--only", one.objects[0].study_instance_uid)
    assert found.code == 4, found.stderr
    assert found.json["instances"] == {"match": 1, "missing": 1}


@pytest.mark.parametrize(
    "believed", [{"verify": "c-find"}, {"verify": "commitment", "commitment": "always"}], ids=["list", "commitment"]
)
def test_a_second_look_compares_contents_where_the_first_believed_a_word(
    migration: Migrate, believed: dict[str, str]
) -> None:
    one = moved(migration, {"destination": believed}, count=1)
    alter(one, "StudyDescription", "SOMETHING ELSE")
    found = ended(one, "verify", "--again")
    assert (found.code, found.json["instances"]) == (4, {"match": 1, "differs": 1}), found.stderr


def test_a_study_that_is_not_verified_cannot_be_verified_again(migration: Migrate) -> None:
    one = moved(migration)
    found = say(one.run.folder, "verify", "--again", "--only", "1.2.3")
    assert (found.code, "not verified" in found.stderr) == (2, True)


def test_a_second_look_does_not_pretend_to_use_a_cluster(migration: Migrate) -> None:
    one = moved(migration, count=1)
    found = say(one.run.folder, "verify", "--again", "--scheduler", "tcp://127.0.0.1:1")
    assert (found.code, "uses no workers" in found.stderr) == (2, True)


def test_declared_coercions_are_known_from_the_first_proof(migration: Migrate) -> None:
    settings = {"destination": {"coercions": ["00080080"]}}
    one = migration(many(1), settings, dir_={"store": {"coerce": {"InstitutionName": "DI-R"}}})
    assert run_inline(one.run) is None
    assert ended(one, "verify", "--again").json["instances"] == {"match": 3}
    alter(one, "InstitutionName", "SOMEWHERE")
    assert ended(one, "verify", "--again").json["instances"] == {"match": 2, "differs": 1}


def test_a_sample_proves_a_bound_where_only_lists_were_believed(migration: Migrate) -> None:
    sampling: Settings = {
        "acceptance": {"max_defect_rate": 0.5, "confidence": 0.75},
        "destination": {"verify": "c-find"},
    }
    one = moved(migration, sampling, count=4)
    found = ended(one, "verify", "--sample")
    assert (found.code, found.json["studies"], found.json["instances"]) == (0, 4, {"match": 8}), found.stderr
    assert found.json["acceptance"] == {"studies": 4, "compared": 4, "defective": 0, "confidence": 0.75, "bound": 0.0}


def test_a_sample_draws_no_more_than_it_needs(migration: Migrate) -> None:
    sampling: Settings = {
        "acceptance": {"max_defect_rate": 0.5, "confidence": 0.75},
        "destination": {"verify": "c-find"},
    }
    recipes = [StudyRecipe(number=25 * number + 1, instances=1) for number in range(6)]
    one = migration(recipes, sampling)
    assert run_inline(one.run) is None
    found = ended(one, "verify", "--sample").json
    assert (found["studies"], found["acceptance"]["compared"], found["acceptance"]["studies"]) == (2, 2, 6)
    assert found["acceptance"]["bound"] == pytest.approx(0.5)


def test_originals_come_back_from_the_ledger_and_what_the_destination_holds(migration: Migrate) -> None:
    one = moved(migration)
    found = ended(one, "normalize", "--undo-check", "--sample", "3")
    assert (found.code, found.json["reversible"], found.json["irreversible"]) == (0, 3, []), found.stderr


def test_originals_come_back_while_objects_are_still_staged(migration: Migrate) -> None:
    one = migration(many(1), ISSUERS)
    assert run_inline(one.run, stages=("retrieve", "checksum", "normalize")) is None
    found = ended(one, "normalize", "--undo-check")
    assert (found.code, found.json["reversible"]) == (0, 3), found.stderr


def test_an_object_that_was_changed_since_says_nothing_about_the_ledger(migration: Migrate) -> None:
    one = moved(migration, count=1)
    alter(one, "StudyDescription", "SOMETHING ELSE")
    found = ended(one, "normalize", "--undo-check")
    assert (found.code, found.json["reversible"], len(found.json["not_comparable"])) == (0, 1, 1), found.stderr


def test_one_staged_object_is_shown_side_by_side_and_masked(migration: Migrate) -> None:
    one = migration([StudyRecipe(number=1, file=MR)], ISSUERS)
    assert run_inline(one.run, stages=("retrieve",)) is None
    study, sop = one.objects[0].study_instance_uid, one.objects[0].sop_instance_uid
    by_study, by_sop = (ended(one, "normalize", "--what-if", "--diff", uid) for uid in (study, sop))
    assert by_study.json == by_sop.json
    signs = {row["keyword"]: row["sign"] for row in by_sop.json["rows"] if len(row["path"]) == 8}
    assert (signs["IssuerOfPatientID"], signs["Modality"]) == ("+", "=")
    assert CANARY_ID not in by_sop.stdout
    assert CANARY_ID in ended(one, "normalize", "--what-if", "--diff", sop, "--identifying").stdout


def test_a_file_is_shown_side_by_side_before_anything_moved(migration: Migrate) -> None:
    one = migration(many(1), ISSUERS)
    path = str(one.objects[0].path)
    assert "IssuerOfPatientID" in say(one.run.folder, "normalize", "--what-if", "--file", path).stdout
    assert say(one.run.folder, "normalize", "--what-if", "--file", path, "--diff", "1.2.3").code == 2
    assert say(one.run.folder, "normalize", "--file", path).code == 2


@pytest.mark.parametrize("retrieve", ["c-move", "c-get"])
def test_an_object_that_is_not_staged_is_fetched_shown_and_not_kept(migration: Migrate, retrieve: str) -> None:
    one = migration(many(2, instances=3), ISSUERS, {"source": {"retrieve": retrieve}})
    wanted = one.objects[1]
    shown = ended(one, "normalize", "--what-if", "--diff", wanted.sop_instance_uid)
    assert (shown.code, shown.json["sop_instance_uid"]) == (0, wanted.sop_instance_uid), shown.stderr
    assert {row["keyword"]: row["sign"] for row in shown.json["rows"]}["IssuerOfPatientID"] == "+"
    assert CANARY_ID not in shown.stdout
    by_study = say(one.run.folder, "normalize", "--what-if", "--diff", wanted.study_instance_uid)
    assert "fetched from the source" in by_study.stdout
    assert one.run.staged_files() == []
    assert read.states(one.run.folder) == {"PLANNED": 2}
    assert any(wanted.study_instance_uid in path.read_text("utf-8") for path in files(one.run.folder / FOLDER))


def test_a_source_that_is_known_to_give_is_asked_while_a_run_holds_the_receiver(migration: Migrate) -> None:
    one = migration(many(1), ISSUERS)
    port, receiver = one.run.config.source.port, one.run.config.receiver.port
    learnt = {"c_get": Learnt(value=True, how="", when="")}
    save_profile(one.run.folder, ProfileFile(side="source", peer=f"LEGACY@127.0.0.1:{port}", learnt=learnt))
    with socket.create_server(("127.0.0.1", receiver)):
        shown = ended(one, "normalize", "--what-if", "--diff", one.objects[0].sop_instance_uid)
    assert shown.code == 0, shown.stderr


def test_what_the_crawl_did_not_list_or_the_source_does_not_give_is_told(migration: Migrate) -> None:
    one = migration(many(1), ISSUERS)
    unknown = say(one.run.folder, "normalize", "--what-if", "--diff", "1.2.3")
    assert (unknown.code, "listed no instance" in unknown.stderr) == (2, True)
    one.embedded_legacy.archive.remove(one.embedded_legacy.archive.objects()[0])
    gone = say(one.run.folder, "normalize", "--what-if", "--diff", one.objects[0].sop_instance_uid)
    assert (gone.code, "did not give the object" in gone.stderr) == (40, True), gone.stderr
