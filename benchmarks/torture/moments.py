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
from benchmarks.torture.tracing import family, recorded
from tests.engine.command import Command

#: What dies, and how often: a worker is the quickest to come back.
VICTIMS = {"engine": 1, "worker": 2, "all": 1}
LONGEST_WAIT_S = 1.5
LONGEST_LEAD_S = 0.3
KILLS_IN_A_RUN = 25


def kill_sometimes(stand: Stand, budget: Budget, chance: random.Random, kills: int = KILLS_IN_A_RUN) -> Outcome:
    """Migrations in which about `kills` processes die, until the budget is spent."""
    outcome = Outcome("kill at a random moment", "SIGKILL of engine, worker with receiver, or all")
    killed: Counter[str] = Counter()
    while not budget.spent(outcome):
        run = stand.begin()
        here = _disturbed(stand, run, chance, min(kills, budget.most - outcome.tried))
        killed += here
        outcome.tried += here.total()
        outcome.facts |= {f"kills of {victim}": killed[victim] for victim in VICTIMS}
        outcome.add(str(dict(here)), stand.verdict(run))
    return outcome


def _disturbed(stand: Stand, run: Path, chance: random.Random, kills: int) -> Counter[str]:
    """Kill and start again until enough has died or the migration has ended all the same."""
    killed: Counter[str] = Counter()
    while killed.total() < kills:
        command = stand.command(run)
        killed += _until_the_engine_dies(command, run, chance, kills - killed.total())
        if command.end(RUN_TIMEOUT_S).code == 0:
            break
    return killed


def _until_the_engine_dies(command: Command, run: Path, chance: random.Random, kills: int) -> Counter[str]:
    """Kill in one command; one whose workers alone were killed is left to come to its end."""
    killed: Counter[str] = Counter()
    while killed.total() < kills and command.process.poll() is None:
        _wait(command, run, chance, again=bool(killed))
        victim = chance.choices(tuple(VICTIMS), tuple(VICTIMS.values()))[0]
        killed[victim] += _kill(command, victim)
        if killed["engine"] or killed["all"]:
            break
    return killed


def _wait(command: Command, run: Path, chance: random.Random, *, again: bool) -> None:
    """Mostly until something has been recorded and a little longer; sometimes while it starts or repairs.

    The first thing recorded after the death of a worker is that it died: `again` waits for what comes then.
    """
    if chance.random() < 0.8:
        for _ in range(1 + again):
            before = recorded(run)
            command.wait_until(lambda: recorded(run) > before)  # noqa: B023 - called at once
        time.sleep(chance.uniform(0, LONGEST_LEAD_S))
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
