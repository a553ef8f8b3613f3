"""Where trials are made: a source that stays, a destination and a run folder that begin anew for each."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.torture.endstate import EndState, Verdict, end_state, judge
from benchmarks.torture.far import Far, embedded_far, orthanc_far
from benchmarks.torture.warm import Forks, WarmCommand
from migrate.demo.misbehaviour import Misbehaviours
from migrate.demo.pacs import EmbeddedPeer, PeerOptions
from tests.engine.command import Command, Ended
from tests.engine.objects import CT, JPEG_2000, MR, SR, StudyRecipe, make_studies
from tests.engine.seeded import SeededRun, Settings, between, seeded
from tests.peers.dcmtk import DcmqrscpSettings, dcmqrscp_running
from tests.peers.orthanc import OrthancSettings, orthanc_running
from tests.peers.ports import free_port

PAIRS = ("embedded to embedded", "Orthanc to Orthanc", "dcmqrscp to Orthanc")
MOST_REPEATS = 6
RUN_TIMEOUT_S = 240.0

#: Rules have something to do, faults are forgiven often, retries come at once.
PATIENT: Settings = {
    "limits": {"attempts": 40, "backoff_s": 0.05},
    "normalize.values": {"issuer_of_patient_id": "LEGACY", "issuer_of_accession_number": "LEGACY"},
}


EVERY_DCMTK_SENDS = (CT, MR, SR)  # Debian's dcmqrscp sends nothing compressed unless told to


def recipes(
    studies: int = 8, instances: int = 3, kinds: Sequence[str] = (*EVERY_DCMTK_SENDS, JPEG_2000)
) -> list[StudyRecipe]:
    """Small studies of several kinds: CT, MR, structured report, JPEG 2000."""
    return [
        StudyRecipe(number=number, instances=instances, file=kinds[number % len(kinds)])
        for number in range(1, studies + 1)
    ]


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the two peers and our receiver really listen."""

    source: int
    destination: int
    receiver: int


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a stand is made of.

    Args:
        pair: One of PAIRS.
        studies: What the source holds.
        settings: Over those of PATIENT.
        legacy: Orders for an embedded source.
        dir_: Orders for an embedded destination.
        receiver_seen: The port that the source sends to, when it is not the receiver's own.
        ready: Hears where everybody listens, before the first run.
        undisturbed: Make the undisturbed run at once; it empties the destination.
        forks: What starts commands without their imports; None starts them as an operator does.
    """

    pair: str = PAIRS[0]
    studies: Sequence[StudyRecipe] = field(default_factory=recipes)
    settings: Settings = field(default_factory=dict)
    legacy: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    dir_: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    receiver_seen: int | None = None
    ready: Callable[[Ports], None] = lambda _: None
    undisturbed: bool = True
    forks: Forks | None = None


class Stand:
    """Two peers and the run folder that a closed crawl and a plan left; `begin` copies it."""

    def __init__(self, folder: Path, far: Far, template: SeededRun, forks: Forks | None = None) -> None:
        self.folder = folder
        self.far = far
        self.template = template
        self._forks = forks
        self._number = 0

    def begin(self, place: Path | None = None) -> Path:
        """An empty destination and a new run folder, in `place` or beside the others."""
        self._number += 1
        self.far.empty()
        run = (place or self.folder) / f"run-{self._number}"
        shutil.copytree(self.template.folder, run)
        return run

    def command(self, run: Path) -> Command:
        """`migrate run`, started."""
        return WarmCommand(self._forks, run, "run") if self._forks else Command(run, "run")

    @cached_property
    def undisturbed(self) -> EndState:
        """How it ends when nothing is in the way."""
        run = self.begin()
        ended = self.command(run).end(RUN_TIMEOUT_S)
        if ended.code:
            raise RuntimeError(f"the undisturbed run ended with {ended.code}: {ended.stderr[-2000:]}")
        state = end_state(run, self.far)
        shutil.rmtree(run)
        return state

    def finish(self, run: Path) -> Ended:
        """The same command until it ends with 0, a few times at most: how it ended at last."""
        ended = self.command(run).end(RUN_TIMEOUT_S)
        for _ in range(MOST_REPEATS - 1):
            if ended.code == 0:
                break
            ended = self.command(run).end(RUN_TIMEOUT_S)
        return ended

    def verdict(self, run: Path, ended: Ended | None = None) -> Verdict:
        """Finish `run`, unless it has ended, and compare with the undisturbed end; a good run folder is deleted."""
        if "undisturbed" not in self.__dict__:
            raise RuntimeError("ask for `undisturbed` before the first trial: it empties the destination")
        ended = ended or self.finish(run)
        verdict = judge(end_state(run, self.far), self.undisturbed, ended)
        if verdict.clean:
            shutil.rmtree(run)
        return verdict


@contextmanager
def standing(folder: Path, order: Order | None = None) -> Iterator[Stand]:
    """A stand for as long as a `with` block lasts; its undisturbed run has been made, unless not wanted."""
    order = order or Order()
    folder.mkdir(parents=True, exist_ok=True)
    receiver = free_port()
    seen = order.receiver_seen or receiver
    objects = make_studies(folder / "objects", order.studies)
    paths = [one.path for one in objects]
    with ExitStack() as stack:
        if order.pair == "embedded to embedded":
            orders = Misbehaviours.from_mapping(order.legacy)
            options = PeerOptions(
                ae_title="LEGACY",
                folder=folder / "objects",
                destinations={"MIGRATE": ("127.0.0.1", seen)},
                misbehaviours=orders,
            )
            source_port = stack.enter_context(EmbeddedPeer(options)).port
            far: Far = stack.enter_context(
                embedded_far(folder / "far", receiver, Misbehaviours.from_mapping(order.dir_))
            )
        else:
            source_port = stack.enter_context(_real_source(order.pair, folder / "source", seen, paths))
            far = stack.enter_context(orthanc_far(folder / "far", receiver))
        order.ready(Ports(source_port, far.port, receiver))
        ports = between(source_port, far.port, receiver)
        template = seeded(folder / "template", objects, ports, PATIENT, order.settings)
        stand = Stand(folder, far, template, order.forks)
        if order.undisturbed:
            _ = stand.undisturbed
        yield stand


@contextmanager
def _real_source(pair: str, folder: Path, receiver: int, paths: Sequence[Path]) -> Iterator[int]:
    """The port of a source that is not ours, full of objects."""
    if pair.startswith("Orthanc"):
        settings = OrthancSettings(ae_title="LEGACY", modalities={"MIGRATE": receiver})
        with orthanc_running(settings, folder) as orthanc:
            orthanc.upload(paths)
            yield orthanc.port
    else:
        with dcmqrscp_running(DcmqrscpSettings(ae_title="LEGACY", modalities={"MIGRATE": receiver}), folder) as scp:
            scp.index(paths)
            yield scp.port
