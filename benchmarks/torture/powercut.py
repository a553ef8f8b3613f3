"""Power cuts: what was acknowledged must be on the disk, and the same command must reach the end."""

from __future__ import annotations

import contextlib
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.torture.disk import CutDisk
from benchmarks.torture.outcome import Budget, Outcome
from benchmarks.torture.stand import Stand
from benchmarks.torture.tracing import family, recorded
from migrate.dicom.digest import xxh3
from migrate.errors import MigrateError
from migrate.journal import read, sql
from migrate.manifest.read import read_table
from migrate.staging.area import LandingArea
from migrate.staging.evidence import evidence_of_file
from tests.engine.command import Command

CUTS_IN_A_ROW = 4
LOOKS = 6
CUTS_OF_A_LANDER = 25
SETTLED_WITHOUT_FILE = frozenset({"VERIFIED", "QUARANTINED"})
#: Rows whose files were looked for, and what was wrong.
Checked = tuple[int, list[str]]


# ---- the landing area alone: many cuts, quickly


def cut_landings(disk: CutDisk, budget: Budget, chance: random.Random, *, careless: bool = False) -> Outcome:
    """Cut the power under processes that land files; `careless` stops at the first loss."""
    name = "power cut, folder fsync left out" if careless else "power cut while landing"
    outcome = Outcome(name, "every file that was called durable is there and whole")
    acknowledged = 0
    while not budget.spent(outcome) and not (careless and outcome.lost):
        folder = disk.mounted_at / f"landing-{outcome.tried}"
        named: list[str] = []
        with _landing(folder, chance.getrandbits(32), careless=careless) as lander:
            for _ in range(CUTS_OF_A_LANDER):
                if budget.spent(outcome) or (careless and outcome.lost):
                    break
                told, snapshot = _cut(disk, lander, chance)
                named += told
                with disk.shown(snapshot) as shown:
                    area = shown / folder.name
                    outcome.lost += sum(not _is_good(area / one[:2] / one[2:4] / f"{one}.dcm") for one in named)
                outcome.tried += 1
        shutil.rmtree(folder)
        acknowledged += len(named)
    outcome.facts["files acknowledged"] = acknowledged
    return outcome


@contextlib.contextmanager
def _landing(folder: Path, seed: int, *, careless: bool) -> Iterator[subprocess.Popen[bytes]]:
    """A process that lands files, standing still after the first; killed in the end."""
    command = [sys.executable, "-m", "benchmarks.torture.lander", str(folder), str(seed)]
    with subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [*command, *(["careless"] if careless else [])], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as lander:
        try:
            assert lander.stdout
            select.select([lander.stdout], [], [])
            lander.send_signal(signal.SIGSTOP)
            yield lander
        finally:
            lander.kill()


def _cut(disk: CutDisk, lander: subprocess.Popen[bytes], chance: random.Random) -> tuple[list[str], Path]:
    """Let it go on for a moment: what it called durable meanwhile, and the disk as it is without power."""
    assert lander.stdout
    lander.send_signal(signal.SIGCONT)
    time.sleep(chance.uniform(0, 0.4))
    lander.send_signal(signal.SIGSTOP)
    _until_stopped(lander.pid)
    os.set_blocking(lander.stdout.fileno(), False)
    told = lander.stdout.read() or b""
    return told.decode().split(), disk.snapshot()


def _until_stopped(pid: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        while psutil.Process(pid).status() not in {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE}:
            time.sleep(0.002)


def _is_good(path: Path) -> bool:
    try:
        return xxh3(path.read_bytes()) == path.stem
    except OSError:
        return False


# ---- whole migrations


def cut_migrations(stand: Stand, disk: CutDisk, budget: Budget, chance: random.Random) -> Outcome:
    """Migrations whose run folder loses its power several times each; every repair is cut as well.

    Between two cuts that the migration goes on from, what others would have left is only looked at.
    """
    outcome = Outcome("power cut in a migration", "run folder on a disk that loses its power, peers live on")
    rows = gone_on_from = 0
    while not budget.spent(outcome):
        run, before = stand.begin(disk.mounted_at), outcome.tried
        disk.settle()  # the copy of the template, not what the run writes
        for _ in range(CUTS_IN_A_ROW):
            cuts = _run_and_cut(run, disk, chance)
            for checked, wrong in cuts:
                rows += checked
                outcome.lost += len(wrong)
                for one in wrong:
                    outcome.note(one)
            outcome.tried += len(cuts)
            gone_on_from += len(cuts) > LOOKS
            if set(read.states(run)) == {"VERIFIED"} or budget.spent(outcome):
                break
        outcome.add(f"{outcome.tried - before} cuts", stand.verdict(run))
    outcome.facts["rows with files checked"] = rows
    outcome.facts["cuts that the migration went on from"] = gone_on_from
    return outcome


def _run_and_cut(run: Path, disk: CutDisk, chance: random.Random) -> list[Checked]:
    """What was found after each cut. After the last the disk is the one that lost its power."""
    command = Command(run, "run")
    cuts: list[Checked] = []
    for look in range(LOOKS + 1):
        before = recorded(run)
        command.wait_until(lambda: recorded(run) > before)  # noqa: B023 - called at once
        time.sleep(chance.uniform(0, 0.4))
        if command.process.poll() is not None:
            break
        processes = family(command.process.pid)
        _signal(processes, signal.SIGSTOP)
        for process in processes:
            _until_stopped(process.pid)
        acknowledged, snapshot = recorded(run), disk.snapshot()
        if look < LOOKS:
            with disk.shown(snapshot) as shown:
                cuts.append(_check(shown / run.name, acknowledged))
            _signal(processes, signal.SIGCONT)
        else:
            _signal(processes, signal.SIGKILL)
            command.process.wait()
            psutil.wait_procs(processes, timeout=5)
            disk.become(snapshot)
            cuts.append(_check(run, acknowledged))
    return cuts


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _check(run: Path, acknowledged: int) -> Checked:
    """Rows of the journal that say a file is there: how many, and what is wrong."""
    wrong: list[str] = []
    found = recorded(run)
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
