"""What a migration leaves behind, and what of it is not as in an undisturbed run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.torture.far import Far
from migrate.checks.reconcile import Destination, ReconcileOptions, reconcile
from migrate.config import FILE_NAME, load
from migrate.engine.asking import ask_destination
from migrate.journal import read
from migrate.manifest.read import read_table
from tests.engine.command import Ended

#: Table -> columns that say when and how often, not what. What was found at the destination when
#: asked has no answer of its own, so of `uploads` only the instance and its content are compared.
TABLES: dict[str, frozenset[str]] = {
    "evidence": frozenset({"received_at", "attempt"}),
    "uploads": frozenset(
        {
            *("status", "warning", "error_comment", "sent_at", "attempt"),
            *("sent_transfer_syntax_uid", "sent_wire_xxh3", "dataset_xxh3"),
        }
    ),
    "verification": frozenset({"verified_at", "attempt"}),
    "changes": frozenset(),
    "identity_changes": frozenset(),
}


@dataclass(frozen=True, kw_only=True)
class EndState:
    """One end: everything that must be the same however it was reached."""

    states: dict[str, int]
    tables: dict[str, tuple[str, ...]]
    held: dict[str, str]
    stores: Counter[str]
    books: dict[str, Any]
    litter: tuple[str, ...]
    broken_link: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What is wrong with an end. `notes` say where to look."""

    lost: int = 0
    duplicated: int = 0
    differing: int = 0
    litter: int = 0
    manual: int = 0
    notes: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """Nothing at all."""
        return not (self.lost or self.duplicated or self.differing or self.litter or self.manual)


def end_state(run: Path, far: Far) -> EndState:
    """Read the run folder and ask the destination's own side."""
    return EndState(
        states=read.states(run),
        tables={name: _rows(run, name, ignored) for name, ignored in TABLES.items()},
        held=far.held(),
        stores=far.stores(),
        books=_books(run),
        litter=litter(run),
        broken_link=read.first_broken_link(run),
    )


def litter(run: Path) -> tuple[str, ...]:
    """Files that nothing needs any more: in the staging area, or half-written beside the tables."""
    staging = [path for path in (run / "staging").rglob("*") if path.is_file()]
    halves = [p for p in (run / "manifests").rglob("*") if p.is_file() and p.suffix != ".parquet"]
    return tuple(sorted(str(path.relative_to(run)) for path in (*staging, *halves)))


def judge(end: EndState, expected: EndState, ended: Ended) -> Verdict:
    """Compare an end with the undisturbed one."""
    notes: list[str] = []
    lost = sorted(expected.held.keys() - end.held.keys())
    differing = sorted(uid for uid, digest in end.held.items() if expected.held.get(uid) != digest)
    twice = sorted(uid for uid, count in end.stores.items() if count > 1)
    tables = [name for name, rows in expected.tables.items() if end.tables[name] != rows]
    wrong = [
        *(f"table {name}: {_difference(end.tables[name], expected.tables[name])}" for name in tables),
        *([f"states {end.states}"] if end.states != expected.states else ()),
        *([f"books {end.books}"] if end.books != expected.books else ()),
        *([f"chain broken at event {end.broken_link}"] if end.broken_link is not None else ()),
    ]
    if ended.code:
        notes.append(f"exit {ended.code}: {ended.stderr[-600:]}")
    notes += [f"lost {uid}" for uid in lost] + [f"stored twice {uid}" for uid in twice]
    notes += [f"other content {uid}" for uid in differing] + wrong
    return Verdict(
        lost=len(lost),
        duplicated=len(twice),
        differing=len(differing) + len(wrong),
        litter=len(end.litter),
        manual=int(ended.code != 0),
        notes=(*notes, *end.litter),
    )


def _difference(rows: tuple[str, ...], expected: tuple[str, ...]) -> str:
    here, there = Counter(rows), Counter(expected)
    return f"{len(rows)} rows for {len(expected)}; more {list(here - there)[:2]}; less {list(there - here)[:2]}"


def _rows(run: Path, table: str, ignored: frozenset[str]) -> tuple[str, ...]:
    """A table as a sorted bag of rows, so that a row that stands twice counts twice."""
    rows = read_table(run, table, None).to_pylist()
    return tuple(sorted(repr({k: v for k, v in row.items() if k not in ignored}) for row in rows))


def _books(run: Path) -> dict[str, Any]:
    """The balance, with the destination asked."""
    config = load(run / FILE_NAME)
    due = [row["study_instance_uid"] for row in read.study_states(run) if row["state"] == "VERIFIED"]
    held, again = ask_destination(run, config, due)
    destination = Destination(held=held, holds=again)
    return reconcile(run, config.run.source, ReconcileOptions(destination=destination)).to_json()
