"""SIGKILL at random moments: of the engine, of a worker (which holds the receiver), of both at once."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections import Counter
from pathlib import Path

import psutil

from benchmarks.torture.outcome import Budget, Outcome
from benchmarks.torture.stand import RUN_TIMEOUT_S, Stand
from benchmarks.torture.tracing import family
from migrate.journal import read
from tests.engine.command import Command

VICTIMS = ("engine", "worker", "all")
LONGEST_WAIT_S = 1.5
KILLS_IN_A_RUN = 6


def kill_sometimes(stand: Stand, budget: Budget, chance: random.Random, kills: int = KILLS_IN_A_RUN) -> Outcome:
    """Migrations in which about `kills` processes die, until the budget is spent."""
    outcome = Outcome("kill at a random moment", "SIGKILL of engine, worker with receiver, or all")
    killed: Counter[str] = Counter()
    while not budget.spent(outcome.tried):
        run = stand.begin()
        here = _disturbed(run, chance, min(kills, budget.most - outcome.tried))
        killed += here
        outcome.tried += here.total()
        outcome.add(str(dict(here)), stand.verdict(run))
    outcome.facts |= {f"kills of {victim}": str(killed[victim]) for victim in VICTIMS}
    return outcome


def _disturbed(run: Path, chance: random.Random, kills: int) -> Counter[str]:
    """Kill and start again until enough has died or the migration has ended all the same."""
    killed: Counter[str] = Counter()
    victim = ""
    while killed.total() < kills:
        command = Command(run, "run")
        while command.process.poll() is None and killed.total() < kills:
            _wait(command, run, chance)
            victim = chance.choice(VICTIMS)
            if not _kill(command, victim):
                break
            killed[victim] += 1
            if victim != "worker":
                break
        if victim == "worker" or command.process.poll() == 0:
            command.end(RUN_TIMEOUT_S)
            if set(read.states(run)) == {"VERIFIED"}:
                break
        else:
            command.process.wait()
    return killed


def _wait(command: Command, run: Path, chance: random.Random) -> None:
    """Mostly until something has been recorded and a little longer; sometimes while it starts or repairs."""
    if chance.random() < 0.8:
        before = len(read.last_events(run, 1_000_000))
        command.wait_until(lambda: len(read.last_events(run, 1_000_000)) > before)
        time.sleep(chance.uniform(0, 0.4))
    else:
        time.sleep(chance.uniform(0.2, LONGEST_WAIT_S))


def _kill(command: Command, victim: str) -> bool:
    """SIGKILL; whether there was somebody to kill."""
    if command.process.poll() is not None:
        return False
    if victim == "engine":
        command.process.send_signal(signal.SIGKILL)
        return True
    chosen = command.workers() if victim == "worker" else family(command.process.pid)
    for process in chosen:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    return bool(chosen)
