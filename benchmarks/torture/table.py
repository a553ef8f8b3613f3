"""The result as a page: what was measured on, one line for each harness, the facts below."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.torture.outcome import Outcome

HEAD = "| harness | pair | points | migrations | lost | duplicated | differing | litter | manual steps | seconds |"
INTRODUCTION = """# Torture

Every line: faults from outside (no fail point stands in the product), then the same command until it ends, then the
end compared with that of an undisturbed run: states, tables, books, what the destination holds byte for byte, how
often each instance was stored, what is left in the staging area. `points` counts faults that took effect. The command
beside each harness repeats it; the seed makes the same choices, the machine decides the moments.
"""


def keep(folder: Path, facts: Mapping[str, str], outcomes: Sequence[tuple[str, Outcome]]) -> Path:
    """Write `torture.md` and `torture.json`; sections of harnesses that were not run now are kept."""
    store = folder / "torture.json"
    known: dict[str, dict[str, object]] = json.loads(store.read_text(encoding="utf-8")) if store.exists() else {}
    for pair, outcome in outcomes:
        row = {**asdict(outcome), "pair": pair, "took_s": round(outcome.took_s()), "on": dict(facts)}
        known[f"{outcome.harness} / {pair}"] = row
    store.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    page = folder / "torture.md"
    page.write_text(_page(list(known.values())), encoding="utf-8")
    return page


def _page(rows: Sequence[dict[str, object]]) -> str:
    lines = [INTRODUCTION, HEAD, "|---|---|" + "--:|" * 8]
    lines += [_row(row) for row in rows]
    for row in rows:
        lines += ["", f"## {row['harness']} ({row['pair']})", "", f"{row['about']}.", ""]
        lines += [f"- {name}: {value}" for name, value in _items(row["facts"])]
        lines += [f"- measured on: {', '.join(f'{k} {v}' for k, v in _items(row['on']))}"]
        lines += [f"- **to look at**: {note}" for note in _notes(row["notes"])]
    return "\n".join((*lines, ""))


def _row(row: Mapping[str, object]) -> str:
    names = ("harness", "pair", "tried", "migrations", "lost", "duplicated", "differing", "litter", "manual", "took_s")
    return "| " + " | ".join(str(row[name]) for name in names) + " |"


def _items(value: object) -> list[tuple[str, object]]:
    return list(value.items()) if isinstance(value, dict) else []


def _notes(value: object) -> list[str]:
    return [str(one).replace("\n", " ")[:400] for one in value] if isinstance(value, list) else []
