"""The books over invented run folders of one, ten and a hundred million instances: time, CPU and memory.

`python -m benchmarks.books FOLDER STUDIES` writes one such folder, 100 instances a study.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.archive import SOURCE
from benchmarks.ledger import PER_STUDY, write_run
from benchmarks.measure import Trial, cpu_s
from benchmarks.rows import CPU_US, Contest, Figure, Goal, Row, row_of
from benchmarks.setting import Setting
from benchmarks.worker import Worker
from migrate.checks.reconcile import reconcile
from migrate.report.write import write_reports

SMALL, LARGE, PROVINCE = 1_000_000, 10_000_000, 100_000_000
BOUND_BYTES = 1024 * 2**20
RATE = Figure("instances per s", lambda one: one.per_s)
PEAK = Figure("MiB resident", lambda one: one.peak_bytes / 2**20)

Trials = dict[str, dict[str, list[Trial]]]


def books(setting: Setting) -> list[Row]:
    """Reconcile without the destination, then the whole report set; tables and journal are invented."""
    return _measured(setting, (SMALL, LARGE))


def province(setting: Setting) -> list[Row]:
    """The same for 1,000,000 studies of 100 instances: 15 minutes to invent on 10 GB of disk, longer to measure."""
    return _measured(setting, (SMALL, PROVINCE))


def _measured(setting: Setting, sizes: tuple[int, int]) -> list[Row]:
    trials: Trials = {"reconcile": {}, "report": {}}
    for size in (setting.count(size, PER_STUDY * 100) for size in sizes):
        folder = setting.folder / f"books-{size}"
        write_run(folder, size // PER_STUDY)
        measure(folder, size, trials)
        setting.clear()
    return rows_of(trials)


def measure(folder: Path, size: int, trials: Trials) -> None:
    """Reconcile and report over a run folder of so many instances, added to the trials."""
    for name, task in (("reconcile", reconcile_all), ("report", report_all)):
        trials[name][str(size)] = [_trial(task, folder, size)]


def rows_of(trials: Trials) -> list[Row]:
    """Pace by wall clock and by CPU, which a busy machine does not change much, and memory."""
    return [row for name, found in trials.items() for row in _rows(name, found)]


def _rows(name: str, trials: dict[str, list[Trial]]) -> list[Row]:
    small, large = list(trials)
    bound = {**trials, "bound": [Trial(wall_s=1, cpu_s=0, amount=1, peak_bytes=BOUND_BYTES)]}
    took = f"{trials[large][0].wall_s:,.0f} s, {trials[small][0].wall_s:,.0f} s for {int(small):,}"
    what, against = f"{name}: {int(large):,} instances", f"{int(small):,} instances"
    pace = Contest(what=what, against=against, goal=Goal(0.8, at_most=False), ours=large, theirs=small, notes=(took,))
    cpu = Contest(what=f"{what}, CPU", against=against, goal=Goal(1.25), ours=large, theirs=small)
    memory = Contest(what=f"{what}, memory", against="the bound of 1 GiB", goal=Goal(1.0), ours=large, theirs="bound")
    return [row_of(pace, RATE, trials), row_of(cpu, CPU_US, trials), row_of(memory, PEAK, bound)]


def _trial(task: Callable[[Path], None], folder: Path, size: int) -> Trial:
    with Worker() as worker:
        worker.reset_peak()
        began, used = time.monotonic(), cpu_s(worker.pid)
        worker.do(task, folder)
        wall_s, used = time.monotonic() - began, cpu_s(worker.pid) - used
        return Trial(wall_s=wall_s, cpu_s=used, amount=size, peak_bytes=worker.peak_bytes)


def reconcile_all(folder: Path) -> None:
    """Both sides of a run folder, the destination not asked."""
    reconcile(folder, SOURCE)


def report_all(folder: Path) -> None:
    """Every page and file of the report set."""
    write_reports(folder)


if __name__ == "__main__":
    write_run(Path(sys.argv[1]), int(sys.argv[2]))
