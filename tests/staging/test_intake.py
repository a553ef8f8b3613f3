"""What arrives goes to the study that waits for it, whole and trusted, or nowhere."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrate.errors import LocalError, StagingFull
from migrate.model import ExceptionClass
from migrate.staging.area import LandingArea
from migrate.staging.evidence import evidence_of, evidence_of_file
from migrate.staging.filing import LandingSink
from migrate.staging.intake import NOT_AUTHORISED, SUCCESS, Arrival, ByCaller, Inbox, ReadingSink, Registry
from migrate.wire.dimse.sinks import Incoming, StoreSink
from tests.engine.objects import TestObject, make_studies, many
from tests.peers.disk import fill


@pytest.fixture
def objects(tmp_path: Path) -> list[TestObject]:
    """Two studies of two instances."""
    return make_studies(tmp_path / "objects", many(2, instances=2))


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def landing(registry: Registry, area: LandingArea) -> LandingSink:
    return LandingSink(registry, area, "MIGRATE")


def incoming(one: TestObject, **other: str) -> Incoming:
    said: dict[str, Any] = {
        "sop_class_uid": one.sop_class_uid,
        "sop_instance_uid": one.sop_instance_uid,
        "transfer_syntax_uid": one.transfer_syntax_uid,
        "calling_ae_title": "LEGACY",
    }
    return Incoming(**{**said, **other})


def send(sink: StoreSink, one: TestObject, content: bytes | None = None, **other: str) -> int:
    """A whole C-STORE in pieces: the status."""
    arriving = sink.begin(incoming(one, **other))
    content = one.dataset_bytes if content is None else content
    for start in range(0, len(content), 10_000):
        arriving.write(memoryview(content[start : start + 10_000]))
    return arriving.finish()


def waiting_for(registry: Registry, objects: Sequence[TestObject]) -> Inbox:
    expected = [one.sop_instance_uid for one in objects]
    return registry.open(objects[0].study_instance_uid, expected, lambda arrival: evidence_of(arrival, 1))


def files(area: LandingArea) -> list[str]:
    return sorted(str(path.relative_to(area.root)) for path in area.root.rglob("*") if path.is_file())


def test_two_studies_that_arrive_mixed_go_to_their_own_inboxes(
    registry: Registry, landing: LandingSink, objects: list[TestObject]
) -> None:
    first, second = waiting_for(registry, objects[:2]), waiting_for(registry, objects[2:])
    arriving = [landing.begin(incoming(one)) for one in objects]
    pieces = [memoryview(one.dataset_bytes) for one in objects]
    for start in range(0, max(map(len, pieces)), 5_000):
        for sink, piece in zip(arriving, pieces, strict=True):
            sink.write(piece[start : start + 5_000])
    assert [sink.finish() for sink in arriving] == [SUCCESS] * 4
    assert first.wait_complete(5)
    assert second.wait_complete(5)
    for inbox, half in ((first, objects[:2]), (second, objects[2:])):
        assert sorted(kept.sop_instance_uid for kept in inbox.kept) == [one.sop_instance_uid for one in half]


def test_what_is_kept_is_the_data_set_byte_for_byte_behind_a_header_of_ours(
    registry: Registry, landing: LandingSink, objects: list[TestObject], area: LandingArea
) -> None:
    inbox = waiting_for(registry, objects[:1])
    send(landing, objects[0])
    assert inbox.wait_complete(5)
    [evidence] = inbox.kept
    content = area.path_of(evidence.wire_xxh3).read_bytes()
    assert content.endswith(objects[0].dataset_bytes)
    assert content[:132] == bytes(128) + b"DICM"
    again = evidence_of_file(area.path_of(evidence.wire_xxh3))
    assert (again.wire_xxh3, again.dataset_xxh3, again.bulk_xxh3) == (
        evidence.wire_xxh3,
        evidence.dataset_xxh3,
        evidence.bulk_xxh3,
    )


def test_an_object_that_nobody_asked_for_is_refused_counted_and_leaves_no_file(
    registry: Registry, landing: LandingSink, objects: list[TestObject], area: LandingArea
) -> None:
    waiting_for(registry, objects[:2])
    assert send(landing, objects[2]) == NOT_AUTHORISED == 0x0124
    assert registry.unasked == 1
    assert files(area) == []


def test_broken_bytes_that_nobody_asked_for_leave_no_file_either(
    landing: LandingSink, objects: list[TestObject], area: LandingArea
) -> None:
    assert send(landing, objects[0], b"\xff" * 5000) == NOT_AUTHORISED
    assert files(area) == []


def test_what_comes_after_the_study_was_closed_is_refused(
    registry: Registry, landing: LandingSink, objects: list[TestObject], area: LandingArea
) -> None:
    inbox = waiting_for(registry, objects[:2])
    registry.close(inbox)
    assert send(landing, objects[0]) == NOT_AUTHORISED
    assert files(area) == []


def cut(content: bytes) -> bytes:
    return content[: len(content) * 2 // 3]


BROKEN: dict[str, tuple[Callable[[bytes], bytes], ExceptionClass]] = {
    "truncated": (cut, ExceptionClass.CORRUPT),
    "empty": (lambda _: b"", ExceptionClass.ILLEGAL_DICOM),
    "noise": (lambda _: bytes(range(256)) * 8, ExceptionClass.ILLEGAL_DICOM),
    "bytes behind its end": (lambda content: content + b"\x08\x00\x05\x00CS", ExceptionClass.ILLEGAL_DICOM),
}


@pytest.mark.parametrize(("broken", "exception_class"), BROKEN.values(), ids=BROKEN)
def test_an_object_that_cannot_be_trusted_is_set_aside_and_answered_with_success(
    registry: Registry,
    landing: LandingSink,
    objects: list[TestObject],
    area: LandingArea,
    broken: Callable[[bytes], bytes],
    exception_class: ExceptionClass,
) -> None:
    inbox = waiting_for(registry, objects[:2])
    assert send(landing, objects[0], broken(objects[0].dataset_bytes)) == SUCCESS
    assert send(landing, objects[1]) == SUCCESS
    assert inbox.wait_complete(5)
    assert [one.sop_instance_uid for one in inbox.rejected] == [objects[0].sop_instance_uid]
    assert inbox.rejected[0].exception_class in {exception_class, ExceptionClass.CORRUPT}
    assert len([name for name in files(area) if name.startswith("quarantine/")]) == 1
    assert len(list(area.staged())) == 1


def test_the_reason_why_an_object_is_not_trusted_holds_no_value_of_it(
    registry: Registry, landing: LandingSink, objects: list[TestObject]
) -> None:
    inbox = waiting_for(registry, objects[:1])
    send(landing, objects[0], cut(objects[0].dataset_bytes))
    assert "CANARY" not in inbox.rejected[0].detail
    assert "9999999998" not in inbox.rejected[0].detail


def test_an_object_that_comes_twice_is_one_file(
    registry: Registry, landing: LandingSink, objects: list[TestObject], area: LandingArea
) -> None:
    inbox = waiting_for(registry, objects[:1])
    assert [send(landing, objects[0]), send(landing, objects[0])] == [SUCCESS, SUCCESS]
    area.close()
    assert inbox.wait_complete(5)
    assert len(list(area.staged())) == 1
    assert len({(kept.sop_instance_uid, kept.wire_xxh3) for kept in inbox.kept}) == 1


def test_who_an_object_is_stands_in_its_data_set_and_not_in_the_command(
    registry: Registry, landing: LandingSink, objects: list[TestObject]
) -> None:
    inbox = waiting_for(registry, objects[:2])
    assert send(landing, objects[0], sop_instance_uid=objects[1].sop_instance_uid) == SUCCESS
    assert not inbox.wait_complete(0.2)
    assert [kept.sop_instance_uid for kept in inbox.kept] == [objects[0].sop_instance_uid]
    assert inbox.missing() == {objects[1].sop_instance_uid}


@pytest.mark.parametrize("uid", ["../../etc/cron.d/x", "1.2\0.3", "/etc/passwd", "9" * 65, "", "é"])
def test_a_uid_is_never_part_of_a_path(
    registry: Registry, landing: LandingSink, objects: list[TestObject], area: LandingArea, uid: str
) -> None:
    waiting_for(registry, objects[:1])
    send(landing, objects[0], sop_instance_uid=uid)
    area.close()
    assert all(name.count("/") <= 2 and name.replace("/", "").removesuffix(".dcm").isalnum() for name in files(area))


def test_an_association_that_dies_in_the_middle_leaves_nothing_and_the_instance_is_missing(
    registry: Registry, landing: LandingSink, objects: list[TestObject], area: LandingArea
) -> None:
    inbox = waiting_for(registry, objects[:1])
    arriving = landing.begin(incoming(objects[0]))
    arriving.write(memoryview(objects[0].dataset_bytes[:1000]))
    arriving.discard("aborted")
    assert files(area) == []
    assert not inbox.wait_complete(0.1)
    assert inbox.unfinished == 0


def test_read_back_digests_and_writes_nothing(registry: Registry, objects: list[TestObject], area: LandingArea) -> None:
    arrivals: list[Arrival] = []
    inbox = registry.open(objects[0].study_instance_uid, [objects[0].sop_instance_uid], arrivals.append)
    assert send(ReadingSink(registry), objects[0]) == SUCCESS
    assert inbox.wait_complete(1)
    assert arrivals[0].digested.size_bytes == len(objects[0].dataset_bytes)
    assert files(area) == []


def test_what_the_destination_sends_is_read_back_and_what_the_source_sends_lands(
    registry: Registry, landing: LandingSink, objects: list[TestObject], area: LandingArea
) -> None:
    both = ByCaller(landing, {"DIR": ReadingSink(registry)})
    inbox = waiting_for(registry, objects[:2])
    assert send(both, objects[0], calling_ae_title="DIR") == SUCCESS
    assert files(area) == []
    assert send(both, objects[1]) == SUCCESS
    assert inbox.wait_complete(5)
    assert len(list(area.staged())) == 1


def test_a_full_disk_wakes_whoever_waits_and_refuses_the_object(
    registry: Registry, tmp_path: Path, objects: list[TestObject]
) -> None:
    full = LandingSink(registry, LandingArea(tmp_path / "full", reserve_bytes=1 << 60), "MIGRATE")
    inbox = waiting_for(registry, objects[:1])
    with pytest.raises(StagingFull):
        full.begin(incoming(objects[0]))
    with pytest.raises(StagingFull):
        inbox.wait_complete(10)


@pytest.mark.root
def test_a_disk_that_fills_up_in_the_middle_of_an_object_leaves_nothing_of_it(
    registry: Registry, small_disk: Path, objects: list[TestObject]
) -> None:
    area = LandingArea(small_disk / "staging")
    sink = LandingSink(registry, area, "MIGRATE")
    inbox = waiting_for(registry, objects[:1])
    arriving = sink.begin(incoming(objects[0]))
    with pytest.raises(StagingFull):
        arriving.write(memoryview(bytes(8 << 20)))
    arriving.discard("the sink failed")
    assert files(area) == []
    with pytest.raises(LocalError):
        inbox.wait_complete(10)


class LateToNotice(LandingArea):
    """The disk filled up since it was last asked: that happens twice a second only."""

    def free_bytes(self) -> int:
        return 1


def open_below(folder: Path) -> list[str]:
    """What this process has open in a folder, deleted files included."""
    found: list[str] = []
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since it was listed
            found.append(str(link.readlink()))
    return [name for name in found if name.startswith(f"{folder}/")]


@pytest.mark.root
def test_a_disk_without_room_for_the_header_leaves_no_file_and_no_open_descriptor(
    registry: Registry, small_disk: Path, objects: list[TestObject]
) -> None:
    area = LateToNotice(small_disk / "staging")
    sink = LandingSink(registry, area, "MIGRATE")
    inbox = waiting_for(registry, objects[:1])
    fill(small_disk / "ballast")
    with pytest.raises(StagingFull):
        sink.begin(incoming(objects[0]))
    assert open_below(area.root / "tmp") == []
    assert files(area) == []
    assert inbox.unfinished == 0


def test_waiting_ends_when_nothing_has_come_for_a_while() -> None:
    inbox = Inbox("1.2", frozenset({"1.2.1"}), lambda arrival: arrival)
    began = time.monotonic()
    assert not inbox.wait_complete(0.2)
    assert 0.15 < time.monotonic() - began < 2


def test_waiting_goes_on_while_bytes_come() -> None:
    inbox = Inbox("1.2", frozenset({"1.2.1"}), lambda arrival: arrival)
    began = time.monotonic()

    def trickle() -> None:
        for _ in range(5):
            time.sleep(0.1)
            inbox.touch()

    threading.Thread(target=trickle).start()
    assert not inbox.wait_complete(0.2)
    assert time.monotonic() - began > 0.6


def test_what_has_begun_is_waited_for_though_the_disk_is_slower_than_the_quiet_time() -> None:
    inbox = Inbox("1.2", frozenset(), lambda arrival: arrival)
    inbox.count(+1)
    threading.Timer(0.4, inbox.count, (-1,)).start()
    began = time.monotonic()
    assert inbox.wait_complete(0.1)
    assert time.monotonic() - began > 0.35


def test_a_study_that_expects_nothing_is_complete_at_once() -> None:
    assert Inbox("1.2", frozenset(), lambda arrival: arrival).wait_complete(30)


UIDS = st.sets(st.sampled_from([f"1.2.{n}" for n in range(6)]))


@given(st.lists(UIDS, max_size=4), st.integers(0, 3))
def test_an_instance_is_looked_up_only_while_its_study_waits(expected: list[set[str]], closed: int) -> None:
    registry = Registry()
    inboxes = [registry.open(f"1.{n}", uids, lambda arrival: arrival) for n, uids in enumerate(expected)]
    for inbox in inboxes[:closed]:
        registry.close(inbox)
    still_wanted = set().union(*(inbox.expected for inbox in inboxes[closed:])) if inboxes[closed:] else set()
    for uid in (f"1.2.{n}" for n in range(6)):
        found = registry.of_instance(uid)
        assert (found in inboxes[closed:]) is (uid in still_wanted)
