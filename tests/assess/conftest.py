"""Two embedded peers around an assessment, the first with the demo's archive and whatever sins a test orders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from migrate.demo.misbehaviour import Misbehaviours
from migrate.demo.pacs import EmbeddedPeer, PeerOptions
from migrate.demo.rows import Catalogue
from migrate.demo.samples import ArchiveFacts, make_legacy_archive
from tests.assess.kit import Blocks, at, made_run_folder
from tests.peers.ports import free_port

Orders = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Stand:
    """Two peers that run, and the run folder between them."""

    folder: Path
    legacy: EmbeddedPeer
    dir: EmbeddedPeer
    receiver_port: int


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> ArchiveFacts:
    return make_legacy_archive(tmp_path_factory.mktemp("assess") / "legacy", studies=30)


@pytest.fixture
def stand(tmp_path: Path, archive: ArchiveFacts) -> Iterator[Callable[..., Stand]]:
    """A function: orders for the source, `dir_` for the destination, `registered` and `allow` at the source."""
    with ExitStack() as running:

        def start(
            orders: Orders | None = None,
            *blocks: Blocks,
            dir_: Orders | None = None,
            registered: bool = True,
            allow: tuple[str, ...] | None = None,
            catalogue: Catalogue | None = None,
        ) -> Stand:
            port = free_port()
            places = {"MIGRATE": ("127.0.0.1", port)} if registered else {}
            legacy = EmbeddedPeer(
                PeerOptions(
                    ae_title="LEGACY",
                    folder=archive.folder,
                    destinations=places,
                    misbehaviours=Misbehaviours.from_mapping(orders or {}),
                    allow=allow,
                ),
                catalogue,
            )
            destination = EmbeddedPeer(
                PeerOptions(
                    ae_title="DIR",
                    folder=tmp_path / "dir",
                    destinations=places,
                    misbehaviours=Misbehaviours.from_mapping(dir_ or {}),
                )
            )
            running.enter_context(legacy)
            running.enter_context(destination)
            peers = (at("source", "LEGACY", legacy.port), at("destination", "DIR", destination.port))
            folder = made_run_folder(tmp_path / "run", *peers, {"receiver": {"port": port}}, *blocks)
            return Stand(folder=folder, legacy=legacy, dir=destination, receiver_port=port)

        yield start
