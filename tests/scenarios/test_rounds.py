"""Studies that are asked for one by one, stage by stage, again, or differently than the crawl listed them."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from migrate.engine.planning import make_plan
from migrate.engine.request import Request
from migrate.engine.run import run
from migrate.journal import read
from migrate.journal.events import Changed, Retried
from migrate.journal.store import Journal
from migrate.manifest.place import Manifests
from migrate.manifest.write import replace_table
from migrate.stages import STAGES
from tests.engine.inline import run_inline
from tests.engine.migration import Migrate, Migration
from tests.engine.objects import MR, UID_ROOT, StudyRecipe, TestObject, make_studies, many
from tests.engine.objects import read as read_object
from tests.engine.seeded import seed_tables

FIRST = f"{UID_ROOT}.1"
ONE_ATTEMPT = {"limits": {"attempts": 1}}


def again(one: Migration, study: str = FIRST) -> None:
    """A person sends a quarantined study round again."""
    with Journal(one.run.folder) as journal:
        journal.append([Retried(study_instance_uid=study, by="ops", reason="the source was repaired")])


def classes(one: Migration) -> set[str]:
    return {row["exception_class"] for row in read.exceptions(one.run.folder)}


@pytest.mark.slow
def test_workers_in_processes_of_their_own_reach_the_same_end(migration: Migrate) -> None:
    one = migration(many(3), {"receiver": {"ae_titles": ["MIGRATE"]}})
    told: list[str] = []
    request = Request(run_folder=one.run.folder, config=one.run.config)
    run(request, lambda progress: told.append(type(progress.event).__name__), lambda: False)
    assert {Counter(told)[kind] for kind in ("Retrieved", "Checksummed", "Normalized", "Uploaded", "Verified")} == {3}
    assert one.held() == one.expected()
    assert one.sent() == one.once()


def test_stage_after_stage_gives_what_the_pipeline_gives(migration: Migrate) -> None:
    one = migration(many(2))
    states = []
    for stage in STAGES:
        assert run_inline(one.run, stages=(stage,)) is None
        states.append(read.states(one.run.folder))
    names = ("RETRIEVED", "CHECKSUMMED", "NORMALIZED", "UPLOADED", "VERIFIED")
    assert states == [{name: 2} for name in names]
    assert one.held() == one.expected()
    assert one.sent() == one.once()


def test_only_the_studies_that_are_named_are_moved(migration: Migrate) -> None:
    one = migration(many(3))
    assert run_inline(one.run, only=frozenset({FIRST})) is None
    assert read.states(one.run.folder) == {"PLANNED": 2, "VERIFIED": 1}
    assert {uid.rsplit(".", 2)[0] for uid in one.held()} == {FIRST}


TROUBLE_AT_FIRST = {"move": {"lose_every": 1, "lose_only_first_time": True}}


@pytest.mark.parametrize("asked", [{"only": frozenset({FIRST})}, {"limit": 1}], ids=["named", "limited"])
def test_a_study_that_must_wait_for_its_next_attempt_is_waited_for(migration: Migrate, asked: dict[str, Any]) -> None:
    one = migration(many(2), {"limits": {"backoff_s": 0.6}}, legacy=TROUBLE_AT_FIRST)
    assert run_inline(one.run, **asked) is None
    assert read.states(one.run.folder) == {"PLANNED": 1, "VERIFIED": 1}


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_no_more_studies_begin_than_the_limit_says(migration: Migrate, limit: int) -> None:
    one = migration(many(3, instances=1))
    assert run_inline(one.run, limit=limit) is None
    assert read.states(one.run.folder).get("VERIFIED", 0) == min(limit, 3)


def test_who_asks_to_stop_while_the_hours_are_closed_is_heard(migration: Migrate) -> None:
    one = migration(many(1), {"limits": {"hours": ["Mon 00:00-00:01"], "backoff_s": 0.05}})
    asked = iter([False] * 5 + [True] * 1000)
    error = run_inline(one.run, stopping=lambda: next(asked))
    assert error is None or error.exit_code == 130
    assert read.states(one.run.folder) in ({"PLANNED": 1}, {"VERIFIED": 1})


def test_a_study_that_was_repaired_goes_round_again_and_only_what_is_not_proven_is_sent(migration: Migrate) -> None:
    one = migration(many(1, instances=4), ONE_ATTEMPT)
    [lost] = one.embedded_legacy.archive.with_sop_instance_uid(one.objects[3].sop_instance_uid)
    content = lost.path.read_bytes()
    one.embedded_legacy.archive.remove(lost)
    assert run_inline(one.run) is None
    assert classes(one) == {"MISSING_AT_SOURCE"}
    assert one.sent().total() == 3
    lost.path.write_bytes(content)
    one.embedded_legacy.archive.add_file(lost.path)
    again(one)
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": 1}
    assert one.sent() == one.once()
    rows = [row["sop_instance_uid"] for row in one.run.rows("evidence")]
    assert rows == sorted(one.expected())


def test_a_study_that_the_destination_spoilt_is_sent_again_whole_after_it_was_repaired(migration: Migrate) -> None:
    one = migration(many(1, instances=2), ONE_ATTEMPT, dir_={"store": {"flip_bit_every": 2}})
    assert run_inline(one.run) is None
    assert classes(one) == {"CONTENT_MISMATCH"}
    spoilt = [uid for uid, content in one.held().items() if content != one.expected()[uid]]
    for stored in one.embedded_dir.archive.objects():
        if stored.sop_instance_uid in spoilt:
            one.embedded_dir.archive.remove(stored)
    again(one)
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": 1}
    assert one.held() == one.expected()
    assert one.sent() == one.once() + Counter(spoilt)


def grown(one: Migration, tmp_path: Path, number: int) -> TestObject:
    """The source gets one more instance of the first study."""
    [made] = make_studies(tmp_path / "late", [StudyRecipe(number=1, instances=number)])[-1:]
    path = one.embedded_legacy.options.folder / "late.dcm"
    shutil.copy(made.path, path)
    assert one.embedded_legacy.archive.add_file(path) is not None
    return read_object(path)


def test_an_instance_that_came_to_the_source_after_the_crawl_is_moved_with_its_study(
    migration: Migrate, tmp_path: Path
) -> None:
    one = migration(many(1))
    late = grown(one, tmp_path, 4)
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": 1}
    assert one.held() == {**one.expected(), late.sop_instance_uid: late.dataset_bytes}
    assert len(one.run.rows("verification")) == 4


def test_a_study_that_grew_after_it_was_moved_goes_round_again_and_only_what_is_new_is_sent(
    migration: Migrate, tmp_path: Path
) -> None:
    one = migration(many(2))
    assert run_inline(one.run) is None
    late = grown(one, tmp_path, 4)
    seed_tables(one.run, [*one.objects, late])
    with Journal(one.run.folder) as journal:
        journal.append([Changed(study_instance_uid=FIRST, detail="1 more instance")])
        make_plan(journal, one.run.folder, one.run.config)
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": 2}
    assert one.sent() == one.once() + Counter([late.sop_instance_uid])
    assert one.held() == {**one.expected(), late.sop_instance_uid: late.dataset_bytes}


def test_two_objects_under_one_uid_are_both_kept_back_and_the_rest_of_the_study_is_moved(migration: Migrate) -> None:
    one = migration(many(1), {"limits": {"attempts": 2}})
    dataset = dcmread(one.objects[0].path)
    dataset.StudyDescription = "ANOTHER OBJECT"
    twin = one.embedded_legacy.options.folder / "twin.dcm"
    dataset.save_as(twin)
    one.embedded_legacy.archive.add_file(twin)
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"QUARANTINED": 1}
    assert classes(one) == {"UID_COLLISION"}
    (told,) = (line["detail"] for line in read.exceptions(one.run.folder))
    assert told.endswith("they differ in 00081030")
    assert set(one.held()) == set(one.expected()) - {one.objects[0].sop_instance_uid}


def test_a_study_without_instances_is_an_empty_shell(migration: Migrate) -> None:
    one = migration(many(2, instances=1))
    seed_tables(one.run, one.objects)
    instances = [each for each in one.objects if each.study_instance_uid != FIRST]
    replace_table(
        Manifests(one.run.folder, "TEST"),
        "instances",
        [
            {
                "study_instance_uid": [each.study_instance_uid for each in instances],
                "series_instance_uid": [each.series_instance_uid for each in instances],
                "sop_instance_uid": [each.sop_instance_uid for each in instances],
            }
        ],
    )
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"QUARANTINED": 1, "VERIFIED": 1}
    assert classes(one) == {"EMPTY_SHELL"}


@pytest.mark.parametrize("stage", ["retrieve", "checksum", "normalize"])
@pytest.mark.parametrize("damage", ["flipped", "short", "gone"])
def test_a_staged_file_that_is_damaged_between_two_stages_is_fetched_again(
    migration: Migrate, stage: str, damage: str
) -> None:
    one = migration(many(1))
    names = tuple(STAGES)
    assert run_inline(one.run, stages=names[: names.index(stage) + 1]) is None
    path = next(path for path in one.run.staged_files() if path.suffix == ".dcm")
    content = bytearray(path.read_bytes())
    content[-50] ^= 8
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(bytes(content if damage == "flipped" else content[:-1000]))
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": 1}
    assert one.held() == one.expected()
    assert one.sent() == one.once()


def test_what_the_rules_change_is_declared_and_the_same_when_it_is_done_again(migration: Migrate) -> None:
    values = {"normalize": {"packs": ["common"]}, "normalize.values": {"issuer_of_patient_id": "TEST"}}
    one = migration([StudyRecipe(number=1), StudyRecipe(number=2, file=MR)], values)
    assert run_inline(one.run, stages=("retrieve", "checksum", "normalize")) is None
    digests = {row["sop_instance_uid"]: row["sent_dataset_xxh3"] for row in _rows(one)}
    next(path for path in one.run.staged_files() if path.suffix == ".dcm").unlink()
    assert run_inline(one.run, stages=("retrieve", "checksum", "normalize")) is None
    assert {row["sop_instance_uid"]: row["sent_dataset_xxh3"] for row in _rows(one)} == digests
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": 2}
    changed = {row["sop_instance_uid"] for row in one.run.rows("changes")}
    assert changed == set(one.expected())
    assert {uid for uid, content in one.held().items() if content != one.expected()[uid]} == changed


def _rows(one: Migration) -> list[dict[str, object]]:
    with Journal(one.run.folder) as journal:
        studies = sorted({each.study_instance_uid for each in one.objects})
        return [row for study in studies for row in journal.instances(study)]


@pytest.mark.slow
def test_two_workers_receive_under_an_ae_title_each_and_share_the_work(migration: Migrate) -> None:
    one = migration(
        many(6), {"receiver": {"ae_titles": ["MIGRATE", "MIGRATE2"]}}, legacy={"move": {"slow_objects_s": 0.05}}
    )
    for peer in (one.embedded_legacy, one.embedded_dir):  # the DI-r sends its word on commitment there
        peer.add_destination("MIGRATE2", "127.0.0.1", one.run.config.receiver.port + 1)
    run(Request(run_folder=one.run.folder, config=one.run.config), lambda _: None, lambda: False)
    assert one.held() == one.expected()
    assert one.sent() == one.once()
    assert {store.calling_ae_title for store in one.embedded_dir.stores} == {"MIGRATE", "MIGRATE2"}
    assert one.run.staged_files() == []
