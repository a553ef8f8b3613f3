"""The result as a page: one line for each harness, what was counted added up over every time it ran."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.torture.outcome import Fact, Outcome

Row = dict[str, Any]
COUNTED = ("tried", "migrations", "lost", "duplicated", "differing", "litter", "manual", "took_s")
HEAD = "| harness | pair | points | migrations | lost | duplicated | differing | litter | manual steps | seconds |"
INTRODUCTION = """# Torture

Every line: faults from outside (no fail point stands in the product), then the same command until it ends, then the
end compared with that of an undisturbed run: states, tables, books, what the destination holds byte for byte, how
often each instance was stored, what is left in the staging area. `points` counts faults that took effect. A harness
that ran more than once is added up; each time is listed with its date, commit and command. The seed makes the same
choices, the machine decides the moments.
"""


def keep(folder: Path, facts: Mapping[str, str], outcomes: Sequence[tuple[str, Outcome]]) -> Path:
    """Add to `torture.md` and `torture.json`; what the same run of a harness told before is replaced."""
    store = folder / "torture.json"
    known: dict[str, Row] = json.loads(store.read_text(encoding="utf-8")) if store.exists() else {}
    for pair, outcome in outcomes:
        name = f"{outcome.harness} / {pair}"
        row = known.get(name) if outcome.adds_up else None
        earlier = [one for one in row["times"] if one["on"] != facts] if row else []
        times = [*earlier, _time(facts, outcome)]
        known[name] = {"harness": outcome.harness, "pair": pair, "about": outcome.about, "times": times}
    page = folder / "torture.md"
    _replace(store, json.dumps(known, indent=1) + "\n")
    _replace(page, _page(list(known.values())))
    return page


def _replace(path: Path, text: str) -> None:
    """Whole or not at all: whoever counts for hours may be stopped at any time."""
    half = path.with_suffix(".half")
    half.write_text(text, encoding="utf-8")
    half.replace(path)


def _time(facts: Mapping[str, str], outcome: Outcome) -> Row:
    counted = {**asdict(outcome), "took_s": round(outcome.took_s())}
    return {**{name: counted[name] for name in (*COUNTED, "facts", "notes")}, "on": dict(facts)}


def _page(rows: Sequence[Row]) -> str:
    lines = [INTRODUCTION, HEAD, "|---|---|" + "--:|" * 8]
    lines += [_row(row) for row in rows]
    for row in rows:
        times: list[Row] = row["times"]
        lines += ["", f"## {row['harness']} ({row['pair']})", "", f"{row['about']}.", ""]
        lines += [f"- {name}: {_told(value)}" for name, value in added([one["facts"] for one in times]).items()]
        lines += [f"- {one['tried']} on: {', '.join(f'{k} {v}' for k, v in one['on'].items())}" for one in times]
        lines += [f"- **to look at**: {note}" for one in times for note in _notes(one["notes"])]
    return "\n".join((*lines, ""))


def added(times: Iterable[Mapping[str, Fact]]) -> dict[str, Fact]:
    """Facts of several times: counts are added, measures keep their largest, anything else its last."""
    found: dict[str, Fact] = {}
    for facts in times:
        for name, value in facts.items():
            before = found.get(name)
            if isinstance(value, int) and isinstance(before, int):
                found[name] = before + value
            elif isinstance(value, float) and isinstance(before, float):
                found[name] = max(before, value)
            else:
                found[name] = value
    return found


def _row(row: Row) -> str:
    sums = [str(sum(one[name] for one in row["times"])) for name in COUNTED]
    return "| " + " | ".join((row["harness"], row["pair"], *sums)) + " |"


def _told(value: Fact) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _notes(notes: Iterable[str]) -> list[str]:
    return [one.replace("\n", " ")[:400] for one in notes]
