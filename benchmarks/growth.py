"""Does a run slow down or swell with the number of instances? One thousand, ten and a hundred thousand.

Real: sender and receiver on the wire, landing area, digests, rules, journal, tables, the engine. Not real: the
source is a sender of ours that makes tiny objects when it is asked for a study, and the destination a
receiver of ours that digests them, answers 0000 and keeps nothing, so verify is answered without asking.
The growth of other people's archives is left out that way, and so is Dask: stages run in threads.
"""

from __future__ import annotations

from dataclasses import replace

from benchmarks.archive import Load, plan_run, write_config
from benchmarks.ends import run_between
from benchmarks.measure import Trial
from benchmarks.rows import Contest, Figure, Goal, Row, row_of
from benchmarks.setting import Setting
from benchmarks.worker import Worker
from tests.peers.ports import free_port

PER_STUDY = 100
SIZES = (1_000, 10_000, 100_000)
RATE = Figure("instances per s", lambda one: one.per_s)
PEAK = Figure("MiB", lambda one: one.peak_bytes / 2**20)


def growth(setting: Setting) -> list[Row]:
    """Engine, journal, staging and tables over tiny objects; peers are our own sender and receiver."""
    sizes = [setting.count(size // PER_STUDY, 5) for size in SIZES]
    trials = {f"{studies * PER_STUDY}": [_run(setting, studies)] for studies in sizes}
    names = list(trials)
    rows: list[Row] = []
    for name in names[1:]:
        about = Contest(
            what=f"{int(name):,} instances",
            against=f"{int(names[0]):,} instances",
            goal=Goal(0.9, at_most=False),
            ours=name,
            theirs=names[0],
        )
        rows.append(row_of(about, RATE, trials))
        rows.append(row_of(replace(about, what=f"{about.what}, memory", goal=Goal(1.1)), PEAK, trials))
    return rows


def _run(setting: Setting, studies: int) -> Trial:
    folder = setting.folder / f"growth-{studies}"
    ports = [free_port() for _ in range(3)]
    write_config(
        folder,
        {"source": {"ae_title": "LEGACY", "port": ports[0]}, "receiver": {"port": ports[1], "allow": ["BENCH"]}},
        {"destination": {"ae_title": "DIR", "port": ports[2]}},
    )
    plan_run(folder, Load("tiny", studies, PER_STUDY).listed())
    with Worker() as engine:
        engine.reset_peak()
        wall_s, cpu_s = engine.do(run_between, folder)
        peak_bytes = engine.peak_bytes
    setting.clear()
    return Trial(wall_s=wall_s, cpu_s=cpu_s, amount=studies * PER_STUDY, peak_bytes=peak_bytes)
