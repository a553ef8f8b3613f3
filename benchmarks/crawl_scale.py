"""How a crawl grows: a simulated PACS that answers from a formula, crawled at STUDY level.

Prints one JSON line: studies, queries, rows, the optimum number of queries for that archive, their
ratio, seconds, studies per second, and resident memory on the way and at its peak. Seconds include
the simulated PACS, which works in the same process.

The optimum is what an oracle would ask that knows every count beforehand and must still show each
study on both axes, nothing else: for the date axis the fewest runs of whole days that fit one answer,
and for a day that does not fit its count over the room of one answer; for the patient axis the
leaves of the prefix tree, because no query selects two letters and no other key of a PACS covers the
studies without a date (an accession number has the same tree). It asks nothing to learn the cap,
nothing to find out that a letter does not occur, nothing twice. No crawl can do as well; what it
costs not to know is the ratio.

    python -m benchmarks.crawl_scale --studies 1000000 --cap 500 --signal silent
    python -m benchmarks.crawl_scale --studies 20000 --misbehaviour duplicate_every=3 --misbehaviour endless=true
    python -m benchmarks.crawl_scale --studies 20000 --each
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.measure import memory_bytes
from migrate.demo.misbehaviour import CAP_SIGNALS, FindMisbehaviours
from migrate.demo.patients import Patients
from migrate.demo.simulated import FormulaArchive, FormulaPlan, SimulatedSource
from migrate.errors import PeerUnavailable
from migrate.manifest.place import Manifests
from migrate.model import Level
from migrate.stages.crawl import CrawlRequest, CrawlResult, Progress, crawl
from tests.random_archives import MISBEHAVIOURS

FIRST, LAST = date(1990, 1, 1), date(2027, 12, 31)
WATCH_EVERY_S = 10.0
STUDIES_PER_PATIENT = 3
ID_LETTERS = "0123456789M"
ALL = "all"


def optimum(archive: FormulaArchive, cap: int) -> int:
    """Queries of an oracle that knows every count, both axes together."""
    room = cap - 1
    return _fewest_runs(archive.studies_per_day, room) + _prefix_leaves(archive.patients, "", room)


def _fewest_runs(counts: Iterable[int], room: int) -> int:
    runs, inside = 0, 0
    for count in counts:
        if count > room:
            runs, inside = runs + (inside > 0) + -(-count // room), 0
        elif inside + count > room:
            runs, inside = runs + 1, count
        else:
            inside += count
    return runs + (inside > 0)


def _prefix_leaves(patients: Patients, prefix: str, room: int) -> int:
    """Prefixes below this one that hold something and fit one answer; ids are digits, some after an M."""
    found = patients.with_prefix(prefix)
    if not found:
        return 0
    # The last patient may have fewer studies than the others: count those.
    last = sum(1 for _ in patients.studies_of(found[-1]))
    if (len(found) - 1) * STUDIES_PER_PATIENT + last <= room:
        return 1
    return sum(_prefix_leaves(patients, prefix + letter, room) for letter in ID_LETTERS)


@dataclass(slots=True)
class Watch:
    """Where a crawl stands: told to people every ten seconds, and (answers, resident MiB) kept."""

    last_s: float = field(default_factory=time.monotonic)
    resident: list[tuple[int, int]] = field(default_factory=list)

    def see(self, where: Progress) -> None:
        """One step of the crawl."""
        if time.monotonic() - self.last_s < WATCH_EVERY_S:
            return
        self.last_s = time.monotonic()
        self.resident.append((where.answers, memory_bytes(os.getpid(), "VmRSS:") // 2**20))
        sys.stderr.write(f"{where.windows} windows, {where.answers} answers, at {where.where}" + "\n")

    def few(self, most: int = 12) -> list[tuple[int, int]]:
        """Some of what was kept, evenly over time."""
        return self.resident[:: max(1, len(self.resident) // most)]


def crawl_archive(source: SimulatedSource, folder: Path, watch: Watch, most_windows: int) -> tuple[CrawlResult, int]:
    """Crawl at STUDY level; gives the result and how many queries it took."""
    db = sqlite3.connect(folder / "journal.sqlite", isolation_level=None, check_same_thread=False)
    request = CrawlRequest(
        manifests=Manifests(folder, "BENCH"),
        db=db,
        open_finder=lambda: source,
        first=FIRST,
        last=LAST,
        level=Level.STUDY,
        progress=watch.see,
        pause=lambda _: None,
        most_windows=most_windows,
    )
    try:
        return crawl(request), source.history.queries
    finally:
        db.close()


def measure(plan: FormulaPlan, orders: FindMisbehaviours, most_windows: int) -> dict[str, Any]:
    """One crawl, measured."""
    archive, watch = FormulaArchive(plan), Watch()
    with tempfile.TemporaryDirectory() as name:
        start_s, start_cpu_s = time.monotonic(), time.process_time()
        result, queries = crawl_archive(SimulatedSource(archive, orders), Path(name), watch, most_windows)
        seconds, cpu_s = time.monotonic() - start_s, time.process_time() - start_cpu_s
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    best = optimum(archive, plan.cap)
    return {
        "studies": plan.studies,
        "found": result.studies,
        "closed": result.closed,
        "queries": queries,
        "optimum": best,
        "ratio": round(queries / best, 3),
        "queries_per_1000_studies": round(1000 * queries / plan.studies, 2),
        "seconds": round(seconds, 1),
        "cpu_s": round(cpu_s, 1),
        "studies_per_s": round(plan.studies / seconds),
        "peak_mib": round(peak_bytes / 2**20),
        "resident_mib": watch.few(),
        "doubts": result.doubts,
        "open_windows": result.open_windows[:5],
    }


def ordered(words: Sequence[str]) -> dict[str, Any]:
    """Misbehaviours from the command line: `name=value`, the value as JSON."""
    pairs = (word.partition("=") for word in words)
    values = {name: json.loads(value or "true") for name, _, value in pairs}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def sinned(plan: FormulaPlan, signal: str, names: Sequence[str], most_windows: int) -> Iterator[dict[str, Any]]:
    """The same archive with misbehaviours of the property test alone, or with all of them at once ("all")."""
    everything = {name: values[-1] for name, values in MISBEHAVIOURS.items()}
    for name in names or (*everything, ALL):
        sins = everything if name == ALL else {name: everything[name]}
        orders = FindMisbehaviours(result_cap=plan.cap, cap_signal=signal, **sins)
        try:
            found = measure(plan, orders, most_windows)
        except PeerUnavailable as stopped:
            yield {"misbehaviour": name, "stopped": str(stopped), "wrong": False}
            continue
        there = plan.studies + orders.empty_shells
        wrong = found["found"] > there or (found["closed"] and found["found"] < there)
        kept = ("found", "closed", "queries", "cpu_s", "peak_mib", "doubts", "open_windows")
        yield {"misbehaviour": name, "there": there, **{key: found[key] for key in kept}, "wrong": wrong}


def main() -> None:
    """Measure one archive and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1_000_000)
    parser.add_argument("--cap", type=int, default=500)
    parser.add_argument("--signal", choices=CAP_SIGNALS, default="silent")
    parser.add_argument("--misbehaviour", action="append", default=[], metavar="NAME=JSON")
    parser.add_argument("--most-windows", type=int, default=1_000_000, help="then the crawl gives up")
    each = "these misbehaviours, each alone; none named: every one, and all at once"
    parser.add_argument("--each", nargs="*", metavar="NAME", choices=(*MISBEHAVIOURS, ALL), help=each)
    parser.add_argument("--into", type=Path, help="also into this file")
    asked = parser.parse_args()
    plan = FormulaPlan(studies=asked.studies, cap=asked.cap)
    if asked.each is not None:
        for line in sinned(plan, asked.signal, asked.each, asked.most_windows):
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
        return
    orders = FindMisbehaviours(result_cap=asked.cap, cap_signal=asked.signal, **ordered(asked.misbehaviour))
    told = json.dumps(measure(plan, orders, asked.most_windows)) + "\n"
    sys.stdout.write(told)
    if asked.into:
        asked.into.write_text(told, encoding="utf-8")


if __name__ == "__main__":
    main()
