"""The destination of a trial, seen from its own side: what it holds, and how often each instance came."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from migrate.demo.archive import FolderArchive
from migrate.demo.misbehaviour import Misbehaviours
from migrate.demo.pacs import EmbeddedPeer, PeerOptions
from migrate.dicom.digest import xxh3
from tests.peers.orthanc import Orthanc, OrthancSettings, orthanc_running
from tests.peers.ports import free_port

AE_TITLE = "DIR"
# Orthanc calls this for everything that arrives, also for what it already holds.
COUNT_ARRIVALS = """
function ReceivedInstanceFilter(dicom, origin)
  local log = io.open({path}, "a")
  log:write(dicom.SOPInstanceUID .. "\\n")
  log:close()
  return true
end
"""


class Far(Protocol):
    """A destination that can be emptied between two trials."""

    @property
    def port(self) -> int:
        """Where it listens; the same for all trials."""
        ...

    def empty(self) -> None:
        """Hold nothing, count from zero."""
        ...

    def held(self) -> dict[str, str]:
        """SOP Instance UID -> digest of the data set, byte for byte."""
        ...

    def stores(self) -> Counter[str]:
        """How often each SOP Instance UID was taken in with success."""
        ...


class EmbeddedFar:
    """The embedded DI-r, in this process: a new one for each trial, at the same port."""

    def __init__(self, folder: Path, receiver_port: int, orders: Misbehaviours | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self.receiver_port = receiver_port
        self.orders = orders or Misbehaviours()
        self._number = 0
        self._peer: EmbeddedPeer | None = None

    def empty(self) -> None:
        """Another archive takes the place of the old one."""
        self.close()
        self._number += 1
        self._peer = EmbeddedPeer(
            PeerOptions(
                ae_title=AE_TITLE,
                folder=self._place,
                port=self.port,
                destinations={"MIGRATE": ("127.0.0.1", self.receiver_port)},
                misbehaviours=self.orders,
                store_log=self._place.with_suffix(".stores"),
            )
        ).start()

    def close(self) -> None:
        """Stop listening."""
        if self._peer:
            self._peer.stop()
            self._peer = None

    @property
    def _place(self) -> Path:
        return self.folder / f"dir-{self._number}"

    def held(self) -> dict[str, str]:
        """What lies in its folder, two objects of one UID as one line each."""
        found: dict[str, str] = {}
        for one in FolderArchive(self._place).objects():
            digest = xxh3(one.dataset_bytes())
            found[one.sop_instance_uid] = " ".join(sorted({*found.get(one.sop_instance_uid, "").split(), digest}))
        return found

    def stores(self) -> Counter[str]:
        """From the log that it writes before each answer."""
        log = self._place.with_suffix(".stores")
        lines = log.read_text(encoding="ascii").splitlines() if log.exists() else []
        return Counter(line.split(" ")[0] for line in lines if line.split(" ")[1] == "0000")


class OrthancFar:
    """An Orthanc that tells about every arrival, also of what it already holds."""

    def __init__(self, server: Orthanc, log: Path) -> None:
        self.server = server
        self.port = server.port
        self._log = log

    def empty(self) -> None:
        """Delete everything that it holds."""
        self.server.delete_all()
        self._log.unlink(missing_ok=True)

    def held(self) -> dict[str, str]:
        """The stored files without their file meta information."""
        return {uid: xxh3(_dataset(self.server.file_of_id(one))) for uid, one in self.server.instances().items()}

    def stores(self) -> Counter[str]:
        """What its filter saw."""
        return Counter(self._log.read_text(encoding="ascii").split() if self._log.exists() else ())


@contextmanager
def embedded_far(folder: Path, receiver_port: int, orders: Misbehaviours | None = None) -> Iterator[EmbeddedFar]:
    """An embedded DI-r for as long as a `with` block lasts."""
    far = EmbeddedFar(folder, receiver_port, orders)
    try:
        yield far
    finally:
        far.close()


@contextmanager
def orthanc_far(folder: Path, receiver_port: int) -> Iterator[OrthancFar]:
    """An Orthanc for as long as a `with` block lasts."""
    folder.mkdir(parents=True)
    log, script = folder / "arrivals.txt", folder / "arrivals.lua"
    script.write_text(COUNT_ARRIVALS.format(path=json.dumps(str(log))), encoding="utf-8")
    options = {"LuaScripts": [str(script)], "OverwriteInstances": False}
    settings = OrthancSettings(ae_title=AE_TITLE, modalities={"MIGRATE": receiver_port}, options=options)
    with orthanc_running(settings, folder) as server:
        yield OrthancFar(server, log)


def _dataset(content: bytes) -> bytes:
    """Everything behind the file meta information, whose length stands at byte 140 (PS3.10 7.1)."""
    return content[144 + int.from_bytes(content[140:144], "little") :]
