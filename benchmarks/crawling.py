"""What an answer to C-FIND costs the one who asks."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind  # type: ignore[attr-defined]

from benchmarks import ours
from benchmarks.archive import write_config
from benchmarks.dcmtk import Address
from benchmarks.measure import Snapshot, Trial, command, interleaved
from benchmarks.rows import CPU_US, Contest, Goal, Row, row_of
from benchmarks.setting import Setting
from benchmarks.worker import Worker
from migrate.demo.pacs import PeerOptions
from migrate.demo.process import PeerProcess, started_peer
from migrate.stages.crawl.answers import STUDY_KEYS
from tests.peers.ports import free_port

NO_SUCH_STUDY = "2.25.1"


def crawl(setting: Setting) -> list[Row]:
    """CPU per answer of a whole STUDY crawl into Parquet tables, and of one query for everything by the others."""
    studies = setting.count(4000, 1000)
    with _peer(setting, studies) as peer, Worker() as worker, Worker() as other:
        start_up_s = _findscu(peer, setting.folder, 0.0, NO_SUCH_STUDY).cpu_s
        other.do(ask_with_pynetdicom, peer.port, NO_SUCH_STUDY)
        sides = {
            "ours": partial(_ours, worker, peer, setting),
            "findscu": partial(_findscu, peer, setting.folder, start_up_s),
            "pynetdicom": partial(_pynetdicom, other, peer),
        }
        trials = interleaved(setting.rounds(3), sides)
        about = (
            f"{studies} studies in an embedded PACS that answers from a formula; ours is the CPU of the whole crawl "
            "with all its axes, confirmation, audit, journal and tables, over all answers"
        )
        start = f"one query for everything; no start-up is counted (findscu's took {1000 * start_up_s:.0f} ms CPU)"
        notes = (about, start)
        rows = [
            row_of(
                Contest(
                    what="crawl into Parquet, client CPU per answer",
                    against=against,
                    goal=goal,
                    theirs=theirs,
                    notes=notes,
                ),
                CPU_US,
                trials,
            )
            for theirs, against, goal in (
                ("findscu", "findscu printing what it is told", Goal(0.6, 0.4)),
                ("pynetdicom", "a pynetdicom SCU reading the same keys", Goal(0.12, 0.08)),
            )
        ]
        return [setting.explained(row, worker.pid, partial(_ours, worker, peer, setting)) for row in rows]


@contextmanager
def _peer(setting: Setting, studies: int) -> Iterator[PeerProcess]:
    options = PeerOptions(ae_title="LEGACY", folder=setting.folder / "pacs", formula=studies)
    with started_peer(options) as peer:
        yield peer


def _ours(worker: Worker, peer: PeerProcess, setting: Setting) -> Trial:
    with tempfile.TemporaryDirectory(dir=setting.folder) as name:
        folder = Path(name)
        write_config(
            folder,
            {"source": {"ae_title": "LEGACY", "port": peer.port}, "receiver": {"port": free_port()}},
            {"crawl": {"level": "STUDY", "from": "1985-01-01"}},
        )
        worker.reset_peak()
        before, spent = Snapshot.of(peer.pid), Snapshot.of(worker.pid)
        wall_s, answers = worker.do(ours.crawl, folder)
        return Trial(
            wall_s=wall_s,
            cpu_s=spent.since_s(),
            amount=answers,
            peer_cpu_s=before.since_s(),
            peak_bytes=worker.peak_bytes,
        )


def _findscu(peer: PeerProcess, folder: Path, start_up_s: float, study_instance_uid: str = "") -> Trial:
    address = Address("LEGACY", peer.port)
    keys = {"QueryRetrieveLevel": "STUDY", **STUDY_KEYS, "StudyInstanceUID": study_instance_uid}
    asked = [part for key, value in keys.items() for part in ("-k", f"{key}={value}" if value else key)]
    said = folder / "findscu.txt"
    with said.open("wb") as output:
        used = command(["findscu", "-S", *asked, *address.arguments], address.env, output)
    answers = said.read_bytes().count(b"(Pending)")
    return Trial(wall_s=used.wall_s, cpu_s=used.cpu_s - start_up_s, amount=max(1, answers))


def _pynetdicom(worker: Worker, peer: PeerProcess) -> Trial:
    spent = Snapshot.of(worker.pid)
    answers, wall_s = worker.do(ask_with_pynetdicom, peer.port)
    return Trial(wall_s=wall_s, cpu_s=spent.since_s(), amount=max(1, answers), peak_bytes=worker.peak_bytes)


def ask_with_pynetdicom(port: int, study_instance_uid: str = "") -> tuple[int, float]:
    """Every answer's values as text, as a script would keep them: how many answers, and wall seconds."""
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
    ae = AE(ae_title="BENCH")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
    association: Any = ae.associate("127.0.0.1", port, ae_title="LEGACY")
    identifier = Dataset()
    for key in STUDY_KEYS:
        setattr(identifier, key, None)
    identifier.QueryRetrieveLevel, identifier.StudyInstanceUID = "STUDY", study_instance_uid
    began, rows = time.monotonic(), []
    for status, answer in association.send_c_find(identifier, StudyRootQueryRetrieveInformationModelFind):
        if status.Status in {0xFF00, 0xFF01}:
            rows.append({element.keyword: str(element.value) for element in answer})
    wall_s = time.monotonic() - began
    association.release()
    return len(rows), wall_s
