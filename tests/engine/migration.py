"""Two embedded peers around one seeded run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migrate.demo.misbehaviour import Misbehaviours
from migrate.demo.pacs import EmbeddedPeer, PeerOptions
from tests.engine.objects import StudyRecipe, TestObject, make_studies
from tests.engine.seeded import SeededRun, Settings, between, seeded
from tests.peers.ports import free_port

Orders = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Migration:
    """A legacy PACS and a DI-r that run in this process, and a planned run between them."""

    legacy: EmbeddedPeer
    dir: EmbeddedPeer
    run: SeededRun
    objects: Sequence[TestObject]

    def sent(self) -> list[str]:
        """SOP Instance UIDs of every C-STORE that the DI-r answered with success, repeats included."""
        return sorted(one.sop_instance_uid for one in self.dir.stores if one.status == 0)

    def held(self) -> dict[str, bytes]:
        """SOP Instance UID -> data set of what the DI-r holds."""
        return {one.sop_instance_uid: one.dataset_bytes() for one in self.dir.archive.objects()}

    def expected(self) -> dict[str, bytes]:
        """SOP Instance UID -> data set of what it should hold, were everything fine."""
        return {one.sop_instance_uid: one.dataset_bytes for one in self.objects}


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
        ) -> Migration:
            objects = make_studies(folder / "legacy", recipes)
            receiver = free_port()
            source, destination = (
                stack.enter_context(EmbeddedPeer(_options(folder / name, receiver, orders or {})))
                for name, orders in (("legacy", legacy), ("dir", dir_))
            )
            peers = between(source.port, destination.port, receiver)
            run = seeded(folder / "run", objects, peers, *settings)
            return Migration(legacy=source, dir=destination, run=run, objects=objects)

        yield start


def _options(folder: Path, receiver: int, orders: Orders) -> PeerOptions:
    return PeerOptions(
        ae_title=folder.name.upper(),
        folder=folder,
        destinations={"MIGRATE": ("127.0.0.1", receiver)},
        misbehaviours=Misbehaviours.from_mapping(orders),
    )
