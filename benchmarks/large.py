"""One object of 3 GiB: how much memory each step needs for it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from pydicom import dcmread

from benchmarks import ours
from benchmarks.archive import write_config
from benchmarks.corpus import KINDS, template
from benchmarks.measure import Trial
from benchmarks.rows import Contest, Figure, Goal, Row, row_of
from benchmarks.setting import Setting
from benchmarks.worker import Worker
from tests.peers.ports import free_port

FRAME_BYTES = 512 * 512 * 2
GROWN = Figure("MiB resident, grown by", lambda one: one.peak_bytes / 2**20)
BOUND_BYTES = 64 * 2**20


def large(setting: Setting) -> list[Row]:
    """Our sender, our receiver into the landing area, checksum, normalize, upload: growth of resident memory."""
    frames = setting.count(6144, 512)
    path = setting.folder / "large.dcm"
    study, uid = _write(path, frames)
    ports = [free_port() for _ in range(3)]
    write_config(
        setting.folder / "run",
        {"source": {"ae_title": "LEGACY", "port": ports[0]}, "receiver": {"port": ports[1]}},
        {"destination": {"ae_title": "DIR", "port": ports[2]}},
    )
    with Worker() as sender, Worker() as receiver, Worker() as taker:
        taker.do(ours.take_everything, "DIR", ports[2])
        receiver.do(ours.start_site, setting.folder / "run")
        landing = free_port()
        receiver.do(ours.start_receiver, setting.folder / "landing", landing)
        receiver.do(ours.expect, {study: [uid]})

        def receive() -> float:
            wall_s = sender.do(ours.send_file, ours.Place("MIGRATE", landing), path)
            receiver.do(ours.arrived)
            return wall_s

        steps: list[tuple[str, Worker, Callable[[], float]]] = [
            ("receive, digest, land", receiver, receive),
            ("checksum", receiver, lambda: receiver.do(ours.stage, "checksum")),
            ("normalize", receiver, lambda: receiver.do(ours.stage, "normalize")),
            ("upload, digesting", receiver, lambda: receiver.do(ours.stage, "upload")),
        ]
        return [_row(name, worker, step, path.stat().st_size) for name, worker, step in steps]


def _row(name: str, worker: Worker, step: Callable[[], float], size_bytes: int) -> Row:
    before = worker.resident_bytes
    worker.reset_peak()
    wall_s = step()
    grown = max(1, worker.peak_bytes - before)
    trial = Trial(wall_s=wall_s, cpu_s=0.0, amount=size_bytes / 1e9, peak_bytes=grown)
    bound = Trial(wall_s=1, cpu_s=0, amount=1, peak_bytes=BOUND_BYTES)
    contest = Contest(
        what=f"{name}: one object of {size_bytes / 2**30:.1f} GiB",
        against="the bound of 64 MiB",
        goal=Goal(1.0),
        notes=(f"{size_bytes / 1e6 / wall_s:,.0f} MB/s",),
    )
    return row_of(contest, GROWN, {"ours": [trial], "theirs": [bound]})


def _write(path: Path, frames: int) -> tuple[str, str]:
    """A multi-frame object whose pixels are a hole in the file. Returns its study and SOP Instance UIDs."""
    ds = dcmread(io.BytesIO(template(KINDS["ct"])))
    ds.NumberOfFrames = frames
    del ds.PixelData
    head = io.BytesIO()
    ds.save_as(head, enforce_file_format=True)
    element = b"\xe0\x7f\x10\x00OW\0\0" + (frames * FRAME_BYTES).to_bytes(4, "little")
    path.write_bytes(head.getvalue() + element)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + frames * FRAME_BYTES)
    return str(ds.StudyInstanceUID), str(ds.SOPInstanceUID)
