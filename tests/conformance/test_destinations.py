"""What every kind of destination does, whatever it speaks (`migrate.peers.Destination`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from migrate.destinations import DESTINATIONS
from migrate.errors import PeerError
from migrate.model import Outcome
from migrate.peers import Sendable
from tests.conformance.peers_kit import DESTINATION_KINDS, Kind, World
from tests.engine.landed import sendable
from tests.engine.objects import JPEG_2000, MR, UID_ROOT, StudyRecipe, TestObject, make_studies

RECIPES = [
    StudyRecipe(number=1),
    StudyRecipe(number=2, file=MR, instances=2),
    StudyRecipe(number=3, file=JPEG_2000, instances=1),
]
STUDY = f"{UID_ROOT}.1"


@pytest.fixture
def objects(tmp_path: Path) -> list[TestObject]:
    return make_studies(tmp_path / "objects", RECIPES)


@pytest.fixture(params=DESTINATION_KINDS.values(), ids=list(DESTINATION_KINDS))
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    kind: Kind = request.param
    with kind.world(tmp_path, ()) as made:
        yield made


@pytest.fixture
def items(world: World, objects: list[TestObject]) -> list[Sendable]:
    return [sendable(world.site.area, one) for one in objects]


def of_study(items: list[Sendable], study: str = STUDY) -> list[Sendable]:
    return [item for item in items if item.evidence.study_instance_uid == study]


def uids(items: list[Sendable]) -> list[str]:
    return [item.evidence.sop_instance_uid for item in items]


def test_every_kind_of_destination_is_tested_here() -> None:
    assert {kind.name for kind in DESTINATION_KINDS.values()} == set(DESTINATIONS)


def test_it_answers(world: World) -> None:
    world.site.destination.echo()


def test_it_holds_what_was_sent_byte_for_byte_and_says_so_in_order(
    world: World, items: list[Sendable], objects: list[TestObject]
) -> None:
    outcomes = world.site.destination.store(items)
    assert [outcome.sop_instance_uid for outcome in outcomes] == uids(items)
    assert {outcome.status for outcome in outcomes} == {0}
    assert {outcome.sop_instance_uid: outcome.sent_wire_xxh3 for outcome in outcomes} == {
        item.evidence.sop_instance_uid: item.evidence.wire_xxh3 for item in items
    }
    assert world.held() == {one.sop_instance_uid: one.dataset_bytes for one in objects}


def test_nothing_to_send_is_no_outcome(world: World) -> None:
    assert world.site.destination.store([]) == ()


def test_it_says_what_it_holds_of_a_study_and_nothing_of_others(world: World, items: list[Sendable]) -> None:
    assert world.site.destination.holds(STUDY, ()) == set()
    world.site.destination.store(items[:2])
    assert world.site.destination.holds(STUDY, [f"{STUDY}.1"]) == set(uids(items[:2]))
    assert world.site.destination.holds("1.2.3", ()) == set()


def test_what_it_holds_whole_is_read_back_as_a_match(world: World, items: list[Sendable]) -> None:
    world.site.destination.store(items)
    for study in {item.evidence.study_instance_uid for item in items}:
        checked = world.site.destination.read_back(study, of_study(items, study))
        assert sorted(one.sop_instance_uid for one in checked) == sorted(uids(of_study(items, study)))
        assert {(one.outcome, one.method) for one in checked} == {(Outcome.MATCH, "content")}


def test_what_it_does_not_hold_is_missing(world: World, items: list[Sendable]) -> None:
    world.site.destination.store(items[:1])
    checked = world.site.destination.read_back(STUDY, of_study(items))
    outcomes = {one.sop_instance_uid: one.outcome for one in checked}
    assert outcomes == dict(zip(uids(items[:3]), [Outcome.MATCH, Outcome.MISSING, Outcome.MISSING], strict=True))


def test_a_changed_value_is_named_by_its_tag_and_without_the_value(world: World, items: list[Sendable]) -> None:
    world.site.destination.store(items[:1])
    world.replace(items[0].evidence.sop_instance_uid, b"CANARY^ZZQ", b"CANARY^ZZX")
    [checked] = world.site.destination.read_back(STUDY, items[:1])
    assert (checked.outcome, checked.differs) == (Outcome.DIFFERS, ("00100010",))
    assert "CANARY" not in repr(checked)


def test_a_staged_file_that_changed_on_our_disk_is_not_stored(world: World, items: list[Sendable]) -> None:
    content = bytearray(items[1].path.read_bytes())
    content[-100] ^= 4
    items[1].path.write_bytes(bytes(content))
    outcomes = world.site.destination.store(items[:3])
    assert [outcome.status for outcome in outcomes] == [0, None, 0]
    assert set(world.held()) == {uids(items)[0], uids(items)[2]}


def test_a_destination_that_is_gone_is_an_error_and_can_be_used_again_when_it_is_back(
    world: World, items: list[Sendable]
) -> None:
    world.site.destination.holds(STUDY, ())
    world.stop()
    for attempt in (
        world.site.destination.echo,
        lambda: world.site.destination.store(items[:1]),
        lambda: world.site.destination.holds(STUDY, ()),
        lambda: world.site.destination.read_back(STUDY, items[:1]),
    ):
        with pytest.raises(PeerError):
            attempt()
    world.start()
    assert [outcome.status for outcome in world.site.destination.store(items[:1])] == [0]
    assert world.site.destination.holds(STUDY, ()) == set(uids(items[:1]))


def test_it_may_be_closed_twice(world: World) -> None:
    world.site.destination.holds(STUDY, ())
    world.site.destination.close()
    world.site.destination.close()
