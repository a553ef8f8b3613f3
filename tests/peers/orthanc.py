"""Orthanc as it is packaged by Debian, with its own configuration in a temporary folder."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.peers import tools
from tests.peers.ports import free_port
from tests.peers.process import ServerProcess, accepts_connections

HTTP_OK = 200


@dataclass(frozen=True, kw_only=True)
class OrthancSettings:
    """How one Orthanc shall behave.

    Args:
        ae_title: Its application entity title.
        modalities: Who may query and move, and where it sends: AE title to TCP port on 127.0.0.1.
        options: Keys of its configuration file, over ours.
        tcp_nodelay: Small answers go out at once; without it DCMTK's Nagle delay of 40 ms shows.
        dicomweb: Load the DICOMweb plugin.
    """

    ae_title: str = "ORTHANC"
    modalities: Mapping[str, int] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    tcp_nodelay: bool = True
    dicomweb: bool = False


class Orthanc:
    """A running Orthanc: its address and the part of its REST interface that tests use."""

    host = "127.0.0.1"

    def __init__(self, settings: OrthancSettings, folder: Path) -> None:
        self.ae_title = settings.ae_title
        self.port = free_port()
        self.http_port = free_port()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        configuration = folder / "orthanc.json"
        configuration.write_text(json.dumps(self._configuration(settings), indent=1))
        self._command = (tools.program("Orthanc"), str(configuration))
        self._env = {"TCP_NODELAY": "1" if settings.tcp_nodelay else "0"}
        self.start()

    @property
    def url(self) -> str:
        """Root of its REST interface; DICOMweb lies under `/dicom-web`."""
        return f"http://{self.host}:{self.http_port}"

    def start(self) -> None:
        """Start it (again, after `stop`, with the same ports and the same database)."""
        self.process = ServerProcess(f"orthanc-{self.ae_title}", self._command, self.folder, self._env)
        self.process.wait_until(self._answers)

    def stop(self) -> None:
        """End it politely (3.5 s); its database stays in its folder. `process.kill` is the quick way."""
        self.process.stop()

    def request(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """One HTTP request, nothing compressed: status and body."""
        connection = http.client.HTTPConnection(self.host, self.http_port, timeout=60)
        try:
            connection.request(method, path, body, {"Accept-Encoding": "identity"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """Decoded JSON of one resource.

        Raises:
            AssertionError: The answer is not 200.
        """
        status, body = self.request("GET", path)
        assert status == HTTP_OK, f"GET {path}: {status}"
        return json.loads(body)

    def knows(self, ae_title: str, port: int) -> None:
        """Let a peer query and move, and send to it at `port`."""
        entry = json.dumps(_modality(ae_title, port)).encode()
        status, body = self.request("PUT", f"/modalities/{ae_title}", entry)
        assert status == HTTP_OK, body

    def upload(self, paths: Iterable[Path]) -> dict[Path, str]:
        """Store files over REST: each path with `Success`, `AlreadyStored` or `refused <HTTP status>`."""
        return {path: self.upload_bytes(path.read_bytes()) for path in paths}

    def upload_bytes(self, content: bytes) -> str:
        """Store one DICOM file over REST; see `upload` for the answers."""
        status, body = self.request("POST", "/instances", content)
        return str(json.loads(body)["Status"]) if status == HTTP_OK else f"refused {status}"

    def instances(self) -> dict[str, str]:
        """SOP Instance UID to Orthanc's own id, of all that it holds.

        Where two stored objects share a UID (in two studies) the later one is shown; `ids` shows both.
        """
        found = self.get("/instances?expand")
        return {item["MainDicomTags"]["SOPInstanceUID"]: item["ID"] for item in found}

    def ids(self) -> list[str]:
        """Orthanc's own ids of all instances."""
        return list(self.get("/instances"))

    def file(self, sop_instance_uid: str) -> bytes:
        """The stored file of an instance, byte for byte."""
        return self.file_of_id(self.instances()[sop_instance_uid])

    def file_of_id(self, orthanc_id: str) -> bytes:
        """The stored file by Orthanc's own id, byte for byte."""
        status, body = self.request("GET", f"/instances/{orthanc_id}/file")
        assert status == HTTP_OK, f"instance {orthanc_id}: {status}"
        return body

    def counts(self) -> dict[str, int]:
        """How many patients, studies, series and instances it holds."""
        found = self.get("/statistics")
        return {
            level: int(found[f"Count{level.capitalize()}"]) for level in ("patients", "studies", "series", "instances")
        }

    def delete(self, sop_instance_uid: str) -> None:
        """Lose an instance."""
        status, _ = self.request("DELETE", f"/instances/{self.instances()[sop_instance_uid]}")
        assert status == HTTP_OK

    def delete_all(self) -> None:
        """Lose everything."""
        for patient in self.get("/patients"):
            self.request("DELETE", f"/patients/{patient}")

    def log(self) -> str:
        """Everything it has printed so far."""
        return self.process.log()

    def _answers(self) -> bool:
        try:
            status, _ = self.request("GET", "/system")
        except OSError:
            return False
        return status == HTTP_OK and accepts_connections(self.port)

    def _configuration(self, settings: OrthancSettings) -> dict[str, Any]:
        database = str(self.folder / "database")
        plugins = [str(tools.plugin("libOrthancDicomWeb.so", "orthanc-dicomweb"))] if settings.dicomweb else []
        return {
            "Name": settings.ae_title,
            "StorageDirectory": database,
            "IndexDirectory": database,
            "SyncStorageArea": False,  # the tests kill our processes, not the machine
            "DicomAet": settings.ae_title,
            "DicomPort": self.port,
            "HttpPort": self.http_port,
            "HttpBindAddresses": [self.host],  # understood by newer Orthancs only
            "RemoteAccessAllowed": False,
            "WebDavEnabled": False,
            "AuthenticationEnabled": False,
            "Plugins": plugins,
            "DicomModalities": {title: _modality(title, port) for title, port in settings.modalities.items()},
            "SynchronousCMove": True,
            "UnknownSopClassAccepted": True,
            "OverwriteInstances": False,
            "StableAge": 1,
            "ConcurrentJobs": 4,
            "HttpThreadsCount": 8,
            **settings.options,
        }


def _modality(ae_title: str, port: int) -> dict[str, Any]:
    return {
        "AET": ae_title,
        "Host": Orthanc.host,
        "Port": port,
        "AllowEcho": True,
        "AllowFind": True,
        "AllowGet": True,
        "AllowMove": True,
        "AllowStore": True,
        "AllowStorageCommitment": True,
    }


@contextmanager
def orthanc_running(settings: OrthancSettings, folder: Path) -> Iterator[Orthanc]:
    """An Orthanc for as long as a `with` block (or a module's fixture) lasts."""
    server = Orthanc(settings, folder)
    try:
        yield server
    finally:
        server.process.kill()  # its database goes with the folder; a polite end takes 3.5 s
