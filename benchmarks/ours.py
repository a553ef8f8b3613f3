"""What runs in a process of ours: the product's own receiver, sources, destinations and stages.

Functions here are called one after another in the same process (`benchmarks.worker.Worker`), which
keeps what they opened.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import bare
from benchmarks.bare_sender import BareSender
from benchmarks.corpus import KINDS, Listed, listing, objects
from migrate.config import FILE_NAME, load
from migrate.destinations.dimse import DimseDestination
from migrate.dicom.digest import Digester
from migrate.dicom.part10 import FileMeta, read_meta
from migrate.engine.crawling import CrawlOrder, run_crawl
from migrate.engine.place import doorstep, open_site
from migrate.model import InstanceRef
from migrate.peers import Sendable, StagedStudy, StudyWork
from migrate.stages import STAGES
from migrate.stages.crawl.request import Progress
from migrate.staging.area import LandingArea
from migrate.staging.evidence import evidence_of, evidence_of_file
from migrate.staging.filing import LandingSink
from migrate.staging.intake import Arrival, Inbox, ReadingSink, Registry
from migrate.wire.dimse.endpoint import Context, Endpoint
from migrate.wire.dimse.outgoing import FileRange, Outgoing
from migrate.wire.dimse.scp import Receiver, ReceiverOptions
from migrate.wire.dimse.scu import Association
from migrate.wire.dimse.sinks import Incoming

EXPLICIT = "1.2.840.10008.1.2.1"
QUIET_S = 60.0
BLOCK_BYTES = 262_144
_kept: dict[str, Any] = {}
_open: list[Any] = []


def process_id() -> int:
    """Who works."""
    return os.getpid()


def close() -> None:
    """Release everything that earlier tasks opened."""
    while _open:
        _open.pop()()
    _kept.clear()


# ---- receiving


def start_receiver(folder: Path, port: int, ae_title: str = "MIGRATE", *, lands: bool = True) -> None:
    """Listen; what comes lands in `folder`, or is only digested."""
    registry = Registry()
    area = LandingArea(folder)
    sink = LandingSink(registry, area, ae_title) if lands else ReadingSink(registry)
    receiver = Receiver(ReceiverOptions(ae_title=ae_title, host="127.0.0.1", port=port), sink)
    receiver.start()
    _open.extend((area.close, receiver.stop))
    _kept.update(registry=registry, area=area)


def start_bare(folder: Path, port: int) -> None:
    """Listen with a loop that promises nothing."""
    _open.append(bare.start(folder, port))


class _Digested:
    """An object that is digested and forgotten."""

    def __init__(self, transfer_syntax_uid: str) -> None:
        self._digester = Digester(transfer_syntax_uid)
        self.write = self._digester.feed

    def finish(self) -> int:
        """Always success."""
        self._digester.close()
        return 0

    def discard(self, reason: str) -> None:
        """Nothing to undo."""


class _TakesEverything:
    def begin(self, incoming: Incoming) -> _Digested:
        return _Digested(incoming.transfer_syntax_uid)


def take_everything(ae_title: str, port: int) -> None:
    """Listen as a destination that answers success to everything and keeps nothing."""
    receiver = Receiver(ReceiverOptions(ae_title=ae_title, host="127.0.0.1", port=port), _TakesEverything())
    receiver.start()
    _open.append(receiver.stop)


def expect(studies: Mapping[str, Sequence[str]]) -> None:
    """Wait for these instances, by study."""
    registry: Registry = _kept["registry"]
    _kept["inboxes"] = [registry.open(study, uids, _evidence) for study, uids in studies.items()]


def _evidence(arrival: Arrival) -> Any:
    return evidence_of(arrival, 1)


def arrived() -> int:
    """Wait until all of it is durable; how many came. Afterwards nothing is expected."""
    inboxes: list[Inbox] = _kept.pop("inboxes")
    came = 0
    for inbox in inboxes:
        if not inbox.wait_complete(QUIET_S):
            raise RuntimeError(f"{len(inbox.missing())} instances did not come")
        came += len(inbox.kept)
        _kept["registry"].close(inbox)
        _kept.setdefault("landed", []).extend(one.wire_xxh3 for one in inbox.kept)
        _kept["evidence"] = inbox.kept
    return came


def forget() -> None:
    """Remove what landed."""
    _kept["area"].remove(_kept.pop("landed", ()))


# ---- sending


def send_bare(called_ae_title: str, port: int, paths: Sequence[Path]) -> float:
    """Send with a loop that promises nothing; wall seconds."""
    began = time.monotonic()
    BareSender(called_ae_title, port, paths[0]).send(paths)
    return time.monotonic() - began


def prepare(run_folder: Path, paths: Sequence[Path]) -> None:
    """Open the destination of a run folder and make ready what it will be sent: whole data sets."""
    door = doorstep(load(run_folder / FILE_NAME), run_folder, 0, receiving=False)
    _kept["destination"] = DimseDestination(door)
    _kept["items"] = [_sendable(path) for path in paths]


def _sendable(path: Path) -> Sendable:
    evidence = evidence_of_file(path)
    whole = ((0, evidence.size_bytes),)
    return Sendable(evidence=evidence, path=path, segments=lambda: whole, dataset_xxh3=evidence.dataset_xxh3)


def store(first: int, last: int) -> float:
    """Send a range of the items on one association; wall seconds.

    Raises:
        RuntimeError: Something was not stored.
    """
    began = time.monotonic()
    outcomes = _kept["destination"].store(_kept["items"][first:last])
    if any(one.status != 0 for one in outcomes):
        raise RuntimeError("not everything was stored")
    return time.monotonic() - began


# ---- stages


def start_site(run_folder: Path) -> None:
    """Open a worker's place of work, as the engine does."""
    site = open_site(load(run_folder / FILE_NAME), str(run_folder), 0)
    _open.append(site.close)
    _kept["site"] = site


def retrieve(listed: Sequence[Listed]) -> float:
    """The retrieve stage over some studies, one after another; wall seconds."""
    site = _kept["site"]
    works: dict[str, list[InstanceRef]] = {}
    for one in listed:
        ref = InstanceRef(
            series_instance_uid=one.series_instance_uid,
            sop_instance_uid=one.sop_instance_uid,
            sop_class_uid=one.sop_class_uid,
        )
        works.setdefault(one.study_instance_uid, []).append(ref)
    began = time.monotonic()
    events = [
        STAGES["retrieve"].run(site, StudyWork(study_instance_uid=uid, instances=tuple(refs)))
        for uid, refs in works.items()
    ]
    wall_s = time.monotonic() - began
    if sum(len(event.evidence) for event in events) != len(listed):
        raise RuntimeError("not everything came")
    for event in events:
        site.area.remove(one.wire_xxh3 for one in event.evidence)
    return wall_s


def stage(name: str, wire_xxh3: str | None = None) -> float:
    """One stage over what landed last (`arrived`), in the site that was started; wall seconds."""
    site = replace(_kept["site"], area=_kept["area"])
    evidence = tuple(_kept["evidence"])
    study = StagedStudy(
        study_instance_uid=evidence[0].study_instance_uid,
        evidence=evidence,
        prepared=_kept.get("prepared", ()),
        modified_at="2026-01-01T00:00:00+00:00",
    )
    began = time.monotonic()
    event = STAGES[name].run(site, study)
    wall_s = time.monotonic() - began
    if name == "normalize":
        _kept["prepared"] = event.prepared
    if getattr(event, "defects", ()) or type(event).__name__ == "Lost":
        raise RuntimeError(f"{name} ended with {type(event).__name__}")
    return wall_s


# ---- asking


def crawl(run_folder: Path) -> tuple[float, int]:
    """A whole crawl: wall seconds, and how many answers came."""
    answers = 0

    def watch(progress: Progress) -> None:
        nonlocal answers
        answers = max(answers, progress.answers)

    order = CrawlOrder(run_folder=run_folder, config=load(run_folder / FILE_NAME))
    began = time.monotonic()
    run_crawl(order, watch, lambda: False)
    return time.monotonic() - began, answers


# ---- other ends of a wire


@dataclass(frozen=True, slots=True)
class Place:
    """Where a receiver of ours listens."""

    ae_title: str
    port: int

    def endpoint(self) -> Endpoint:
        """It, as a peer to call."""
        return Endpoint(ae_title=self.ae_title, host="127.0.0.1", port=self.port, calling_ae_title="BENCH")


def send_file(place: Place, path: Path) -> float:
    """Send one file with our own sender; wall seconds."""
    with path.open("rb") as file:
        meta = read_meta(file.fileno())
    item = Outgoing(
        sop_class_uid=meta.sop_class_uid,
        sop_instance_uid=meta.sop_instance_uid,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        segments=(FileRange(path, meta.dataset_offset, path.stat().st_size - meta.dataset_offset),),
    )
    began = time.monotonic()
    with Association.open(place.endpoint(), [Context(item.sop_class_uid, (item.transfer_syntax_uid,))]) as association:
        if association.store(item).status != 0:
            raise RuntimeError("the file was not taken")
    return time.monotonic() - began


def send_studies(place: Place, kind: str, first: int, studies: int) -> None:
    """Make objects and send them with our own sender, one association a study."""
    for study in range(first, first + studies):
        send_study(place, kind, study)


def send_study(place: Place, kind: str, study: int) -> None:
    """Make one study's objects and send them on one association."""
    wanted = KINDS[kind]
    with Association.open(place.endpoint(), [Context(wanted.sop_class_uid, (EXPLICIT,))]) as association:
        for one, content in zip(listing(wanted, 1, first=study), objects(wanted, 1, first=study), strict=True):
            item = Outgoing(
                sop_class_uid=one.sop_class_uid,
                sop_instance_uid=one.sop_instance_uid,
                transfer_syntax_uid=EXPLICIT,
                segments=(content[_dataset_offset(content) :],),
            )
            if association.store(item).status != 0:
                raise RuntimeError("an object was not taken")


def _dataset_offset(content: bytes) -> int:
    return 144 + int.from_bytes(content[140:144], "little")


# ---- files into the landing area


def stage_files(paths: Sequence[Path]) -> float:
    """Read files into the landing area of `start_receiver`: digested, checked, durable; wall seconds."""
    registry: Registry = _kept["registry"]
    sink = LandingSink(registry, _kept["area"], "MIGRATE")
    buffer = memoryview(bytearray(BLOCK_BYTES))
    began = time.monotonic()
    for path in paths:
        with path.open("rb", buffering=0) as file:
            meta = read_meta(file.fileno())
            file.seek(meta.dataset_offset)
            arriving = sink.begin(_incoming(meta))
            while count := file.readinto(buffer):
                arriving.write(buffer[:count])
            arriving.finish()
    arrived()
    return time.monotonic() - began


def _incoming(meta: FileMeta) -> Incoming:
    return Incoming(
        sop_class_uid=meta.sop_class_uid,
        sop_instance_uid=meta.sop_instance_uid,
        transfer_syntax_uid=meta.transfer_syntax_uid,
        calling_ae_title="BENCH",
    )
