"""The operating system says no at the n-th call: the right exit code, a sentence, and the same end later."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.torture.outcome import Budget, Outcome
from benchmarks.torture.stand import Stand
from benchmarks.torture.tracing import Hit, Point, Scope, run_spoilt

#: The pair of sockets with which an event loop wakes itself: nothing but an injection can reset it.
EVENT_LOOP_ALONE = "_read_from_self"
DONE, JOURNAL, LOCAL, FULL, PEER, UNAVAILABLE = 0, 30, 50, 51, 40, 41


@dataclass(frozen=True, slots=True)
class Refusal:
    """What may happen when one call of one process fails in one way.

    `codes` are the exit codes that say what happened; 0 where it is repaired at once.
    """

    scope: Scope
    syscall: str
    error: str
    codes: tuple[int, ...]
    most: int

    def at(self, number: int) -> Point:
        """The n-th call."""
        return Point(self.scope, self.syscall, number)

    def __str__(self) -> str:
        """Short, for tables and the names of tests."""
        return f"{self.scope} {self.syscall} {self.error}"


#: `most`: how often the call is made in one thread, about.
REFUSALS = (
    # The engine writes journal and tables: SQLite's own calls are a matter of the journal.
    Refusal("engine", "pwrite64", "ENOSPC", (JOURNAL,), 200),
    Refusal("engine", "pwrite64", "EIO", (JOURNAL,), 200),
    Refusal("engine", "fdatasync", "EIO", (JOURNAL,), 25),
    Refusal("engine", "fdatasync", "ENOSPC", (JOURNAL,), 25),
    Refusal("engine", "fsync", "EIO", (JOURNAL, LOCAL), 12),
    Refusal("engine", "fsync", "ENOSPC", (JOURNAL, LOCAL, FULL), 12),
    Refusal("engine", "rename", "ENOSPC", (LOCAL, FULL), 3),
    Refusal("engine", "unlink", "EIO", (DONE, JOURNAL, LOCAL), 20),
    Refusal("engine", "openat", "EMFILE", (DONE, JOURNAL, LOCAL), 40),
    # A worker receives, lands, sends and reads back.
    Refusal("worker", "syncfs", "EIO", (DONE, LOCAL), 6),
    Refusal("worker", "fsync", "EIO", (DONE, LOCAL), 40),
    Refusal("worker", "fsync", "ENOSPC", (DONE, FULL), 40),
    Refusal("worker", "rename", "ENOSPC", (DONE, FULL), 20),
    Refusal("worker", "write", "ENOSPC", (DONE, FULL), 6),
    Refusal("worker", "openat", "EMFILE", (DONE, LOCAL), 12),
    Refusal("worker", "openat", "EIO", (DONE, LOCAL), 12),
    Refusal("worker", "sendmsg", "ECONNRESET", (DONE,), 20),
    Refusal("worker", "recvfrom", "ECONNRESET", (DONE,), 20),
    Refusal("worker", "connect", "ECONNREFUSED", (DONE,), 3),
)


def refuse(stand: Stand, refusals: Iterable[Refusal], budget: Budget, chance: random.Random) -> Outcome:
    """One migration for each refusal, refused once at a random call."""
    outcome = Outcome("a call refused", "ENOSPC, EIO, EMFILE, ECONNRESET at the n-th call, then the same command")
    codes: Counter[int] = Counter()
    for refusal in refusals:
        if budget.spent(outcome):
            break
        run, point = stand.begin(), refusal.at(chance.randint(1, refusal.most))
        hit = run_spoilt(run, point, f"error={refusal.error}")
        _judge(outcome, refusal, point, hit)
        codes[hit.ended.code] += hit.fired
        outcome.add(f"{point} {refusal.error}", stand.verdict(run))
    outcome.facts |= {f"exit code {code}": count for code, count in sorted(codes.items()) if count}
    return outcome


def refuse_in_a_row(stand: Stand, refusals: Iterable[tuple[Refusal, int]]) -> Outcome:
    """Refused in one way after another; a run that ends all the same is judged, and another migration begins."""
    outcome = Outcome("calls refused in a row", "each run is refused at a call of its own")
    run: Path | None = None
    where: list[str] = []
    for refusal, number in refusals:
        run = run or stand.begin()
        point = refusal.at(number)
        hit = run_spoilt(run, point, f"error={refusal.error}")
        _judge(outcome, refusal, point, hit)
        where.append(f"{point} {refusal.error}")
        if hit.ended.code == 0:
            outcome.add(", ".join(where), stand.verdict(run, hit.ended))
            run, where = None, []
    if run:
        outcome.add(", ".join(where), stand.verdict(run))
    return outcome


def _judge(outcome: Outcome, refusal: Refusal, point: Point, hit: Hit) -> None:
    """The exit code must be one of those allowed, and an error must be a sentence."""
    outcome.tried += hit.fired
    ended = hit.ended
    allowed = refusal.codes if hit.fired else (DONE,)
    if ended.code not in allowed:
        outcome.note(f"{point} {refusal.error}: exit {ended.code}, not one of {allowed}: {ended.stderr[-1500:]}")
    elif "Traceback" in ended.stderr and EVENT_LOOP_ALONE not in ended.stderr:
        outcome.note(f"{point} {refusal.error}: a traceback: {ended.stderr[-1500:]}")
    elif ended.code and "error: " not in ended.stderr:
        outcome.note(f"{point} {refusal.error}: no sentence: {ended.stderr[-600:]}")
