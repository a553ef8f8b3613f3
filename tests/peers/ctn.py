"""CTN's `simple_storage`: a receiver of the first generation, written for the demonstrations of 1993."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.peers import tools
from tests.peers.ports import free_port
from tests.peers.process import ServerProcess


class SimpleStorage:
    """A running simple_storage and its folder."""

    ae_title = "CTN"

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.received = folder / "received"
        self.received.mkdir(parents=True)
        command = (tools.program("simple_storage"), "-s", "-f", "-c", self.ae_title, "-x", str(self.received))
        self._process = ServerProcess("simple_storage", (*command, str(self.port)), folder, {})
        self._process.wait_until(self._answers_echo)  # it dies of a connection without an association

    def _answers_echo(self) -> bool:
        echo = [tools.program("dicom_echo"), "-c", self.ae_title, "127.0.0.1", str(self.port)]
        return subprocess.run(echo, capture_output=True, timeout=30, check=False).returncode == 0

    def stop(self) -> None:
        """End it."""
        self._process.stop()

    def files(self) -> list[Path]:
        """What it has received: one folder for each modality."""
        return sorted(path for path in self.received.rglob("*") if path.is_file())
