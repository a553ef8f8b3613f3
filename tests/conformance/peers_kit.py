"""One small world for every kind of source and of destination: a peer, and a site that works with it.

A new kind is tested by having a world here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from migrate.demo.archive import FolderArchive
from migrate.demo.pacs import EmbeddedPeer, PeerOptions
from migrate.engine.place import open_site
from migrate.stages.site import Site
from tests.engine.objects import TestObject
from tests.engine.seeded import Settings, between, write_config
from tests.peers.ports import free_port


@dataclass(frozen=True, kw_only=True)
class World:
    """A site, and what the tests may do to the peer behind it.

    Attributes:
        site: Its `source` or `destination` is under test.
        stop: The peer goes away.
        start: The peer comes back with what it held.
        held: SOP Instance UID -> data set of what the peer holds.
        replace: Another data set takes the place of one that the peer holds.
    """

    site: Site
    stop: Callable[[], None]
    start: Callable[[], None]
    held: Callable[[], dict[str, bytes]]
    replace: Callable[[str, bytes, bytes], None]


MakeWorld = Callable[[Path, Sequence[TestObject]], AbstractContextManager[World]]


@dataclass(frozen=True)
class Kind:
    """One way to reach a kind: the kind's name in its table, and the world."""

    name: str
    world: MakeWorld


@contextmanager
def _dimse(folder: Path, objects: Sequence[TestObject], role: str, settings: Settings) -> Iterator[World]:
    receiver, port = free_port(), free_port()
    archive = folder / "peer"
    archive.mkdir()
    for one in objects:
        (archive / one.path.name).write_bytes(one.path.read_bytes())
    ae_title = "LEGACY" if role == "source" else "DIR"
    options = PeerOptions(
        ae_title=ae_title, folder=archive, port=port, destinations={"MIGRATE": ("127.0.0.1", receiver)}
    )
    running: list[EmbeddedPeer] = []

    def start() -> None:
        running.append(EmbeddedPeer(options).start())

    def stop() -> None:
        for peer in running:
            peer.stop()
        running.clear()

    def held() -> dict[str, bytes]:
        return {one.sop_instance_uid: one.dataset_bytes() for one in FolderArchive(archive).objects()}

    def replace(sop_instance_uid: str, before: bytes, after: bytes) -> None:
        [stored] = [one for one in FolderArchive(archive).objects() if one.sop_instance_uid == sop_instance_uid]
        content = stored.path.read_bytes()
        assert content.count(before) >= 1
        stored.path.write_bytes(content.replace(before, after))
        stop()
        start()

    config = write_config(folder / "run", between(port, port, receiver), settings)
    start()
    site = open_site(config, str(folder / "run"), 0)
    try:
        yield World(site=site, stop=stop, start=start, held=held, replace=replace)
    finally:
        site.close()
        stop()


def _dimse_world(role: str, settings: Settings) -> MakeWorld:
    return lambda folder, objects: _dimse(folder, objects, role, settings)


SOURCE_KINDS = {
    "dimse by C-MOVE": Kind("dimse", _dimse_world("source", {"source": {"retrieve": "c-move"}})),
    "dimse by C-GET": Kind("dimse", _dimse_world("source", {"source": {"retrieve": "c-get"}})),
    "dimse by pynetdicom": Kind("dimse", _dimse_world("source", {"source": {"stack": "pynetdicom"}})),
}
DESTINATION_KINDS = {
    "dimse by C-GET": Kind("dimse", _dimse_world("destination", {"destination": {"verify": "c-get"}})),
    "dimse by C-MOVE": Kind("dimse", _dimse_world("destination", {"destination": {"verify": "c-move"}})),
}
