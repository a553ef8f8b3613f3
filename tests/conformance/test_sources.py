"""What every kind of source does, whatever it speaks (`migrate.peers.Source`)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from migrate.dicom.digest import digest_of
from migrate.errors import PeerError, PeerUnavailable
from migrate.model import InstanceRef, Level
from migrate.peers import Match, StudyWork
from migrate.sources import SOURCES
from tests.conformance.peers_kit import SOURCE_KINDS, Kind, World
from tests.engine.objects import MR, UID_ROOT, StudyRecipe, TestObject, make_studies

RECIPES = [StudyRecipe(number=1), StudyRecipe(number=2, file=MR, instances=2)]


@pytest.fixture
def objects(tmp_path: Path) -> list[TestObject]:
    return make_studies(tmp_path / "objects", RECIPES)


@pytest.fixture(params=SOURCE_KINDS.values(), ids=list(SOURCE_KINDS))
def world(request: pytest.FixtureRequest, tmp_path: Path, objects: list[TestObject]) -> Iterator[World]:
    kind: Kind = request.param
    with kind.world(tmp_path, objects) as made:
        yield made


def work(objects: list[TestObject], study: str, **more: object) -> StudyWork:
    refs = tuple(
        InstanceRef(
            series_instance_uid=one.series_instance_uid,
            sop_instance_uid=one.sop_instance_uid,
            sop_class_uid=one.sop_class_uid,
        )
        for one in objects
        if one.study_instance_uid == study
    )
    return StudyWork(study_instance_uid=study, instances=refs, **more)  # type: ignore[arg-type]


def found(world: World, level: Level, **keys: str) -> list[Match]:
    matches: list[Match] = []
    end = world.site.source.find(level, keys, matches.append)
    assert (end.status, end.matches) == (0, len(matches))
    return matches


STUDY = f"{UID_ROOT}.1"


def test_every_kind_of_source_is_tested_here() -> None:
    assert {kind.name for kind in SOURCE_KINDS.values()} == set(SOURCES)


def test_it_answers(world: World) -> None:
    world.site.source.echo()


def test_it_shows_its_studies_series_and_instances(world: World, objects: list[TestObject]) -> None:
    studies = found(world, Level.STUDY, StudyInstanceUID="", StudyDate="")
    assert {match.values["StudyInstanceUID"] for match in studies} == {one.study_instance_uid for one in objects}
    series = found(world, Level.SERIES, StudyInstanceUID=STUDY, SeriesInstanceUID="")
    assert [match.values["SeriesInstanceUID"] for match in series] == [f"{STUDY}.1"]
    instances = found(world, Level.IMAGE, StudyInstanceUID=STUDY, SeriesInstanceUID=f"{STUDY}.1", SOPInstanceUID="")
    assert {match.values["SOPInstanceUID"] for match in instances} == {f"{STUDY}.1.{n}" for n in (1, 2, 3)}


def test_a_question_that_nothing_matches_ends_without_a_match(world: World) -> None:
    assert found(world, Level.STUDY, StudyInstanceUID="1.2.3.4") == []


def test_it_can_be_asked_from_several_threads_at_once(world: World) -> None:
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: len(found(world, Level.STUDY, StudyInstanceUID="")), range(12)))
    assert counts == [2] * 12


def test_what_it_gives_is_durable_and_is_what_it_holds(world: World, objects: list[TestObject]) -> None:
    received = world.site.source.retrieve(work(objects, STUDY))
    expected = {one.sop_instance_uid: one for one in objects if one.study_instance_uid == STUDY}
    assert {evidence.sop_instance_uid for evidence in received.evidence} == set(expected)
    assert received.defects == ()
    for evidence in received.evidence:
        one = expected[evidence.sop_instance_uid]
        digests = digest_of(one.dataset_bytes, one.transfer_syntax_uid).digests
        assert (evidence.dataset_xxh3, evidence.bulk_xxh3) == (digests.dataset, digests.bulk)
        assert world.site.area.path_of(evidence.wire_xxh3).read_bytes().endswith(one.dataset_bytes)


def test_what_is_staged_already_is_not_asked_for_again(world: World, objects: list[TestObject]) -> None:
    first = world.site.source.retrieve(work(objects, STUDY))
    rest = world.site.source.retrieve(work(objects, STUDY, staged=first.evidence[:1], round=2))
    wanted = {evidence.sop_instance_uid for evidence in first.evidence[1:]}
    assert {evidence.sop_instance_uid for evidence in rest.evidence} == wanted
    assert {evidence.attempt for evidence in rest.evidence} == {2}


def test_two_studies_can_be_fetched_at_once(world: World, objects: list[TestObject]) -> None:
    with ThreadPoolExecutor(2) as pool:
        studies = [STUDY, f"{UID_ROOT}.2"]
        brought = list(pool.map(lambda study: world.site.source.retrieve(work(objects, study)), studies))
    assert [len(received.evidence) for received in brought] == [3, 2]


def test_a_study_that_it_does_not_hold_brings_nothing(world: World) -> None:
    ref = InstanceRef(series_instance_uid="1.2.3.1", sop_instance_uid="1.2.3.1.1")
    unknown = StudyWork(study_instance_uid="1.2.3", instances=(ref,), settle=True)
    assert world.site.source.retrieve(unknown).evidence == ()


# pynetdicom drops the socket of a refused connection without closing it
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_source_that_is_gone_is_unavailable_and_can_be_used_again_when_it_is_back(
    world: World, objects: list[TestObject]
) -> None:
    found(world, Level.STUDY, StudyInstanceUID="")
    world.stop()
    with pytest.raises(PeerUnavailable):
        world.site.source.echo()
    with pytest.raises(PeerError):
        found(world, Level.STUDY, StudyInstanceUID="")
    with pytest.raises(PeerError):
        world.site.source.retrieve(work(objects, STUDY))
    world.start()
    world.site.source.echo()
    assert len(found(world, Level.STUDY, StudyInstanceUID="")) == 2
    assert len(world.site.source.retrieve(work(objects, STUDY)).evidence) == 3


def test_it_may_be_closed_twice(world: World) -> None:
    found(world, Level.STUDY, StudyInstanceUID="")
    world.site.source.close()
    world.site.source.close()
