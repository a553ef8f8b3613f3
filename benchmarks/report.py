"""`results.json` keeps the newest rows of each bench, `results.md` shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.rows import Row

INTRODUCTION = """# Measured against the peers

Written by `make bench` (parts: `make bench BENCH=receive,send`). Ratios are taken within one run: both
sides in turn (A B A B …), the ratio of the medians, the ratio of each round beside it. CPU seconds are the
kernel's, of the processes named; wall clock depends on what else the machine did. *must* and *aim* are
bounds on the ratio: `<=` is ours over theirs, `>=` how many times faster we are. A row of *a bare loop* has no
bound: it is the least that the same bytes cost in Python, with nothing checked, proven or made durable.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What one bench gave, with the facts of the machine when it ran."""

    name: str
    about: str
    facts: Mapping[str, str]
    rows: tuple[Row, ...]

    def to_mapping(self) -> dict[str, Any]:
        """Plain values for JSON."""
        rows = [row.to_mapping() for row in self.rows]
        return {"name": self.name, "about": self.about, "facts": dict(self.facts), "rows": rows}

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Result:
        """The inverse of `to_mapping`."""
        rows = tuple(Row.from_mapping(row) for row in values["rows"])
        return cls(name=values["name"], about=values["about"], facts=values["facts"], rows=rows)


def keep(folder: Path, fresh: Result, order: Sequence[str]) -> list[Result]:
    """Put a result in the place of the older one of its bench, and write both files."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    known = [Result.from_mapping(one) for one in json.loads(path.read_text(encoding="utf-8"))] if path.exists() else []
    by_name = {one.name: one for one in (*known, fresh)}
    results = [by_name[name] for name in order if name in by_name]
    path.write_text(json.dumps([one.to_mapping() for one in results], indent=1) + "\n", encoding="utf-8")
    (folder / "results.md").write_text("\n".join(_page(results)) + "\n", encoding="utf-8")
    return results


def _page(results: Sequence[Result]) -> Iterator[str]:
    yield INTRODUCTION
    yield "| what | against | unit | ours | theirs | ratio | must | aim | reached | rounds: ratio of each |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for result in results:
        yield from (_line(row) for row in result.rows)
    yield "\n## What else was counted, and what explains a miss\n"
    for result in results:
        yield from _section(result)


def _line(row: Row) -> str:
    sign = "<=" if row.goal.at_most else ">="
    must, aim = ("" if bound is None else f"{sign} {bound:g}" for bound in (row.goal.must, row.goal.aim))
    each = ", ".join(f"{ratio:g}" for ratio in row.each_round)
    cells = (row.what, row.against, row.unit, figure(row.ours), figure(row.theirs), f"**{row.ratio:.2f}**")
    return f"| {' | '.join((*cells, must, aim, row.verdict, f'{row.rounds}: {each}'))} |"


def figure(value: float) -> str:
    """Three digits that mean something."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _section(result: Result) -> Iterator[str]:
    yield f"### {result.name}\n\n{result.about}\n"
    yield "; ".join(f"{name} {value}" for name, value in result.facts.items()) + "\n"
    for row in result.rows:
        yield f"* **{row.what}** against {row.against}: {_counted(row)}."
        yield from (f"  * {note}" for note in row.notes)
        if row.profile:
            yield f"  * missed; on top of our stacks: {'; '.join(row.profile)}"
    yield ""


def _counted(row: Row) -> str:
    parts = [f"CPU of ours {row.our_cpu_s:.2f} s, of theirs {row.their_cpu_s:.2f} s"]
    if row.peer_cpu_s:
        parts.append(f"of the peer that both talked to {row.peer_cpu_s:.2f} s")
    if row.peak_mib:
        parts.append(f"our resident peak {row.peak_mib:.0f} MiB")
    return ", ".join(parts)
