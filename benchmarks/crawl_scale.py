"""How a crawl grows: a simulated PACS that answers from a formula, crawled at STUDY level.

Prints one JSON line: studies, queries, rows, the optimum number of queries for that archive, their
ratio, seconds, studies per second, and the peak of resident memory. The optimum is what an oracle
would ask that knows every count beforehand: for the date axis the fewest runs of whole days that
fit one answer (and, on days that do not fit, the fewest runs of minutes); for the patient axis the
leaves of the prefix tree; nothing else.

    python benchmarks/crawl_scale.py --studies 1000000 --cap 500 --signal silent
"""

from __future__ import annotations

import argparse
import json
import resource
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from migrate.demo.matching import Dialect
from migrate.demo.misbehaviour import CAP_SIGNALS, FindMisbehaviours
from migrate.demo.simulated import FormulaArchive, FormulaPlan, SimulatedSource
from migrate.manifest.place import Manifests
from migrate.model import Level
from migrate.stages.crawl import CrawlRequest, CrawlResult, Progress, crawl

FIRST, LAST = date(1990, 1, 1), date(2027, 12, 31)


def optimum(archive: FormulaArchive, cap: int) -> int:
    """Queries of an oracle that knows every count, both axes together."""
    room = cap - 1
    return _fewest_runs(archive.studies_per_day, room) + _prefix_leaves(_patient_counts(archive), room)


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


def _patient_counts(archive: FormulaArchive) -> Counter[str]:
    counts: Counter[str] = Counter()
    for row in archive.rows("STUDY", {}, Dialect()):
        patient_id = row.values["PatientID"]
        for length in range(1, len(patient_id) + 1):
            counts[patient_id[:length]] += 1
    return counts


def _prefix_leaves(counts: Counter[str], room: int) -> int:
    return sum(1 for prefix, count in counts.items() if count <= room and counts.get(prefix[:-1], room + 1) > room)


def crawl_archive(archive: FormulaArchive, orders: FindMisbehaviours, folder: Path) -> tuple[CrawlResult, int]:
    """Crawl at STUDY level; gives the result and how many queries it took."""
    source = SimulatedSource(archive, orders)
    last_s = time.monotonic()

    def progress(where: Progress) -> None:
        nonlocal last_s
        if time.monotonic() - last_s > 10:
            last_s = time.monotonic()
            sys.stderr.write(f"{where.windows} windows, {where.answers} answers, at {where.where}" + "\n")

    db = sqlite3.connect(folder / "journal.sqlite", isolation_level=None, check_same_thread=False)
    request = CrawlRequest(
        manifests=Manifests(folder, "BENCH"),
        db=db,
        open_finder=lambda: source,
        first=FIRST,
        last=LAST,
        level=Level.STUDY,
        progress=progress,
    )
    result = crawl(request)
    db.close()
    return result, source.history.queries


def measure(plan: FormulaPlan, orders: FindMisbehaviours) -> dict[str, object]:
    """One crawl, measured."""
    archive = FormulaArchive(plan)
    with tempfile.TemporaryDirectory() as name:
        start_s = time.monotonic()
        result, queries = crawl_archive(archive, orders, Path(name))
        seconds = time.monotonic() - start_s
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
        "studies_per_s": round(plan.studies / seconds),
        "peak_mib": round(peak_bytes / 2**20),
        "doubts": result.doubts,
        "open_windows": result.open_windows[:5],
    }


def main() -> None:
    """Measure one archive and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1_000_000)
    parser.add_argument("--cap", type=int, default=500)
    parser.add_argument("--signal", choices=CAP_SIGNALS, default="silent")
    asked = parser.parse_args()
    orders = FindMisbehaviours(result_cap=asked.cap, cap_signal=asked.signal)
    sys.stdout.write(json.dumps(measure(FormulaPlan(studies=asked.studies, cap=asked.cap), orders)) + "\n")


if __name__ == "__main__":
    main()
