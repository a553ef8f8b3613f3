"""`make bench`: every row of the table, or some (`--only receive,send`), into results.md.

python -m benchmarks.run [--only NAMES] [--scale 1.0] [--quick] [--no-profiles] [--scratch DIR]
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import books, crawling, disk, growth, large, migration, scale, wire
from benchmarks.fuzz import bench as fuzzing
from benchmarks.machine import facts
from benchmarks.report import Result, figure, keep
from benchmarks.rows import Row
from benchmarks.setting import Setting

FOLDER = Path(__file__).parent
QUICK_SCALE = 0.25
QUICK_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Bench:
    """A function that measures some rows of the table."""

    name: str
    measure: Callable[[Setting], list[Row]]

    @property
    def about(self) -> str:
        """What is measured, in a sentence."""
        return (self.measure.__doc__ or "").strip().splitlines()[0]


BENCHES = (
    Bench("receive", wire.receive),
    Bench("send", wire.send),
    Bench("upload", wire.upload),
    Bench("retrieve", wire.retrieve),
    Bench("crawl", crawling.crawl),
    Bench("scale", scale.scale),
    Bench("proof", migration.proof),
    Bench("pipeline", migration.pipeline),
    Bench("growth", growth.growth),
    Bench("staging", disk.staging),
    Bench("large", large.large),
    Bench("books", books.books),
    Bench("province", books.province),
    Bench("fuzz", fuzzing.fuzz),
)


def main() -> int:
    """Measure what was asked for; 1 when something that must be reached was missed."""
    asked = _arguments()
    logging.disable(logging.WARNING)
    names = [bench.name for bench in BENCHES]
    wanted = set(asked.only.split(",")) if asked.only else set(names)
    if unknown := wanted - set(names):
        sys.exit(f"no such bench: {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
    missed = 0
    with tempfile.TemporaryDirectory(prefix="migrate-bench-", dir=asked.scratch) as scratch:
        setting = Setting(
            folder=Path(scratch),
            scale=asked.scale * (QUICK_SCALE if asked.quick else 1.0),
            most_rounds=QUICK_ROUNDS if asked.quick else asked.rounds,
            profiles=not asked.no_profiles,
            python=asked.python,
        )
        for bench in BENCHES:
            if bench.name in wanted:
                missed += _measure(bench, setting, names, Path(asked.results))
    return int(missed > 0)


def _measure(bench: Bench, setting: Setting, names: list[str], results: Path) -> int:
    known, began = facts(setting.folder), time.monotonic()
    rows = bench.measure(setting)
    setting.clear()
    known |= {"scale": f"{setting.scale:g}", "took": f"{time.monotonic() - began:.0f} s"}
    keep(results, Result(name=bench.name, about=bench.about, facts=known, rows=tuple(rows)), names)
    for row in rows:
        print(  # noqa: T201 - what the person at the terminal waits for
            f"{row.verdict:6} {row.what} against {row.against}: {figure(row.ours)} to {figure(row.theirs)} "
            f"{row.unit}, ratio {row.ratio:.2f} {row.each_round}, peak {row.peak_mib:.0f} MiB",
            flush=True,
        )
    return sum(not row.met for row in rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="names of benches, joined by commas")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on every amount")
    parser.add_argument("--rounds", type=int, default=9, help="at most so many rounds a row")
    parser.add_argument("--quick", action="store_true", help="a quarter of everything, two rounds")
    parser.add_argument("--no-profiles", action="store_true", help="do not explain what is missed")
    parser.add_argument("--scratch", default=None, help="folder on the disk to measure on")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the installation to measure")
    parser.add_argument("--results", default=FOLDER, help="folder for results.json and results.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
