"""Fetching one instance for real: C-GET, C-MOVE to each of our AE titles, and what final statuses are worth.

What arrives is digested and not kept. Any calling AE title is let in while one instance is waited
for, so that a source that calls itself by another name is told apart from one that never came.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from migrate.dicom.status import MOVE_DESTINATION_UNKNOWN
from migrate.errors import ConfigError, LocalError, MigrateError, PeerError, PeerRefused, PeerUnavailable
from migrate.model import InstanceRef
from migrate.stages.assess import check
from migrate.stages.assess.asking import patiently
from migrate.stages.assess.check import Check, Unlearnt
from migrate.stages.assess.scene import InstanceSeen, Scene
from migrate.staging.intake import Arrival, Inbox, Incoming, ReadingObject, ReadingSink, Registry
from migrate.wire import fetch
from migrate.wire.dimse.endpoint import Endpoint
from migrate.wire.dimse.retrieval import MoveEnd
from migrate.wire.dimse.scp import Receiver, ReceiverOptions
from migrate.wire.dimse.tls import server_context

LONGEST_SILENCE_S = 120.0
NOTHING_S = 60.0
# Where the source does not say what class its instance is of.
LIKELY_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.2",  # CT
    "1.2.840.10008.5.1.4.1.1.4",  # MR
    "1.2.840.10008.5.1.4.1.1.1",  # CR
    "1.2.840.10008.5.1.4.1.1.1.1",  # DX
    "1.2.840.10008.5.1.4.1.1.7",  # secondary capture
    "1.2.840.10008.5.1.4.1.1.6.1",  # ultrasound
    "1.2.840.10008.5.1.4.1.1.12.1",  # XA
)


@dataclass(slots=True)
class Tried:
    """One attempt to fetch one instance. `end` is None when no final response came, or nothing was asked."""

    title: str
    end: MoveEnd | None = None
    error: MigrateError | None = None
    arrived: int = 0
    transfer_syntax_uid: str = ""
    callers: set[str] = field(default_factory=set)

    @property
    def honest(self) -> bool:
        """Whether the counters agree with what arrived; none at all claim nothing."""
        return self.end is None or (self.end.completed or 0) + (self.end.warning or 0) == self.arrived

    def __str__(self) -> str:
        if self.arrived:
            return "arrived"
        if self.error is not None:
            return self.error.fact
        return f"nothing arrived, status {self.end.status:04X}" if self.end else "nothing arrived"


class NotingSink(ReadingSink):
    """Digests objects, keeps none, notes who brought them."""

    def __init__(self, registry: Registry, callers: set[str]) -> None:
        super().__init__(registry)
        self._callers = callers
        self._lock = threading.Lock()

    def begin(self, incoming: Incoming) -> ReadingObject:
        """A data set is about to come."""
        with self._lock:
            self._callers.add(incoming.calling_ae_title)
        return super().begin(incoming)


# ---- C-GET


def c_get(scene: Scene) -> None:
    """C-GET of one instance (PS3.4 C.4.3)."""
    instance = _instance(scene)
    tried = Tried(scene.finder.endpoint.calling_ae_title)
    registry = Registry()
    with _Waiting(registry, instance, scene, tried) as inbox:
        sink = NotingSink(registry, tried.callers)
        endpoint, abandon = scene.finder.endpoint, _abandon(scene, inbox)
        giver = fetch.Giver(endpoint, scene.finder.stack, abandon)
        tried.end = patiently(lambda: fetch.get(giver, _ask(instance), sink))
    _say_c_get(scene, tried)


def _say_c_get(scene: Scene, tried: Tried) -> None:
    not_offered = isinstance(tried.error, PeerRefused)
    how = "not offered" if not_offered else f"one instance: {tried}"
    scene.learn("c_get", bool(tried.arrived), how)
    if tried.arrived:
        scene.ok("C-GET", f"one instance arrived (transfer_syntax={tried.transfer_syntax_uid})")
    elif scene.config.source.retrieve == "c-get":
        error = tried.error or PeerRefused("C-GET brought nothing", status=_status(tried))
        scene.say(check.fail("source C-GET", error, "ask its administrator to allow C-GET, or set source.retrieve"))
    elif not_offered:
        scene.ok("C-GET", how)
    else:
        scene.warn("C-GET", how, "C-MOVE is used; nothing to do unless that fails too")


# ---- C-MOVE


def c_move(scene: Scene) -> None:
    """C-MOVE of one instance to each of our AE titles on its real port (PS3.4 C.4.2)."""
    instance = _instance(scene)
    tries = [_move(scene, instance, index) for index in range(len(scene.config.receiver.ae_titles))]
    for index, tried in enumerate(tries):
        scene.say(_judge(scene, index, tried))
    scene.learn("move_destinations", {one.title: str(one) for one in tries}, "one instance was moved to each")
    arrived = sum(bool(one.arrived) for one in tries)
    scene.learn("c_move", arrived == len(tries), f"one instance arrived at {arrived} of {len(tries)} AE titles")
    _learn_retrieve(scene)
    _honesty(scene, tries)


def _move(scene: Scene, instance: InstanceSeen, index: int) -> Tried:
    receiver, registry = scene.config.receiver, Registry()
    tried = Tried(receiver.ae_titles[index])
    files = scene.assessment.tls
    options = ReceiverOptions(
        ae_title=tried.title,
        host=receiver.host,
        port=receiver.port + index,
        tls=server_context(files) if files else None,
    )
    try:
        with (
            Receiver(options, NotingSink(registry, tried.callers)),
            _Waiting(registry, instance, scene, tried) as inbox,
        ):
            giver = fetch.Giver(_calling(scene, tried.title), scene.finder.stack, _abandon(scene, inbox))
            tried.end = patiently(lambda: fetch.move(giver, _ask(instance), tried.title))
    except LocalError as error:
        tried.error = error
    return tried


def _judge(scene: Scene, index: int, tried: Tried) -> Check:
    name = f"source C-MOVE to {tried.title}"
    if tried.arrived and (strangers := tried.callers - _allowed(scene)):
        error = ConfigError(
            "the receiver will reject the source",
            f"add {', '.join(sorted(strangers))} to receiver.allow",
            calls_itself=", ".join(sorted(strangers)),
        )
        return check.fail(name, error)
    if tried.arrived:
        fact = f"one instance arrived (status={_status(tried)}, transfer_syntax={tried.transfer_syntax_uid})"
        return check.ok(name, fact)
    failed = check.fail(name, _error_of(scene, index, tried))
    if scene.knows("c_get") is True and scene.config.source.retrieve != "c-move":
        return check.warn(name, failed.fact, f"{failed.hint}; meanwhile C-GET is used")
    return failed


def _error_of(scene: Scene, index: int, tried: Tried) -> MigrateError:
    """Why nothing arrived, and what to do about it."""
    peer = scene.finder.endpoint.ae_title
    receiver = scene.config.receiver
    where = f"{tried.title} {receiver.host}:{receiver.port + index}"
    if tried.end is None:
        hint = f"see what the peer's log says about the move to {where}; the instance may be on tape"
        error = tried.error or PeerUnavailable("C-MOVE did not end", peer=peer)
        return error if error.hint else type(error)(error.fact, hint, **error.facts)
    status = tried.end.status
    if status == MOVE_DESTINATION_UNKNOWN:
        hint = f"the peer does not know our AE title {tried.title}; ask its administrator to add {where}"
        return PeerRefused("C-MOVE refused", hint, peer=peer, status=_status(tried))
    if not _claims_success(status):
        hint = (
            f"ask its administrator to add {where}, or to correct what stands there: Orthanc answers C000 both for an"
            " AE title that it does not know and for one that it cannot reach"
        )
        return PeerRefused("C-MOVE failed and nothing arrived", hint, peer=peer, status=_status(tried))
    hint = (
        f"the peer may send to another host or port: ask its administrator what it has for {tried.title} (it must be"
        f" {where}), and whether a firewall lets it reach us"
    )
    return PeerError("C-MOVE says it ended well and nothing arrived", hint, peer=peer, status=_status(tried))


def _learn_retrieve(scene: Scene) -> None:
    """C-MOVE where it works: it needs no list of transfer syntaxes, which C-FIND seldom gives."""
    if scene.knows("c_move") is True:
        scene.learn("retrieve", "c-move", "C-MOVE brought the instance to every AE title of ours")
    elif scene.knows("c_get") is True:
        scene.learn("retrieve", "c-get", "C-GET brought the instance, C-MOVE did not to every AE title of ours")
    else:
        scene.learn("retrieve", None, "neither C-MOVE nor C-GET brought the instance")


# ---- what a final status is worth


def _honesty(scene: Scene, tries: list[Tried]) -> None:
    ended = [one for one in tries if one.end is not None]
    if not ended:
        return
    nothing = _move_nothing(scene, next((one for one in ended if one.arrived), ended[0]))
    claims = (nothing.end.completed or 0) if nothing.end else 0
    honest = all(one.honest for one in ended) and not claims
    how = ", ".join(f"{one.title}: {_status(one)} and {one.arrived} arrived" for one in ended)
    how += f"; a study that does not exist: {_status(nothing)} with {claims} completed"
    scene.learn("move_status_honest", honest, how)
    scene.learn("move_nothing_status", _status(nothing) if nothing.end else None, how)
    if honest:
        scene.ok("final status of C-MOVE", how)
    else:
        scene.warn("final status of C-MOVE", how, "nothing to do: only what arrives counts, whatever the status says")


def _move_nothing(scene: Scene, like: Tried) -> Tried:
    """C-MOVE of a study that nobody has: its UID was made a moment ago (PS3.5 B.2)."""
    tried = Tried(like.title)
    ask = fetch.study_ask(f"2.25.{uuid.uuid4().int}")
    endpoint = _calling(scene, like.title)
    try:
        abandon, stack = until(NOTHING_S), scene.finder.stack
        giver = fetch.Giver(endpoint, stack, abandon)
        tried.end = patiently(lambda: fetch.move(giver, ask, like.title))
    except PeerError as error:
        tried.error = error
    return tried


# ---- inside


class _Waiting:
    """An inbox for one instance; at the end waits for it, and writes into `tried` what came."""

    def __init__(self, registry: Registry, instance: InstanceSeen, scene: Scene, tried: Tried) -> None:
        self._registry = registry
        self._tried = tried
        self._quiet_s = scene.config.source.quiet_s
        self._inbox = registry.open(instance.study_instance_uid, [instance.sop_instance_uid], _syntax_of)

    def __enter__(self) -> Inbox:
        return self._inbox

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        tried = self._tried
        if isinstance(error, PeerError):
            tried.error = error
        if tried.end is not None and _claims_success(tried.end.status):
            self._inbox.touch()
            self._inbox.wait_complete(self._quiet_s)  # some say success before they send
        self._registry.close(self._inbox)
        tried.arrived = len(self._inbox.kept) + len(self._inbox.rejected)
        tried.transfer_syntax_uid = next(iter(self._inbox.kept), "")
        return isinstance(error, PeerError)


def _claims_success(status: int) -> bool:
    """0000 and the warnings Bxxx (PS3.4 C.4.2.1.5)."""
    return status == 0 or status >> 12 == 0xB


def _syntax_of(arrival: Arrival) -> str:
    return arrival.transfer_syntax_uid


def _instance(scene: Scene) -> InstanceSeen:
    if scene.sample.instance is None:
        raise Unlearnt("no instance was seen that could be fetched", "see the line about C-FIND")
    scene.finder.close()  # some peers allow one association
    return scene.sample.instance


def _ask(instance: InstanceSeen) -> fetch.Ask:
    ref = InstanceRef(series_instance_uid=instance.series_instance_uid, sop_instance_uid=instance.sop_instance_uid)
    classes = (instance.sop_class_uid,) if instance.sop_class_uid else LIKELY_CLASSES
    pairs = [(sop_class, instance.available_transfer_syntax_uid or "") for sop_class in classes]
    return next(fetch.image_asks(instance.study_instance_uid, [ref], pairs))


def _calling(scene: Scene, title: str) -> Endpoint:
    """The source as the worker with this AE title calls it."""
    endpoint = scene.finder.endpoint
    return Endpoint(
        ae_title=endpoint.ae_title,
        host=endpoint.host,
        port=endpoint.port,
        calling_ae_title=title,
        tls=endpoint.tls,
        limits=endpoint.limits,
    )


def _abandon(scene: Scene, inbox: Inbox) -> Callable[[], bool]:
    longest_s = min(scene.config.source.idle_timeout_s, LONGEST_SILENCE_S)
    inbox.touch()
    return lambda: inbox.idle_s() > longest_s


def until(seconds: float) -> Callable[[], bool]:
    """Says whether so many seconds have passed since now."""
    deadline = time.monotonic() + seconds
    return lambda: time.monotonic() > deadline


def _allowed(scene: Scene) -> set[str]:
    """Who the receiver lets in during a run."""
    config = scene.config
    return {*(config.receiver.allow or [config.source.ae_title]), config.destination.ae_title}


def _status(tried: Tried) -> str:
    return f"{tried.end.status:04X}" if tried.end else "none"
