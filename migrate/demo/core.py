"""What the services of one embedded peer share, and what each of them gets."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext

from migrate.demo.answers import Answerer
from migrate.demo.archive import FolderArchive
from migrate.demo.messages import send_message
from migrate.demo.misbehaviour import Misbehaviours


@dataclass(frozen=True, slots=True)
class StoreRecord:
    """One C-STORE that arrived: what was answered (None: no answer went out) and from whom."""

    sop_instance_uid: str
    status: int | None
    transfer_syntax_uid: str
    calling_ae_title: str
    move_originator: tuple[str, int] | None = None


@dataclass(slots=True)
class Counters:
    """Numbers that orders count on (`every nth`, `the first n`). Thread-safe."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _counts: dict[str, int] = field(default_factory=dict)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def next(self, name: str) -> int:
        """Count one more; the first is 1."""
        with self._lock:
            self._counts[name] = self._counts.get(name, 0) + 1
            return self._counts[name]

    def first_time(self, name: str, of: str) -> bool:
        """True once for each `of`."""
        with self._lock:
            new = (name, of) not in self._seen
            self._seen.add((name, of))
            return new


@dataclass(slots=True)
class Core:
    """One peer's state: what it holds, what it was ordered to do, whom it knows."""

    ae: AE
    ae_title: str
    archive: FolderArchive
    answerer: Answerer
    orders: Misbehaviours
    folder: Path
    destinations: dict[str, tuple[str, int]]
    services: Mapping[type[Any], Callable[[Call], None]]
    counters: Counters = field(default_factory=Counters)
    stores: list[StoreRecord] = field(default_factory=list)
    store_log: Path | None = None
    stopping: threading.Event = field(default_factory=threading.Event)
    first_store_at_s: float | None = None
    store_lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, seconds: float) -> None:
        """Sleep, but not past the peer's end."""
        if seconds > 0:
            self.stopping.wait(seconds)

    def record(self, record: StoreRecord) -> None:
        """Remember a C-STORE, and append it to the log file when there is one."""
        with self.store_lock:
            self.stores.append(record)
            if self.store_log:
                status = "" if record.status is None else f"{record.status:04X}"
                with self.store_log.open("a", encoding="ascii") as log:
                    log.write(f"{record.sop_instance_uid} {status} {record.transfer_syntax_uid}\n")


@dataclass(frozen=True, slots=True)
class Call:
    """One DIMSE request on one association."""

    core: Core
    association: Association
    request: Any
    context: PresentationContext

    @property
    def context_id(self) -> int:
        """The presentation context of the request."""
        return int(self.context.context_id or 0)

    @property
    def implicit_vr(self) -> bool:
        """How identifiers are encoded on this context."""
        return bool(self.context.transfer_syntax[0].is_implicit_VR)

    @property
    def calling_ae_title(self) -> str:
        """Who asks."""
        primitive = self.association.requestor.primitive
        return str(primitive.calling_ae_title).strip() if primitive else ""

    def respond(self, command: dict[str, Any], dataset: Iterable[bytes] | None = None) -> None:
        """Send a response to this request. Raises AssociationLost."""
        answered = {"MessageIDBeingRespondedTo": self.request.MessageID, **command}
        send_message(self.association, self.context_id, answered, dataset)

    def cancelled(self) -> bool:
        """The peer has sent C-CANCEL for this request (PS3.7 9.3.2.3)."""
        return self.association.dimse.cancel_req.pop(self.request.MessageID, None) is not None

    def keep_silent(self) -> None:
        """Never answer: wait until the other end gives up or the peer stops."""
        while not self.core.stopping.wait(0.02):
            if self.association.acse.is_aborted() or not self.association.dul.is_alive():
                return


def monotonic_s() -> float:
    """Seconds of a clock that never goes back."""
    return time.monotonic()
