"""What the tests of the wire share: sinks that keep objects in memory, and files as byte ranges."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from pydicom.filereader import read_dataset, read_file_meta_info

from migrate.wire.dimse.endpoint import Context, Endpoint
from migrate.wire.dimse.limits import Limits
from migrate.wire.dimse.outgoing import FileRange, Outgoing
from migrate.wire.dimse.sinks import Incoming

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
BASIC = (EXPLICIT, IMPLICIT)
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
VERIFICATION = "1.2.840.10008.1.1"
QUICK = Limits(connect_s=5, artim_s=5, stall_s=5, idle_s=30, dimse_s=20, tick_s=0.2)


@dataclass
class MemoryObject:
    """Keeps one object; `status` is what `finish` answers."""

    incoming: Incoming
    sink: MemorySink
    parts: list[bytes] = field(default_factory=list)

    def write(self, view: memoryview) -> None:
        self.parts.append(bytes(view))
        self.sink.on_write(self)

    def finish(self) -> int:
        self.sink.on_finish(self)
        with self.sink.lock:
            self.sink.objects.append((self.incoming, b"".join(self.parts)))
        return self.sink.status

    def discard(self, reason: str) -> None:
        with self.sink.lock:
            self.sink.discarded.append((self.incoming, reason))


@dataclass
class MemorySink:
    """Keeps every object and what was discarded."""

    status: int = 0
    objects: list[tuple[Incoming, bytes]] = field(default_factory=list)
    discarded: list[tuple[Incoming, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    on_begin: Callable[[Incoming], None] = lambda _: None
    on_write: Callable[[MemoryObject], None] = lambda _: None
    on_finish: Callable[[MemoryObject], None] = lambda _: None

    def begin(self, incoming: Incoming) -> MemoryObject:
        self.on_begin(incoming)
        return MemoryObject(incoming, self)

    def by_uid(self) -> dict[str, bytes]:
        return {incoming.sop_instance_uid: data_set for incoming, data_set in self.objects}


@dataclass(frozen=True)
class Stored:
    """One file and where its data set lies."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    offset: int

    @property
    def data_set(self) -> bytes:
        return self.path.read_bytes()[self.offset :]

    @property
    def context(self) -> Context:
        return Context(self.sop_class_uid, (self.transfer_syntax_uid,))

    def outgoing(self, tap: Callable[[memoryview], object] | None = None) -> Outgoing:
        length = self.path.stat().st_size - self.offset
        return Outgoing(
            sop_class_uid=self.sop_class_uid,
            sop_instance_uid=self.sop_instance_uid,
            transfer_syntax_uid=self.transfer_syntax_uid,
            segments=(FileRange(self.path, self.offset, length),),
            tap=tap,
        )


def stored(path: Path) -> Stored:
    """Read the file meta information of `path`."""
    meta = read_file_meta_info(path)
    return Stored(
        path=path,
        sop_class_uid=str(meta.MediaStorageSOPClassUID),
        sop_instance_uid=str(meta.MediaStorageSOPInstanceUID),
        transfer_syntax_uid=str(meta.TransferSyntaxUID),
        offset=132 + 12 + int(meta.FileMetaInformationGroupLength),
    )


def contexts_for(objects: Iterable[Stored]) -> list[Context]:
    """One context for each kind of object."""
    return list(dict.fromkeys(one.context for one in objects))


def endpoint(port: int, ae_title: str, limits: Limits = QUICK) -> Endpoint:
    """A peer on this machine that knows us as MIGRATE."""
    return Endpoint(ae_title=ae_title, host="127.0.0.1", port=port, calling_ae_title="MIGRATE", limits=limits)


def same(objects: Sequence[Stored], sink: MemorySink) -> bool:
    """Whether `sink` got each of `objects` once and byte for byte."""
    expected = sorted((one.sop_instance_uid, one.data_set) for one in objects)
    return expected == sorted((incoming.sop_instance_uid, data_set) for incoming, data_set in sink.objects)


def same_content(objects: Sequence[Stored], sink: MemorySink) -> bool:
    """As `same`, but for how group lengths are written: some archives write them anew."""
    expected = sorted((one.sop_instance_uid, content(one.data_set, one.transfer_syntax_uid)) for one in objects)
    return expected == sorted(
        (incoming.sop_instance_uid, content(data_set, incoming.transfer_syntax_uid))
        for incoming, data_set in sink.objects
    )


def content(data_set: bytes, transfer_syntax_uid: str) -> str:
    """Every element of a data set but group lengths."""
    is_implicit = transfer_syntax_uid == IMPLICIT
    read = read_dataset(BytesIO(data_set), is_implicit, is_little_endian=True)
    return repr([(one.tag, one.VR, one.value) for one in read if one.tag.element != 0])
