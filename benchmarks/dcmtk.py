"""The same work done with DCMTK: what a person with `movescu`, `storescp` and `storescu` would type."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Usage, command
from tests.peers.dcmtk import Storescp, StorescpSettings, storescp_running

AS_INSTALLED: tuple[str, ...] = ()
TUNED: tuple[str, ...] = ("+B", "-pdu", "131072")
EMPTY = Usage(0.0, 0.0, 0)


@dataclass(frozen=True, slots=True)
class Address:
    """A peer to call, and whether our side of the connection has Nagle off."""

    ae_title: str
    port: int
    tcp_nodelay: bool = False

    @property
    def env(self) -> Mapping[str, str]:
        """What DCMTK looks at."""
        return {"TCP_NODELAY": "1" if self.tcp_nodelay else "0"}

    @property
    def arguments(self) -> tuple[str, ...]:
        """Called AE title, host and port."""
        return ("-aec", self.ae_title, "127.0.0.1", str(self.port))


@contextmanager
def storescp(folder: Path, ae_title: str, arguments: Sequence[str], *, tcp_nodelay: bool) -> Iterator[Storescp]:
    """A `storescp` that writes into a folder of its own; `+xa` as it must take every transfer syntax."""
    shutil.rmtree(folder, ignore_errors=True)
    settings = StorescpSettings(ae_title=ae_title, arguments=("+xa", *arguments), tcp_nodelay=tcp_nodelay)
    with storescp_running(settings, folder) as server:
        yield server
    shutil.rmtree(folder, ignore_errors=True)


def movescu(peer: Address, study_instance_uid: str, destination: str) -> Usage:
    """Ask for a study to be sent elsewhere, and wait until the peer says it was."""
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study_instance_uid}")
    return command(["movescu", "-S", *keys, "-aet", destination, "-aem", destination, *peer.arguments], peer.env)


def storescu(peer: Address, folder: Path, *options: str) -> Usage:
    """Send a folder on one association."""
    return command(["storescu", *options, "+sd", *peer.arguments, str(folder)], peer.env)


def together(*used: Usage) -> Usage:
    """One after another."""
    return Usage(sum(u.wall_s for u in used), sum(u.cpu_s for u in used), max((u.peak_bytes for u in used), default=0))


def edit(folder: Path) -> Usage:
    """Set four attributes in every file of a folder, in place, and hash every file."""
    files = sorted(folder.iterdir())
    values = {"0010,0021": "BENCH", "0010,0024[0].0040,0032": "1.2.3", "0008,0080": "BENCH GENERAL", "0008,0050": "B1"}
    edits = [part for tag, value in values.items() for part in ("-i", f"({_tag(tag)})={value}")]
    return together(command(["xxhsum", "-H2", *files]), command(["dcmodify", "-nb", "-q", *edits, *files]))


def _tag(tag: str) -> str:
    return tag.replace("[0].", ")[0].(")
