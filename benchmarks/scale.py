"""Does a crawl ask and work in proportion to the archive? A fifth of a million studies, and a million."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import command
from benchmarks.rows import Goal, Row
from benchmarks.setting import Setting

CHECKOUT = Path(__file__).resolve().parents[1]
STUDIES = 1_000_000
FEWER = 5
LIMIT_MIB = 500.0
Found = dict[str, Any]


def scale(setting: Setting) -> list[Row]:
    """A STUDY crawl of a formula PACS: cap 500 without a word, 0.5 % undated, 3 % of days over the cap."""
    studies = setting.count(STUDIES, 20_000)
    small, large = (_measured(setting, count) for count in (studies // FEWER, studies))
    return rows_of(small, large)


def _measured(setting: Setting, studies: int) -> Found:
    said = setting.folder / f"scale-{studies}.json"
    asked = ("--studies", str(studies), "--into", said)
    command([sys.executable, "-m", "benchmarks.crawl_scale", *asked], {"PYTHONPATH": str(CHECKOUT)})
    found: Found = json.loads(said.read_bytes())
    if not found["closed"] or found["found"] != studies:
        raise RuntimeError(f"the crawl is not whole: {found}")
    return found


def rows_of(small: Found, large: Found) -> list[Row]:
    """Queries against the oracle (`crawl_scale.optimum`), studies per second against the small one, memory."""
    what = f"crawl of {large['studies']:,} studies"
    notes = (
        f"{large['queries']:,} queries, {large['queries_per_1000_studies']} per 1,000 studies; all found, closed",
        f"with {small['studies']:,} studies: {small['queries']:,} queries, {small['ratio']} times the optimum",
        f"seconds include the simulated PACS; {large['cpu_s']:.0f} s of CPU, {large['seconds']:.0f} s of wall clock",
    )
    per_thousand = 1000 / large["studies"]
    rates = [one["studies"] / one["cpu_s"] for one in (large, small)]
    walls = f"{large['studies_per_s']:,} and {small['studies_per_s']:,} studies per second of wall clock"
    return [
        _row(
            (f"{what}, queries", "an oracle that knows every count", "queries per 1,000 studies"),
            (large["queries"] * per_thousand, large["optimum"] * per_thousand),
            Goal(1.3),
            notes,
        ),
        _row(
            (f"{what}, speed", f"{small['studies']:,} studies", "studies per CPU s"),
            (rates[0], rates[1]),
            Goal(0.5, at_most=False),
            (walls,),
        ),
        _row((f"{what}, memory", "500 MiB", "MiB"), (float(large["peak_mib"]), LIMIT_MIB), Goal(1.0)),
    ]


def _row(words: tuple[str, str, str], sides: tuple[float, float], goal: Goal, notes: Sequence[str] = ()) -> Row:
    (what, against, unit), (ours, theirs) = words, sides
    return Row(
        what=what,
        against=against,
        unit=unit,
        ours=ours,
        theirs=theirs,
        ratio=ours / theirs,
        goal=goal,
        rounds=1,
        each_round=(round(ours / theirs, 2),),
        notes=tuple(notes),
    )
