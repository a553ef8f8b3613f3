"""What checksum and staging cost on top of copying the bytes."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from benchmarks import ours
from benchmarks.archive import Held, Load, write_files
from benchmarks.measure import Snapshot, Trial, command, interleaved
from benchmarks.rows import CPU_PER_GB, WALL, Contest, Goal, Row, row_of
from benchmarks.setting import Setting
from benchmarks.worker import Worker
from tests.peers.ports import free_port


def staging(setting: Setting) -> list[Row]:
    """Files read, digested, checked, written and made durable, against `cp`, and against `cp` made durable."""
    paths, held = write_files(setting.folder / "files", [Load("ct", setting.count(4), 100)])
    with Worker() as worker:
        worker.do(ours.start_receiver, setting.folder / "landing", free_port())
        mine = partial(_staged, worker, paths, held)
        sides = {
            "ours": mine,
            "cp": partial(_copied, setting.folder, held, durable=False),
            "durable": partial(_copied, setting.folder, held, durable=True),
        }
        trials = interleaved(setting.rounds(5), sides)
        plain = Contest(what="checksum and staging", against="cp of the same files", goal=Goal(1.3), theirs="cp")
        synced = Contest(
            what="checksum and staging", against="cp + sync of each file", goal=Goal(1.3), theirs="durable"
        )
        rows = [row_of(plain, WALL, trials), row_of(synced, WALL, trials), row_of(plain, CPU_PER_GB, trials)]
        return [setting.explained(row, worker.pid, mine) for row in rows]


def _staged(worker: Worker, paths: list[Path], held: Held) -> Trial:
    studies = {uid: [one.sop_instance_uid for one in members] for uid, members in held.studies.items()}
    worker.reset_peak()
    worker.do(ours.expect, studies)
    spent = Snapshot.of(worker.pid)
    wall_s = worker.do(ours.stage_files, paths)
    trial = Trial(wall_s=wall_s, cpu_s=spent.since_s(), amount=held.gb, peak_bytes=worker.peak_bytes)
    worker.do(ours.forget)
    return trial


def _copied(folder: Path, held: Held, *, durable: bool) -> Trial:
    target = folder / "copy"
    shutil.rmtree(target, ignore_errors=True)
    used = command(["cp", "-r", folder / "files", target])
    wall_s, cpu_s = used.wall_s, used.cpu_s
    if durable:
        synced = command(["sync", *sorted(target.iterdir()), target])
        wall_s, cpu_s = wall_s + synced.wall_s, cpu_s + synced.cpu_s
    return Trial(wall_s=wall_s, cpu_s=cpu_s, amount=held.gb)
