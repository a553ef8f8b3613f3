"""A clinical archive changes while it is moved: what came goes after, what is proven is not moved twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date
from io import BytesIO
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.uid import UID

from migrate.demo.archive import StoredObject
from migrate.engine.crawling import CrawlOrder, run_crawl
from migrate.engine.place import doorstep
from migrate.engine.planning import make_plan, register_found
from migrate.errors import UsageError
from migrate.journal import read
from migrate.journal.events import Retrieved
from migrate.journal.store import Journal
from migrate.sources import open_source
from migrate.stages.crawl import crawl as crawl_only
from migrate.stages.crawl.request import CrawlResult, DeltaTerms
from tests.delta import delta_request
from tests.engine.inline import run_inline
from tests.engine.migration import Migrate, Migration
from tests.engine.objects import UID_ROOT, StudyRecipe, many

QUICK: dict[str, dict[str, Any]] = {"source": {"result_cap": 1000}, "crawl": {"from": "2020-01-01"}}
DAYS = 0


def crawl(one: Migration, *, delta: bool = True, thorough: bool = False) -> CrawlResult:
    order = CrawlOrder(
        run_folder=one.run.folder, config=one.run.config, delta_days=DAYS if delta else None, thorough=thorough
    )
    return run_crawl(order, lambda _: None, lambda: False)


def plan(one: Migration) -> None:
    with Journal(one.run.folder) as journal:
        register_found(journal, one.run.folder)
        make_plan(journal, one.run.folder, one.run.config)


def move(one: Migration) -> list[Retrieved]:
    """Plan and run; gives what was retrieved."""
    plan(one)
    retrieved: list[Retrieved] = []
    error = run_inline(one.run, watch=lambda p: retrieved.append(p.event) if isinstance(p.event, Retrieved) else None)
    assert error is None
    return retrieved


def moved(migration: Migrate, count: int = 2) -> Migration:
    """Crawled and moved."""
    one = migration(many(count), QUICK)
    crawl(one, delta=False)
    move(one)
    assert read.states(one.run.folder) == {"VERIFIED": count}
    return one


def study(number: int) -> str:
    return f"{UID_ROOT}.{number}"


def stored(one: Migration, number: int) -> list[StoredObject]:
    return [each for each in one.embedded_legacy.archive.objects() if each.study_instance_uid == study(number)]


def add(one: Migration, number: int, instance: int, **values: str) -> None:
    """One more instance of a study, made from its first one."""
    dataset = dcmread(BytesIO(stored(one, number)[0].path.read_bytes()))
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(f"{study(number)}.1.{instance}")
    dataset.InstanceNumber = str(instance)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    path = one.embedded_legacy.options.folder / f"added-{number}-{instance}.dcm"
    dataset.save_as(path)
    one.embedded_legacy.archive.add_file(path)


def rewrite(one: Migration, number: int, **values: str) -> None:
    """Change attributes in every instance of a study, as a correction at the source does."""
    for each in stored(one, number):
        dataset = dcmread(BytesIO(each.path.read_bytes()))
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        one.embedded_legacy.archive.remove(each)
        dataset.save_as(each.path)
        one.embedded_legacy.archive.add_file(each.path)


def delete(one: Migration, number: int, instance: int | None = None) -> None:
    for each in stored(one, number):
        if instance is None or each.sop_instance_uid.endswith(f".{instance}"):
            one.embedded_legacy.archive.remove(each)


def kinds(result: CrawlResult) -> dict[str, int]:
    assert result.delta is not None
    return dict(result.delta.kinds)


def test_an_archive_that_stands_still_is_a_fixed_point_at_once(migration: Migrate) -> None:
    one = moved(migration)
    result = crawl(one)
    assert result.delta is not None
    assert (result.delta.fixed_point, result.delta.kinds, result.delta.listed_again) == (True, {}, 0)
    assert (result.studies, result.series, result.instances) == (2, 2, 6)


def test_of_a_study_that_grew_only_the_new_instance_is_fetched_and_sent(migration: Migrate) -> None:
    one = moved(migration)
    add(one, 1, 9)
    assert kinds(crawl(one)) == {"GROWN": 1}
    assert read.states(one.run.folder) == {"CHANGED": 1, "VERIFIED": 1}
    [retrieved] = move(one)
    assert [e.sop_instance_uid for e in retrieved.evidence] == [f"{study(1)}.1.9"]
    assert read.states(one.run.folder) == {"VERIFIED": 2}
    assert one.sent() == one.once() + Counter([f"{study(1)}.1.9"])
    assert kinds(crawl(one)) == {}


def test_a_new_study_is_found_and_moved(migration: Migrate) -> None:
    one = moved(migration)
    add(one, 1, 9, StudyInstanceUID=study(7), SeriesInstanceUID=f"{study(7)}.1")
    assert kinds(crawl(one)) == {"NEW": 1}
    assert read.states(one.run.folder) == {"FOUND": 1, "VERIFIED": 2}
    move(one)
    assert read.states(one.run.folder) == {"VERIFIED": 3}


def test_nothing_is_fetched_or_deleted_when_a_study_shrinks(migration: Migrate) -> None:
    one = moved(migration)
    whole = one.held()
    delete(one, 2, 3)
    assert kinds(crawl(one)) == {"SHRUNK": 1}
    [retrieved] = move(one)
    assert retrieved.evidence == ()
    assert one.held() == whole
    [noted] = list(read.exceptions(one.run.folder))
    assert (noted["exception_class"], noted["disposition"]) == ("DELTA_CHANGED", "noted")
    assert read.states(one.run.folder) == {"VERIFIED": 2}


def test_a_study_that_has_gone_is_noted_and_stays_at_the_destination(migration: Migrate) -> None:
    one = moved(migration)
    whole = one.held()
    delete(one, 2)
    assert kinds(crawl(one)) == {"GONE": 1}
    assert kinds(crawl(one)) == {}
    assert move(one) == []
    assert one.held() == whole
    [noted] = list(read.exceptions(one.run.folder))
    assert (noted["exception_class"], noted["disposition"]) == ("MISSING_AT_SOURCE", "noted")
    assert {row["study_instance_uid"] for row in one.run.rows("studies") if row["gone_at"]} == {study(2)}


def test_a_study_that_goes_before_it_was_moved_needs_a_person_and_comes_back(migration: Migrate) -> None:
    one = migration(many(2), QUICK)
    crawl(one, delta=False)
    kept = [(each.path, each.path.read_bytes()) for each in stored(one, 2)]
    delete(one, 2)
    crawl(one)
    assert read.states(one.run.folder) == {"PLANNED": 1, "QUARANTINED": 1}
    for path, content in kept:
        path.write_bytes(content)
        one.embedded_legacy.archive.add_file(path)
    assert kinds(crawl(one)) == {"NEW": 1}
    move(one)
    assert read.states(one.run.folder) == {"VERIFIED": 2}


@pytest.mark.parametrize(
    ("values", "kind", "same_uid"),
    [
        ({"StudyDescription": "CORRECTED"}, "HEADER_CHANGED", "overwrite"),
        ({"PatientID": "9999999997"}, "PATIENT_CHANGED", "keep_old"),
    ],
)
def test_changed_attributes_are_fetched_again_and_a_destination_that_keeps_the_old_is_told(
    migration: Migrate, values: dict[str, str], kind: str, same_uid: str
) -> None:
    one = migration(many(2), QUICK, dir_={"store": {"same_uid": same_uid}})
    crawl(one, delta=False)
    move(one)
    rewrite(one, 1, **values)
    assert kinds(crawl(one)) == {kind: 1}
    [retrieved] = move(one)
    assert len(retrieved.evidence) == 3
    if same_uid == "overwrite":
        assert read.states(one.run.folder) == {"VERIFIED": 2}
        assert one.held() == {each.sop_instance_uid: each.dataset_bytes() for n in (1, 2) for each in stored(one, n)}
    else:
        assert read.states(one.run.folder) == {"VERIFIED": 1, "QUARANTINED": 1}
    assert kinds(crawl(one)) == {}


def test_one_corrected_instance_is_the_only_one_that_is_sent_again(migration: Migrate) -> None:
    one = migration(many(1), QUICK, dir_={"store": {"same_uid": "overwrite"}})
    crawl(one, delta=False)
    move(one)
    first = stored(one, 1)[0]
    rest = [each.sop_instance_uid for each in stored(one, 1)[1:]]
    for each in stored(one, 1)[1:]:
        one.embedded_legacy.archive.remove(each)
    rewrite(one, 1, StudyDescription="CORRECTED")
    assert kinds(crawl(one)) == {"HEADER_CHANGED": 1, "SHRUNK": 1}
    move(one)
    assert one.sent() == Counter({first.sop_instance_uid: 2, **dict.fromkeys(rest, 1)})


def test_an_instance_that_the_destination_has_lost_is_fetched_again(migration: Migrate) -> None:
    one = moved(migration)
    [lost] = one.embedded_dir.archive.with_sop_instance_uid(f"{study(1)}.1.2")
    one.embedded_dir.archive.remove(lost)
    add(one, 1, 9)
    crawl(one)
    [retrieved] = move(one)
    assert {e.sop_instance_uid for e in retrieved.evidence} == {f"{study(1)}.1.2", f"{study(1)}.1.9"}
    assert len(one.held()) == 7


def test_a_change_that_the_journal_did_not_hear_of_is_followed_by_the_next_plan(migration: Migrate) -> None:
    one = moved(migration)
    add(one, 1, 9)
    door = doorstep(one.run.config, one.run.folder, 0, receiving=False)
    with Journal(one.run.folder) as journal:  # the crawl alone: a kill before the journal heard of it
        asked = delta_request(one.run.folder, journal.db, lambda: open_source(door))
        crawl_only(replace(asked, delta=DeltaTerms(today=date(2026, 1, 1), days=DAYS)))
    assert read.states(one.run.folder) == {"VERIFIED": 2}
    [retrieved] = move(one)
    assert [e.sop_instance_uid for e in retrieved.evidence] == [f"{study(1)}.1.9"]


def test_once_studies_are_moved_a_crawl_from_nothing_is_refused_and_forgets_nothing(migration: Migrate) -> None:
    one = moved(migration)
    delete(one, 2)
    with pytest.raises(UsageError, match="studies have been moved"):
        crawl(one, delta=False)
    assert {row["study_instance_uid"] for row in one.run.rows("studies")} == {study(1), study(2)}
    assert kinds(crawl(one, thorough=True)) == {"GONE": 1}
    assert {row["study_instance_uid"] for row in one.run.rows("studies")} == {study(1), study(2)}


def test_studies_on_their_way_take_what_came_meanwhile(migration: Migrate) -> None:
    one = migration([StudyRecipe(number=1), StudyRecipe(number=2)], QUICK)
    crawl(one, delta=False)
    plan(one)
    assert run_inline(one.run, stages=("retrieve", "checksum")) is None
    assert read.states(one.run.folder) == {"CHECKSUMMED": 2}
    add(one, 1, 9)
    rewrite(one, 2, StudyDescription="CORRECTED")
    assert kinds(crawl(one)) == {"GROWN": 1, "HEADER_CHANGED": 1}
    assert read.states(one.run.folder) == {"PLANNED": 2}
    assert {len(each.evidence) for each in move(one)} == {1, 3}
    assert one.held() == {each.sop_instance_uid: each.dataset_bytes() for n in (1, 2) for each in stored(one, n)}
