"""Power cuts: what was acknowledged must be on the disk, and the same command must reach the end."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from benchmarks.torture.disk import CutDisk
from benchmarks.torture.outcome import Budget, Outcome
from benchmarks.torture.stand import Stand
from benchmarks.torture.tracing import family
from migrate.dicom.digest import xxh3
from migrate.errors import MigrateError
from migrate.journal import read, sql
from migrate.manifest.read import read_table
from migrate.staging.area import LandingArea
from migrate.staging.evidence import evidence_of_file
from tests.engine.command import Command

CUTS_IN_A_ROW = 5
SETTLED_WITHOUT_FILE = frozenset({"VERIFIED", "QUARANTINED"})


# ---- the landing area alone: many cuts, quickly


def cut_landings(disk: CutDisk, budget: Budget, chance: random.Random, *, careless: bool = False) -> Outcome:
    """Cut the power under a process that lands files; `careless` stops at the first loss."""
    name = "power cut, folder fsync left out" if careless else "power cut while landing"
    outcome = Outcome(name, "every file that was called durable is there and whole")
    acknowledged = 0
    while not budget.spent(outcome.tried) and not (careless and outcome.lost):
        folder = disk.mounted_at / f"landing-{outcome.tried}"
        named, snapshot = _land_and_cut(disk, folder, chance, careless=careless)
        with disk.shown(snapshot) as shown:
            area = shown / folder.name
            lost = sum(not _is_good(area / one[:2] / one[2:4] / f"{one}.dcm") for one in named)
        shutil.rmtree(folder)
        outcome.tried += 1
        outcome.lost += lost
        acknowledged += len(named)
    outcome.facts["files acknowledged"] = str(acknowledged)
    return outcome


def _land_and_cut(disk: CutDisk, folder: Path, chance: random.Random, *, careless: bool) -> tuple[list[str], Path]:
    command = [sys.executable, "-m", "benchmarks.torture.lander", str(folder), str(chance.getrandbits(32))]
    lander = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [*command, *(["careless"] if careless else [])], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    assert lander.stdout
    first = lander.stdout.readline()
    time.sleep(chance.uniform(0, 0.4))
    lander.send_signal(signal.SIGSTOP)
    _until_stopped(lander.pid)
    os.set_blocking(lander.stdout.fileno(), False)
    told = first + (lander.stdout.read() or b"")
    snapshot = disk.snapshot()
    lander.kill()
    lander.wait()
    lander.stdout.close()
    return told.decode().split(), snapshot


def _until_stopped(pid: int) -> None:
    while psutil.Process(pid).status() != psutil.STATUS_STOPPED:
        time.sleep(0.002)


def _is_good(path: Path) -> bool:
    try:
        return xxh3(path.read_bytes()) == path.stem
    except OSError:
        return False


# ---- whole migrations


def cut_migrations(stand: Stand, disk: CutDisk, budget: Budget, chance: random.Random) -> Outcome:
    """Migrations whose run folder loses its power several times each; every repair is cut as well."""
    outcome = Outcome("power cut in a migration", "run folder on a disk that loses its power, peers live on")
    rows = 0
    while not budget.spent(outcome.tried):
        run, before = stand.begin(disk.mounted_at), outcome.tried
        disk.settle()  # the copy of the template, not what the run writes
        for _ in range(min(CUTS_IN_A_ROW, budget.most - outcome.tried)):
            acknowledged = _run_and_cut(run, disk, chance)
            if acknowledged is None:
                break
            outcome.tried += 1
            checked, wrong = _check(run, acknowledged)
            rows += checked
            for one in wrong:
                outcome.lost += 1
                outcome.note(one)
        outcome.add(f"{outcome.tried - before} cuts", stand.verdict(run))
    outcome.facts["rows with files checked"] = str(rows)
    return outcome


def _run_and_cut(run: Path, disk: CutDisk, chance: random.Random) -> int | None:
    """Events acknowledged before the power went; None when the migration ended before."""
    command = Command(run, "run")
    before = _events(run)
    command.wait_until(lambda: _events(run) > before)
    time.sleep(chance.uniform(0, 0.6))
    alive = command.process.poll() is None
    processes = family(command.process.pid)
    _signal(processes, signal.SIGSTOP)
    acknowledged = _events(run)
    snapshot = disk.snapshot()
    _signal(processes, signal.SIGKILL)
    command.process.wait()
    psutil.wait_procs(processes, timeout=5)
    disk.become(snapshot)
    return acknowledged if alive else None


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _events(run: Path) -> int:
    return sum(1 for _ in read.events(run))


def _check(run: Path, acknowledged: int) -> tuple[int, list[str]]:
    """Rows of the journal that say a file is there: how many, and what is wrong."""
    wrong: list[str] = []
    found = _events(run)
    if found < acknowledged:
        wrong.append(f"{acknowledged - found} acknowledged events are gone")
    if (link := read.first_broken_link(run)) is not None:
        wrong.append(f"the chain breaks at event {link}")
    for table in ("evidence", "uploads", "verification", "changes"):
        try:
            read_table(run, table, None)
        except MigrateError as error:
            wrong.append(str(error))
    area = LandingArea(run / "staging")
    with read.connected(run) as db:
        rows = db.execute(sql.INSTANCE_FILES).fetchall() if db else []
    wanted = [(sop, area.path_of(wire)) for _, sop, wire, _, state in rows if state not in SETTLED_WITHOUT_FILE]
    wrong += [f"no good file for {sop}" for sop, path in wanted if not _is_received(path)]
    return len(wanted), wrong


def _is_received(path: Path) -> bool:
    try:
        return evidence_of_file(path).wire_xxh3 == path.stem
    except (OSError, MigrateError):
        return False
