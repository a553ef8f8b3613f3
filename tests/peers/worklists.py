"""Real Modality Worklists: DCMTK's `wlmscpfs` and Orthanc's plugin, both over a folder of `.wl` files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from tests.peers import tools
from tests.peers.orthanc import OrthancSettings, orthanc_running
from tests.peers.ports import free_port
from tests.peers.process import ServerProcess, accepts_connections

MODALITY_WORKLIST_FIND = "1.2.840.10008.5.1.4.31"
AE_TITLE = "RIS"


@dataclass(frozen=True, kw_only=True)
class Booking:
    """One scheduled procedure step."""

    patient_id: str
    day: date
    issuer: str = ""
    modality: str = "CT"


@dataclass(frozen=True)
class WorklistPeer:
    """Where a worklist answers."""

    ae_title: str
    port: int


@contextmanager
def wlmscpfs_running(bookings: Sequence[Booking], folder: Path) -> Iterator[WorklistPeer]:
    """DCMTK's server; it answers to the name of a folder."""
    _write(bookings, folder / AE_TITLE)
    port = free_port()
    command = (tools.program("wlmscpfs"), "-v", "-dfp", str(folder), str(port))
    server = ServerProcess("wlmscpfs", command, folder, {"TCP_NODELAY": "1"})
    try:
        server.wait_until(lambda: accepts_connections(port))
        yield WorklistPeer(AE_TITLE, port)
    finally:
        server.stop()


@contextmanager
def orthanc_worklist_running(
    bookings: Sequence[Booking], folder: Path, more: Mapping[str, Any] | None = None
) -> Iterator[WorklistPeer]:
    """Orthanc with the plugin of its own Debian package; `more` are keys of its configuration file."""
    lists = folder / "worklists"
    _write(bookings, lists)
    plugin = tools.plugin("libModalityWorklists.so", "orthanc")
    options = {"Plugins": [str(plugin)], "Worklists": {"Enable": True, "Database": str(lists)}, **(more or {})}
    settings = OrthancSettings(ae_title=AE_TITLE, modalities={"MIGRATE": 104}, options=options)
    with orthanc_running(settings, folder / "orthanc") as server:
        yield WorklistPeer(server.ae_title, server.port)


def _write(bookings: Sequence[Booking], folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "lockfile").touch()
    for number, booking in enumerate(bookings):
        _entry(booking, number).save_as(folder / f"{number}.wl", enforce_file_format=True)


def _entry(booking: Booking, number: int) -> Dataset:
    step = Dataset()
    step.Modality = booking.modality
    step.ScheduledStationAETitle = "SCANNER"
    step.ScheduledProcedureStepStartDate = f"{booking.day:%Y%m%d}"
    step.ScheduledProcedureStepStartTime = "101500"
    step.ScheduledPerformingPhysicianName = "PHYSICIAN^ONE"
    step.ScheduledProcedureStepDescription = "Step"
    step.ScheduledProcedureStepID = f"S{number}"
    entry = Dataset()
    entry.AccessionNumber = f"A{number}"
    entry.PatientName = "SECRET^NAME"
    entry.PatientID = booking.patient_id
    entry.IssuerOfPatientID = booking.issuer
    entry.PatientBirthDate = "19600101"
    entry.PatientSex = "F"
    entry.StudyInstanceUID = generate_uid()
    entry.RequestedProcedureDescription = "Examination"
    entry.RequestedProcedureID = f"R{number}"
    entry.ScheduledProcedureStepSequence = [step]
    entry.file_meta = FileMetaDataset()
    entry.file_meta.MediaStorageSOPClassUID = UID(MODALITY_WORKLIST_FIND)
    entry.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    entry.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return entry
