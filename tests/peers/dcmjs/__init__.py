"""dcmjs-dimse, an implementation in JavaScript, as receiver, archive and sender; `install.sh` fetches it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tests.peers import tools
from tests.peers.ports import free_port
from tests.peers.process import ServerProcess

_FOLDER = Path(__file__).parent


def _command(*arguments: object) -> list[str]:
    if not (_FOLDER / "node_modules" / "dcmjs-dimse").is_dir():
        tools.without("needs dcmjs-dimse: tests/peers/install.sh fetches it where npm is installed")
    return [tools.program("node"), str(_FOLDER / "peer.js"), *map(str, arguments)]


class DcmjsArchive:
    """A running archive: keeps what it receives, answers every C-FIND with `studies` rows.

    C-MOVE sends every `*.dcm` in `folder` to `move_port`.
    """

    ae_title = "DCMJS"

    def __init__(self, folder: Path, move_port: int, studies: int = 100) -> None:
        self.folder = folder
        self.port = free_port()
        command = _command("serve", self.port, folder, studies, move_port)
        self._process = ServerProcess("dcmjs", command, folder.parent, {})
        self._process.wait_until(lambda: '"listening"' in self._process.log())

    def stop(self) -> None:
        """End it."""
        self._process.stop()

    def held(self) -> dict[str, bytes]:
        """SOP Instance UID -> the bytes of the data set as they came."""
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if path.suffix != ".dcm"}


def send(port: int, ae_title: str, paths: Sequence[Path]) -> list[int]:
    """C-ECHO, then C-STORE of each file; the statuses. It writes every data set anew."""
    printed = tools.run(_command("send", port, ae_title, *paths))
    told = [json.loads(line) for line in printed.splitlines() if line.startswith('{"')]
    assert [one for one in told if "error" in one] == []
    statuses: list[int] = told[-1]["statuses"]
    return statuses
