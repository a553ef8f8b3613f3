"""DCMTK's servers `dcmqrscp` (an archive with query and retrieve) and `storescp` (a receiver)."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.peers import tools
from tests.peers.ports import free_port
from tests.peers.process import ServerProcess


@dataclass(frozen=True, kw_only=True)
class DcmqrscpSettings:
    """How one dcmqrscp shall behave.

    Args:
        ae_title: Its application entity title.
        modalities: Where it may send: AE title to TCP port on 127.0.0.1.
        arguments: More command line, such as `-XF` or `+xa`.
        max_studies: Beyond it the oldest study is evicted, with success; dcmqrscp allows 500.
        tcp_nodelay: Small answers go out at once.
    """

    ae_title: str = "DCMQRSCP"
    modalities: Mapping[str, int] = field(default_factory=dict)
    arguments: Sequence[str] = ()
    max_studies: int = 500
    tcp_nodelay: bool = True


class Dcmqrscp:
    """A running dcmqrscp and its storage folder."""

    host = "127.0.0.1"

    def __init__(self, settings: DcmqrscpSettings, folder: Path) -> None:
        self.ae_title = settings.ae_title
        self.port = free_port()
        self.folder = folder
        self.storage = folder / "storage"
        self.storage.mkdir(parents=True, exist_ok=True)
        configuration = folder / "dcmqrscp.cfg"
        configuration.write_text(self._configuration(settings))
        self._command = (tools.program("dcmqrscp"), "-v", "-c", str(configuration), *settings.arguments)
        self._env = {"TCP_NODELAY": "1" if settings.tcp_nodelay else "0"}
        self.start()

    def start(self) -> None:
        """Start it (again, after `stop`, with the same port and storage)."""
        self.process = ServerProcess(f"dcmqrscp-{self.ae_title}", self._command, self.folder, self._env)
        self.process.wait_until(lambda: _answers_echo(self))

    def stop(self) -> None:
        """End it and the children that serve associations."""
        self.process.stop()

    def index(self, paths: Iterable[Path]) -> None:
        """Take copies of files into the archive as they are, without the network."""
        copies = [self._copy(number, path) for number, path in enumerate(paths, start=len(self.files()))]
        for group in _groups(copies, 100):
            tools.run(["dcmqridx", self.storage, *group])

    def store(self, paths: Iterable[Path], *arguments: str) -> None:
        """Send files with storescu; `arguments` such as `-xs` say which transfer syntax it offers."""
        address = ("-aec", self.ae_title, self.host, str(self.port))
        for group in _groups(list(paths), 100):
            tools.run(["storescu", "-R", *arguments, *address, *group])

    def files(self) -> list[Path]:
        """What lies in its storage folder."""
        return sorted(path for path in self.storage.iterdir() if path.name != "index.dat")

    def log(self) -> str:
        """Everything it has printed so far."""
        return self.process.log()

    def _copy(self, number: int, path: Path) -> Path:
        return Path(shutil.copyfile(path, self.storage / f"{number:06}.dcm"))

    def _configuration(self, settings: DcmqrscpSettings) -> str:
        hosts = (
            f"peer{number} = ({title}, {self.host}, {port})"
            for number, (title, port) in enumerate(settings.modalities.items())
        )
        return "\n".join(
            (
                f"NetworkTCPPort = {self.port}",
                "MaxPDUSize = 131072",
                "MaxAssociations = 32",
                "HostTable BEGIN",
                *hosts,
                "HostTable END",
                "VendorTable BEGIN",
                "VendorTable END",
                "AETable BEGIN",
                f"{self.ae_title} {self.storage} RW ({settings.max_studies}, 1024mb) ANY",
                "AETable END",
                "",
            )
        )


@dataclass(frozen=True, kw_only=True)
class StorescpSettings:
    """How one storescp shall behave.

    Args:
        ae_title: Its application entity title (it answers to every title all the same).
        arguments: The command line but for port, folder and title.
        tcp_nodelay: Small answers go out at once.
    """

    ae_title: str = "STORESCP"
    arguments: Sequence[str] = ("+xa", "--fork", "+B", "-uf")
    tcp_nodelay: bool = True


class Storescp:
    """A running storescp and the folder it writes to."""

    host = "127.0.0.1"

    def __init__(self, settings: StorescpSettings, folder: Path) -> None:
        self.ae_title = settings.ae_title
        self.port = free_port()
        self.folder = folder
        self.received = folder / "received"
        self.received.mkdir(parents=True, exist_ok=True)
        own = ("-v", "-aet", self.ae_title, "-od", str(self.received))
        self._command = (tools.program("storescp"), *own, *settings.arguments, str(self.port))
        self._env = {"TCP_NODELAY": "1" if settings.tcp_nodelay else "0"}
        self.start()

    def start(self) -> None:
        """Start it (again, after `stop`)."""
        self.process = ServerProcess(f"storescp-{self.ae_title}", self._command, self.folder, self._env)
        self.process.wait_until(lambda: _answers_echo(self))

    def stop(self) -> None:
        """End it and the children that serve associations."""
        self.process.stop()

    def files(self) -> list[Path]:
        """What it has received so far."""
        return sorted(self.received.iterdir())

    def log(self) -> str:
        """Everything it has printed so far."""
        return self.process.log()


@contextmanager
def dcmqrscp_running(settings: DcmqrscpSettings, folder: Path) -> Iterator[Dcmqrscp]:
    """A dcmqrscp for as long as a `with` block (or a module's fixture) lasts."""
    server = Dcmqrscp(settings, folder)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def storescp_running(settings: StorescpSettings, folder: Path) -> Iterator[Storescp]:
    """A storescp for as long as a `with` block (or a module's fixture) lasts."""
    server = Storescp(settings, folder)
    try:
        yield server
    finally:
        server.stop()


def _answers_echo(server: Dcmqrscp | Storescp) -> bool:
    echo = [tools.program("echoscu"), "-q", "-aec", server.ae_title, server.host, str(server.port)]
    return subprocess.run(echo, capture_output=True, timeout=30, check=False).returncode == 0


def _groups(paths: Sequence[Path], size: int) -> Iterator[Sequence[Path]]:
    return (paths[start : start + size] for start in range(0, len(paths), size))
