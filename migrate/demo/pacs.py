"""The embedded peer: a small archive that is a legacy PACS or a DI-r, as ordered."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom import AE, evt
from pynetdicom._globals import ALL_TRANSFER_SYNTAXES
from pynetdicom.dimse_primitives import C_FIND, C_GET, C_MOVE, C_STORE, N_ACTION
from pynetdicom.presentation import AllStoragePresentationContexts
from pynetdicom.transport import ThreadedAssociationServer

from migrate.demo.answers import Answerer
from migrate.demo.archive import FolderArchive
from migrate.demo.association import (
    MAXIMUM_PDU_BYTES,
    SOCKET_TIMEOUT_S,
    PeerRequests,
    PeerServer,
    SharedContext,
    shared_context,
    tune,
)
from migrate.demo.commitment import STORAGE_COMMITMENT, serve_action
from migrate.demo.core import Core, StoreRecord
from migrate.demo.find import PATIENT_ROOT_FIND, STUDY_ROOT_FIND, serve_find
from migrate.demo.formula import FormulaArchive, FormulaPlan
from migrate.demo.misbehaviour import Misbehaviours
from migrate.demo.move import serve_get, serve_move
from migrate.demo.question import FindHistory
from migrate.demo.rows import Catalogue
from migrate.demo.store import serve_store
from migrate.errors import ConfigError, LocalError

_VERIFICATION = "1.2.840.10008.1.1"
_MOVE = ("1.2.840.10008.5.1.4.1.2.2.2", "1.2.840.10008.5.1.4.1.2.1.2")
_GET = ("1.2.840.10008.5.1.4.1.2.2.3", "1.2.840.10008.5.1.4.1.2.1.3")
_NATIVE = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian]
_SYNTAXES = [*_NATIVE, *(UID(each) for each in ALL_TRANSFER_SYNTAXES if each not in _NATIVE)]
_QUERY_SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
_SERVICES = {
    C_FIND: serve_find,
    C_MOVE: serve_move,
    C_GET: serve_get,
    C_STORE: serve_store,
    N_ACTION: serve_action,
}
_ANSWER_TIMEOUT_S = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class PeerOptions:
    """What one embedded peer is.

    Args:
        ae_title: Its AE title; requests for another called AE title are rejected.
        folder: Where its files lie; arrivals are added to it.
        host: A loopback address.
        port: 0 takes a free one.
        destinations: AE title -> (host, port) for C-MOVE and for commitment reports.
        misbehaviours: Orders.
        allow: Calling AE titles; None allows all.
        store_log: A file that gets one line for each C-STORE (`uid status syntax`).
        formula: Answer C-FIND from a formula of this many studies instead of the folder.
    """

    ae_title: str
    folder: Path
    host: str = "127.0.0.1"
    port: int = 0
    destinations: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    misbehaviours: Misbehaviours = field(default_factory=Misbehaviours)
    allow: tuple[str, ...] | None = None
    store_log: Path | None = None
    formula: int | None = None

    def to_mapping(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "ae_title": self.ae_title,
            "folder": str(self.folder),
            "host": self.host,
            "port": self.port,
            "destinations": {title: list(place) for title, place in self.destinations.items()},
            "misbehaviours": self.misbehaviours.to_mapping(),
            "allow": None if self.allow is None else list(self.allow),
            "store_log": None if self.store_log is None else str(self.store_log),
            "formula": self.formula,
        }

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> PeerOptions:
        """The inverse of `to_mapping`. Raises ConfigError."""
        places = values.get("destinations", {})
        allow, store_log = values.get("allow"), values.get("store_log")
        try:
            return cls(
                ae_title=values["ae_title"],
                folder=Path(values["folder"]),
                host=values.get("host", "127.0.0.1"),
                port=int(values.get("port", 0)),
                destinations={title: (host, int(port)) for title, (host, port) in places.items()},
                misbehaviours=Misbehaviours.from_mapping(values.get("misbehaviours", {})),
                allow=None if allow is None else tuple(allow),
                store_log=None if store_log is None else Path(store_log),
                formula=values.get("formula"),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError("the peer's options are wrong", why=repr(error)) from error


class EmbeddedPeer:
    """One running peer. Use it as a context manager, or call `start` and `stop`.

    Args:
        options: What it is.
        catalogue: Answers C-FIND instead of the folder (a formula, for instance).
    """

    def __init__(self, options: PeerOptions, catalogue: Catalogue | None = None) -> None:
        if not _is_loopback(options.host):
            raise ConfigError("an embedded peer listens on the loopback interface alone", host=options.host)
        self.options = options
        options.folder.mkdir(parents=True, exist_ok=True)
        self.archive = FolderArchive(options.folder, options.ae_title)
        self._history = FindHistory()
        if catalogue is None and options.formula is not None:
            catalogue = FormulaArchive(FormulaPlan(studies=options.formula))
        self._core = self._made_core(catalogue or self.archive)
        self._server: ThreadedAssociationServer | None = None

    def _made_core(self, catalogue: Catalogue) -> Core:
        orders = self.options.misbehaviours
        ae = AE(ae_title=self.options.ae_title)
        ae.maximum_pdu_size = MAXIMUM_PDU_BYTES
        ae.maximum_associations = orders.association.maximum_associations
        ae.require_called_aet = True
        ae.require_calling_aet = list(self.options.allow or ())
        ae.acse_timeout = ae.connection_timeout = SOCKET_TIMEOUT_S
        ae.dimse_timeout = ae.network_timeout = _ANSWER_TIMEOUT_S
        stop = threading.Event()
        return Core(
            ae=ae,
            ae_title=self.options.ae_title,
            archive=self.archive,
            answerer=Answerer(catalogue, orders.find, self._history, lambda seconds: _wait(stop, seconds)),
            orders=orders,
            folder=self.options.folder,
            destinations=dict(self.options.destinations),
            services=_SERVICES,
            store_log=self.options.store_log,
            stopping=stop,
        )

    def start(self) -> Self:
        """Listen. Raises LocalError when the port is taken."""
        address = (self.options.host, self.options.port)
        try:
            server = self._core.ae.make_server(
                address,
                contexts=self._contexts(),  # type: ignore[arg-type]
                evt_handlers=self._handlers(),
                server_class=PeerServer,
                request_handler=PeerRequests,
            )
        except OSError as error:
            raise LocalError("the port is taken", port=self.options.port) from error
        server.core = self._core  # type: ignore[attr-defined]
        self._core.ae._servers.append(server)  # noqa: SLF001 - where AE.shutdown looks for it
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self._server = server
        return self

    def stop(self) -> None:
        """Abort what is open and stop listening; may be called twice."""
        self._core.stopping.set()
        if self._server is not None:
            self._core.ae.shutdown()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1]) if self._server else self.options.port

    @property
    def stores(self) -> list[StoreRecord]:
        """Every C-STORE that arrived so far, in order."""
        with self._core.store_lock:
            return list(self._core.stores)

    @property
    def finds(self) -> FindHistory:
        """How many C-FINDs were asked and how many rows went out."""
        return self._history

    def add_destination(self, ae_title: str, host: str, port: int) -> None:
        """Register where an AE title listens, as a PACS administrator would."""
        self._core.destinations[ae_title] = (host, port)

    def _handlers(self) -> list[Any]:
        handlers: list[Any] = [(evt.EVT_CONN_OPEN, tune)]
        orders = self.options.misbehaviours.association
        if orders.silence:
            handlers.append((evt.EVT_REQUESTED, self._keep_silent))
        elif orders.reject_first_n:
            handlers.append((evt.EVT_REQUESTED, self._reject))
        return handlers

    def _keep_silent(self, event: evt.Event) -> None:
        self._core.stopping.wait()

    def _reject(self, event: evt.Event) -> None:
        if self._core.counters.next("associations") <= self.options.misbehaviours.association.reject_first_n:
            event.assoc.acse.send_reject(0x02, 0x03, 0x02)  # transient, local limit exceeded (PS3.8 9.3.4)
            event.assoc.kill()

    def _contexts(self) -> list[SharedContext]:
        orders = self.options.misbehaviours
        plain = [STUDY_ROOT_FIND, PATIENT_ROOT_FIND, _VERIFICATION]
        plain += [] if orders.move.refuse_move else _MOVE
        plain += [] if orders.move.refuse_get else _GET
        plain += [] if orders.commitment.refuse else [STORAGE_COMMITMENT]
        syntaxes = tuple(each for each in _SYNTAXES if each not in orders.store.refuse_transfer_syntaxes)
        known = [str(context.abstract_syntax) for context in AllStoragePresentationContexts]
        held = [each.sop_class_uid for each in self.archive.objects()]
        classes = [uid for uid in dict.fromkeys(known + held) if uid not in orders.store.refuse_sop_classes]
        return [shared_context(uid, _QUERY_SYNTAXES) for uid in plain] + [
            shared_context(uid, syntaxes, both_roles=True) for uid in classes if uid
        ]


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _wait(stop: threading.Event, seconds: float) -> None:
    stop.wait(seconds)
