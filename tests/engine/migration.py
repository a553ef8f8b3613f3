"""Two embedded peers around one seeded run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migrate.demo.archive import FolderArchive
from migrate.demo.misbehaviour import Misbehaviours
from migrate.demo.pacs import EmbeddedPeer, PeerOptions
from migrate.demo.process import PeerProcess, started_peer
from tests.engine.objects import StudyRecipe, TestObject, make_studies
from tests.engine.seeded import SeededRun, Settings, between, seeded
from tests.peers.ports import free_port

Orders = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Migration:
    """A legacy PACS and a DI-r, in this process or in processes of their own, and a planned run between them."""

    legacy: EmbeddedPeer | PeerProcess
    dir: EmbeddedPeer | PeerProcess
    dir_folder: Path
    run: SeededRun
    objects: Sequence[TestObject]

    @property
    def embedded_dir(self) -> EmbeddedPeer:
        """The DI-r, where it runs in this process."""
        assert isinstance(self.dir, EmbeddedPeer)
        return self.dir

    @property
    def embedded_legacy(self) -> EmbeddedPeer:
        """The legacy PACS, where it runs in this process."""
        assert isinstance(self.legacy, EmbeddedPeer)
        return self.legacy

    def stores(self) -> list[tuple[str, int | None]]:
        """SOP Instance UID and answer (None: none went out) of every C-STORE at the DI-r, in order."""
        log = _store_log(self.dir_folder)
        lines = log.read_text(encoding="ascii").splitlines() if log.exists() else []
        told = [line.split(" ") for line in lines]
        return [(uid, int(status, 16) if status else None) for uid, status, _ in told]

    def sent(self) -> Counter[str]:
        """How often each SOP Instance UID was answered with success."""
        return Counter(uid for uid, status in self.stores() if status == 0)

    def held(self) -> dict[str, bytes]:
        """SOP Instance UID -> data set of what the DI-r holds."""
        return {one.sop_instance_uid: one.dataset_bytes() for one in FolderArchive(self.dir_folder).objects()}

    def expected(self) -> dict[str, bytes]:
        """SOP Instance UID -> data set of what it should hold, were everything fine."""
        return {one.sop_instance_uid: one.dataset_bytes for one in self.objects}

    def once(self) -> Counter[str]:
        """What `sent` is when nothing was sent twice."""
        return Counter(one.sop_instance_uid for one in self.objects)


OpenPeer = Callable[[PeerOptions], AbstractContextManager[EmbeddedPeer | PeerProcess]]
Migrate = Callable[..., Migration]


@contextmanager
def migrations(folder: Path) -> Iterator[Migrate]:
    """A function that makes one: recipes of the studies, settings over the quick ones, orders for either peer."""
    with ExitStack() as stack:

        def start(
            recipes: Sequence[StudyRecipe],
            *settings: Settings,
            legacy: Orders | None = None,
            dir_: Orders | None = None,
            processes: bool = False,
            registered: bool = True,
        ) -> Migration:
            objects = make_studies(folder / "legacy", recipes)
            receiver = free_port()
            open_peer: OpenPeer = started_peer if processes else EmbeddedPeer
            source, destination = (
                stack.enter_context(open_peer(_options(folder / name, receiver if registered else None, orders or {})))
                for name, orders in (("legacy", legacy), ("dir", dir_))
            )
            peers = between(source.port, destination.port, receiver)
            run = seeded(folder / "run", objects, peers, *settings)
            return Migration(legacy=source, dir=destination, dir_folder=folder / "dir", run=run, objects=objects)

        yield start


def _store_log(folder: Path) -> Path:
    return folder.with_suffix(".stores")


def _options(folder: Path, receiver: int | None, orders: Orders) -> PeerOptions:
    return PeerOptions(
        ae_title=folder.name.upper(),
        folder=folder,
        destinations={"MIGRATE": ("127.0.0.1", receiver)} if receiver else {},
        misbehaviours=Misbehaviours.from_mapping(orders),
        store_log=_store_log(folder),
    )
