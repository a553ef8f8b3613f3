"""Every object of the corpora passes the wire byte for byte, and size does not cost memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from pydicom.errors import InvalidDicomError

from migrate.dicom.digest import digest_of
from migrate.errors import IllegalDicom
from migrate.staging.area import LandingArea
from migrate.staging.filing import LandingSink
from migrate.staging.intake import Registry
from migrate.wire.dimse.endpoint import Context
from migrate.wire.dimse.outgoing import FileRange, Outgoing
from migrate.wire.dimse.scp import Receiver, ReceiverOptions
from migrate.wire.dimse.scu import Association
from migrate.wire.dimse.sinks import Incoming
from tests.conformance.wire_kit import QUICK, MemorySink, Stored, contexts_for, endpoint, same, stored
from tests.peers.dcmtk import Storescp

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DICOMDIR = "1.2.840.10008.1.3.10"
MOST_CONTEXTS = 128


def sendable(folder: Path) -> Iterator[Stored]:
    """The objects of a folder that have what a C-STORE needs, each UID once."""
    seen: set[str] = set()
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.stat().st_size > 50_000_000:
            continue
        try:
            one = stored(path)
        except (InvalidDicomError, AttributeError, EOFError, NotImplementedError):
            continue
        uids = (one.sop_class_uid, one.sop_instance_uid, one.transfer_syntax_uid)
        is_even = (path.stat().st_size - one.offset) % 2 == 0
        if all(uids) and is_even and one.sop_class_uid != DICOMDIR and one.sop_instance_uid not in seen:
            seen.add(one.sop_instance_uid)
            yield one


@pytest.fixture(scope="module")
def objects(corpus: Path) -> list[Stored]:
    found = [one for folder in (corpus, corpus.parent / "corpus-synthetic") for one in sendable(folder)]
    # the two corpora share some objects
    return list({one.sop_instance_uid: one for one in found}.values())


def sent(port: int, ae_title: str, objects: Iterable[Stored]) -> dict[str, int | None]:
    """Send what is accepted, with one context for each kind, in as many associations as that takes."""
    rest = list(objects)
    statuses: dict[str, int | None] = {}
    while rest:
        contexts = contexts_for(rest)[:MOST_CONTEXTS]
        now = [one for one in rest if one.context in contexts]
        rest = [one for one in rest if one.context not in contexts]
        with Association.open(endpoint(port, ae_title), contexts) as association:
            for one in now:
                if (one.sop_class_uid, one.transfer_syntax_uid) not in association.accepted:
                    continue
                statuses[one.sop_instance_uid] = association.store(one.outgoing()).status
    return statuses


def test_the_corpus_reaches_our_receiver_byte_for_byte(objects: list[Stored]) -> None:
    sink = MemorySink()
    with Receiver(ReceiverOptions(ae_title="MIGRATE", host="127.0.0.1", port=0, limits=QUICK), sink) as receiver:
        statuses = sent(receiver.port, "MIGRATE", objects)
    assert statuses == {one.sop_instance_uid: 0 for one in objects}
    assert same(objects, sink)
    assert {(one.sop_instance_uid, one.transfer_syntax_uid) for one in objects} == {
        (incoming.sop_instance_uid, incoming.transfer_syntax_uid) for incoming, _ in sink.objects
    }


def test_the_corpus_lands_in_files_and_leaves_them_byte_for_byte(objects: list[Stored], tmp_path: Path) -> None:
    """The whole way of an object: our sender, our receiver, a staged file, our sender again."""
    registry, area = Registry(), LandingArea(tmp_path / "staging")
    readable = {one.sop_instance_uid: study for one in objects if (study := study_of(one))}
    inboxes = [
        registry.open(study, [uid for uid, of in readable.items() if of == study], lambda arrival: arrival)
        for study in sorted(set(readable.values()))
    ]
    options = ReceiverOptions(ae_title="MIGRATE", host="127.0.0.1", port=0, limits=QUICK)
    with Receiver(options, LandingSink(registry, area, "MIGRATE")) as receiver:
        sent(receiver.port, "MIGRATE", [one for one in objects if one.sop_instance_uid in readable])
        assert all(inbox.wait_complete(10) for inbox in inboxes)
    landed = [stored(area.path_of(one.digests.wire)) for inbox in inboxes for one in inbox.kept]
    again = MemorySink()
    with Receiver(options, again) as receiver:
        sent(receiver.port, "MIGRATE", landed)
    area.close()
    expected = {one.sop_instance_uid: one.data_set for one in objects if one.sop_instance_uid in readable}
    assert len(expected) > len(objects) * 0.8
    assert {one.sop_instance_uid: one.data_set for one in landed} == expected
    assert again.by_uid() == expected


def study_of(one: Stored) -> str | None:
    """The study of an object that our receiver takes; None for those that end in quarantine."""
    try:
        header = digest_of(one.data_set, one.transfer_syntax_uid).header
    except IllegalDicom:
        return None
    return header.study_instance_uid if header.sop_instance_uid == one.sop_instance_uid else None


@pytest.mark.dcmtk
def test_the_corpus_reaches_storescp_byte_for_byte(objects: list[Stored], storescp: Callable[..., Storescp]) -> None:
    peer = storescp(arguments=("+xa", "--fork", "+B", "-uf", "-pm"))
    # DCMTK aborts on a UID of more than 64 characters.
    statuses = sent(peer.port, peer.ae_title, [one for one in objects if len(one.sop_instance_uid) <= 64])
    assert set(statuses.values()) == {0}
    assert len(statuses) > len(objects) * 0.8
    received = {one.sop_instance_uid: one.data_set for one in map(stored, peer.files())}
    assert received == {one.sop_instance_uid: one.data_set for one in objects if one.sop_instance_uid in statuses}


class CountingSink:
    """Counts bytes and watches our memory."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self.largest_rss_bytes = 0
        self._writes = 0

    def begin(self, incoming: Incoming) -> CountingSink:
        return self

    def write(self, view: memoryview) -> None:
        self.size_bytes += len(view)
        self._writes += 1
        if self._writes % 64 == 0:
            self.largest_rss_bytes = max(self.largest_rss_bytes, rss_bytes())

    def finish(self) -> int:
        return 0

    def discard(self, reason: str) -> None:
        raise AssertionError(reason)


def rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_a_three_gigabyte_object_passes_with_little_memory(tmp_path: Path) -> None:
    block = tmp_path / "block"
    with block.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    segments = (FileRange(block, 0, 64 * 1024 * 1024),) * 48
    item = Outgoing(sop_class_uid=CT, sop_instance_uid="1.2.3", transfer_syntax_uid=EXPLICIT, segments=segments)
    sink = CountingSink()
    with Receiver(ReceiverOptions(ae_title="MIGRATE", host="127.0.0.1", port=0, limits=QUICK), sink) as receiver:
        before = rss_bytes()
        with Association.open(endpoint(receiver.port, "MIGRATE"), [Context(CT, (EXPLICIT,))]) as association:
            assert association.store(item).status == 0
    assert sink.size_bytes == item.size_bytes == 3 * 1024**3
    assert sink.largest_rss_bytes - before < 64 * 1024 * 1024
