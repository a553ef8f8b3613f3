"""Rows of the table: a million inputs each, none of which may crash, hang or take memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.fuzz.captured import Captured, capture
from benchmarks.fuzz.conversations import converse, session
from benchmarks.fuzz.objects import Sample, read, samples
from benchmarks.fuzz.watch import LONGEST_CPU_S, Drive, Tally, watched
from benchmarks.measure import Trial
from benchmarks.rows import Contest, Figure, Goal, Row, row_of
from benchmarks.setting import Setting
from benchmarks.worker import Worker

SEED = 20261124
INPUTS = 1_000_000
SESSIONS = 50_000  # each costs a connection
CHUNK = 20_000
OBJECT_BYTES = 256 * 2**20
CORE_BYTES = 32 * 2**20
FAILED = Figure("inputs that failed", lambda one: one.amount)
SLOWEST = Figure("CPU s of the slowest", lambda one: one.cpu_s)
RESIDENT = Figure("MiB resident, grown by", lambda one: one.peak_bytes / 2**20)


def corpora() -> tuple[Path, ...]:
    """The folders of real and of made objects, where they are."""
    folder = Path(os.environ.get("MIGRATE_CORPUS") or Path(__file__).parents[3] / "shared" / "corpus")
    return tuple(one for one in (folder, folder.parent / "corpus-synthetic") if one.is_dir())


def drives(folder: Path) -> dict[str, tuple[Drive, str]]:
    """What is driven, and with what, by name."""
    captured: Captured = capture(folder)
    seeds: tuple[Sample, ...] = samples(corpora())
    heard = f"{len(captured.as_acceptor) + len(captured.as_requestor)} captured associations: " + ", ".join(
        captured.peers
    )
    return {
        "conversations": (partial(converse, captured), heard),
        "sessions": (partial(session, captured), heard),
        "objects": (partial(read, seeds), f"{len(seeds)} objects, {len(corpora())} corpora"),
    }


def fuzz(setting: Setting) -> list[Row]:
    """Spoilt associations through the core, some through sockets, and spoilt objects through the digester."""
    driven = drives(setting.folder)
    plan = (
        ("conversations", setting.count(INPUTS), CORE_BYTES),
        ("sessions", setting.count(SESSIONS), CORE_BYTES),
        ("objects", setting.count(INPUTS), OBJECT_BYTES),
    )
    return [row for name, count, bound in plan for row in _rows(name, driven[name], count, bound)]


def _rows(name: str, driven: tuple[Drive, str], count: int, bound_bytes: int) -> list[Row]:
    drive, of = driven
    tally = Tally()
    with Worker() as worker:
        tally.add(worker.do(watched, drive, SEED, range(min(CHUNK, count))))
        before = worker.resident_bytes
        worker.reset_peak()
        for start in range(CHUNK, count, CHUNK):
            tally.add(worker.do(watched, drive, SEED, range(start, min(count, start + CHUNK))))
        grown = max(1, worker.peak_bytes - before)
    ours = Trial(wall_s=1, cpu_s=tally.slowest[0], amount=tally.failed, peak_bytes=grown)
    bound = Trial(wall_s=1, cpu_s=LONGEST_CPU_S, amount=1, peak_bytes=bound_bytes)
    row = _row_maker(f"fuzz: {tally.inputs:,} {name}", {"ours": [ours], "theirs": [bound]})
    return [
        row("fewer than one", FAILED, Goal(0.0), _told(tally, of)),
        row(f"the bound of {LONGEST_CPU_S:g} s", SLOWEST, Goal(1.0), (f"input {tally.slowest[1]}",)),
        row(f"the bound of {bound_bytes >> 20} MiB", RESIDENT, Goal(1.0), ()),
    ]


def _row_maker(what: str, trials: dict[str, list[Trial]]) -> Callable[[str, Figure, Goal, tuple[str, ...]], Row]:
    def row(against: str, figure: Figure, goal: Goal, notes: tuple[str, ...]) -> Row:
        return row_of(Contest(what=what, against=against, goal=goal, notes=notes), figure, trials)

    return row


def _told(tally: Tally, of: str) -> tuple[str, ...]:
    ends = ", ".join(f"{end} {count:,}" for end, count in tally.ends.most_common())
    return (f"made from {of}; seed {SEED}; {tally.bytes_fed / 1e6:,.0f} MB", f"ended: {ends}", *tally.failures)
