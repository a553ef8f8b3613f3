"""Where arriving objects go: to the study that is waiting for them, or nowhere.

Sinks for the wire, one registry of waiting studies. `ReadingSink` only digests (read-back from the
destination needs no disk); those of `filing` write a file in the same pass.
What study an object belongs to is read from its data set, never from a path, a status or an
association: C-MOVE sub-operations of parallel moves arrive mixed (PS3.4 C.4.2).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from migrate.dicom.digest import Digested, Digester
from migrate.errors import IllegalDicom, MigrateError
from migrate.model import Digests, ExceptionClass, now

UNFINISHED_TICK_S = 0.05
SUCCESS = 0x0000
OUT_OF_RESOURCES = 0xA700  # PS3.4 B.2.3: we refuse while the disk is full
CUT_OFF = ("ends inside an element", "is cut off", "shorter than", "no pixel data follows", "truncated")
NOT_AUTHORISED = 0x0124  # PS3.7 C.5.9: an object that nobody asked for


class Incoming(Protocol):
    """What a C-STORE request says before its data set comes (PS3.7 9.3.1.1)."""

    @property
    def sop_class_uid(self) -> str:
        """Affected SOP Class UID."""
        ...

    @property
    def sop_instance_uid(self) -> str:
        """Affected SOP Instance UID."""
        ...

    @property
    def transfer_syntax_uid(self) -> str:
        """Of the presentation context."""
        ...

    @property
    def calling_ae_title(self) -> str:
        """Who sends."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrival:
    """One object that came whole. `digested.header` tells what is in it."""

    digested: Digested
    transfer_syntax_uid: str
    received_at: str

    @property
    def digests(self) -> Digests:
        """Wire, bulk and dataset digests of exactly the bytes received."""
        return self.digested.digests


@dataclass(frozen=True, slots=True)
class Rejected:
    """One object that arrived and cannot be trusted; the detail has no values."""

    sop_instance_uid: str
    exception_class: ExceptionClass
    detail: str


@dataclass
class Inbox:
    """What has come for one study. Whoever waits is woken when nothing is unfinished.

    `keep` turns an arrival into the little that stays in memory: a header is not kept per object.
    """

    study_instance_uid: str
    expected: frozenset[str]
    keep: Callable[[Arrival], object]
    kept: list[Any] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    failure: MigrateError | None = None
    unfinished: int = 0
    last_traffic: float = field(default_factory=time.monotonic)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def touch(self) -> None:
        """Bytes are flowing: the idle watchdog starts again."""
        self.last_traffic = time.monotonic()

    def got(self, arrival: Arrival) -> None:
        """A whole (and, where it lands, durable) object."""
        kept = self.keep(arrival)
        with self.changed:
            self.kept.append(kept)
            self.seen.add(arrival.digested.header.sop_instance_uid or "")
            self._wake()

    def refuse(self, rejected: Rejected) -> None:
        """An object that came and cannot be trusted."""
        with self.changed:
            self.rejected.append(rejected)
            self.seen.add(rejected.sop_instance_uid)
            self._wake()

    def fail(self, error: MigrateError) -> None:
        """The local side cannot take more (disk full, disk error)."""
        with self.changed:
            self.failure = error
            self._wake()

    def count(self, step: int) -> None:
        """An object begins (+1) or has been dealt with (-1)."""
        with self.changed:
            self.unfinished += step
            self._wake()

    def _wake(self) -> None:
        """Tell who waits, if that is what he waits for: being woken by every object costs more than receiving it."""
        self.touch()
        if not self.unfinished or self.failure:
            self.changed.notify_all()

    @property
    def all_begun(self) -> bool:
        """Whether nothing more is to come than what has begun; one too early or too late does no harm."""
        return self.unfinished > len(self.expected) - len(self.seen)

    def missing(self) -> set[str]:
        """SOP Instance UIDs expected and not yet here."""
        with self.changed:
            return set(self.expected - self.seen)

    def idle_s(self) -> float:
        """Seconds since the last byte for this study."""
        return time.monotonic() - self.last_traffic

    def wait_complete(self, quiet_s: float) -> bool:
        """Wait until all has come, or nothing has for `quiet_s` (a move may end before its data).

        What has begun is waited for: the wire ends a stalled transfer, the disk ends its group.

        Returns:
            Whether every expected instance is here.

        Raises:
            LocalError: The disk refused (StagingFull when it is full).
        """
        with self.changed:
            while self.failure is None and (self.unfinished or self.expected - self.seen):
                left = quiet_s - self.idle_s()
                if left <= 0 and not self.unfinished:
                    break
                self.changed.wait(max(left, UNFINISHED_TICK_S))
        if self.failure:
            raise self.failure
        return not self.missing()


class Registry:
    """The studies that wait, by Study Instance UID; everything else is refused and counted."""

    def __init__(self) -> None:
        self._inboxes: dict[str, Inbox] = {}
        self._by_instance: dict[str, Inbox] = {}
        self._lock = threading.Lock()
        self.unasked = 0

    def open(self, study_instance_uid: str, expected: Iterable[str], keep: Callable[[Arrival], object]) -> Inbox:
        """Start waiting for a study."""
        inbox = Inbox(study_instance_uid, frozenset(expected), keep)
        with self._lock:
            self._inboxes[study_instance_uid] = inbox
            self._by_instance.update(dict.fromkeys(inbox.expected, inbox))
        return inbox

    def close(self, inbox: Inbox) -> None:
        """Stop waiting; what comes later is refused."""
        with self._lock:
            self._inboxes.pop(inbox.study_instance_uid, None)
            for uid in inbox.expected:
                if self._by_instance.get(uid) is inbox:
                    del self._by_instance[uid]

    def of_study(self, study_instance_uid: str | None) -> Inbox | None:
        """Who waits for this study."""
        with self._lock:
            inbox = self._inboxes.get(study_instance_uid or "")
            self.unasked += inbox is None
            return inbox

    def of_instance(self, sop_instance_uid: str) -> Inbox | None:
        """Who expects this instance; the only clue when the data set cannot be read."""
        with self._lock:
            return self._by_instance.get(sop_instance_uid)


def _class_of(error: IllegalDicom) -> ExceptionClass:
    """A part of it is missing, or it never was DICOM."""
    cut_off = any(words in error.fact for words in CUT_OFF)
    return ExceptionClass.CORRUPT if cut_off else ExceptionClass.ILLEGAL_DICOM


class ReadingObject:
    """One object that is digested and not kept."""

    def __init__(self, registry: Registry, incoming: Incoming) -> None:
        self.registry = registry
        self.incoming = incoming
        self.digester = Digester(incoming.transfer_syntax_uid)
        self.expecting = registry.of_instance(incoming.sop_instance_uid)
        if self.expecting:
            self.expecting.count(+1)

    def write(self, view: memoryview) -> None:
        """Data set bytes as they come."""
        if self.expecting:
            self.expecting.touch()
        self.digester.feed(view)

    def finish(self) -> int:
        """The object is whole: hand it to whoever waits. Returns the C-STORE status."""
        try:
            return self._finish()
        finally:
            if self.expecting:
                self.expecting.count(-1)

    def discard(self, _reason: str) -> None:
        """The association died in the middle: nothing arrived."""
        if self.expecting:
            self.expecting.count(-1)

    def _finish(self) -> int:
        try:
            digested = self.digester.close()
        except IllegalDicom as error:
            return self._untrusted(error)
        inbox = self.registry.of_study(digested.header.study_instance_uid)
        arrival = Arrival(digested=digested, transfer_syntax_uid=self.incoming.transfer_syntax_uid, received_at=now())
        return self._deliver(inbox, arrival)

    def _deliver(self, inbox: Inbox | None, arrival: Arrival) -> int:
        if inbox is None:
            return NOT_AUTHORISED
        inbox.got(arrival)
        return SUCCESS

    def _untrusted(self, error: IllegalDicom) -> int:
        """Answer success all the same: an error would make some sources give up the whole move."""
        if self.expecting is None:
            return NOT_AUTHORISED
        self.expecting.refuse(Rejected(self.incoming.sop_instance_uid, _class_of(error), str(error)))
        return SUCCESS


class ReadingSink:
    """Digest only: what read-back needs."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    def begin(self, incoming: Incoming) -> ReadingObject:
        """A data set is about to come."""
        return ReadingObject(self.registry, incoming)


class ByCaller:
    """One port, two purposes: what the destination sends is read back, the rest lands."""

    def __init__(self, landing: ReadingSink, reading: Mapping[str, ReadingSink]) -> None:
        self.landing = landing
        self.reading = reading

    def begin(self, incoming: Incoming) -> ReadingObject:
        """Choose by the calling AE title."""
        return self.reading.get(incoming.calling_ae_title, self.landing).begin(incoming)
