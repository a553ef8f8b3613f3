"""`migrate crawl`: find every study the source holds, and prove that it is all; or what has changed since."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from migrate.cli.app import Session, app
from migrate.cli.bars import Bars
from migrate.errors import UsageError

NOT_CLOSED = 5
CHANGED = 4
MOST_SHOWN = 20
LEVELS = ("STUDY", "SERIES", "IMAGE")


@app.command()
def crawl(
    ctx: typer.Context,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First study date.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last study date.")] = None,
    level: Annotated[str, typer.Option(help="STUDY, SERIES or IMAGE; default: crawl.level.")] = "",
    delta: Annotated[bool, typer.Option("--delta", help="What has changed since the last crawl?")] = False,
    days: Annotated[int, typer.Option(help="With --delta: list studies of so many last days again.", min=0)] = 30,
    thorough: Annotated[bool, typer.Option("--thorough", help="With --delta: list every study again.")] = False,
    against: Annotated[
        Path | None, typer.Option(help="A list of studies that should be there: .csv, .xlsx or .parquet.")
    ] = None,
    column: Annotated[str, typer.Option(help="With --against: the heading of its column.")] = "",
) -> None:
    """Find every study by C-FIND, down to single instances, and say whether that is all.

    With --delta the exit code is 4 while the source changes: plan and run, then crawl --delta again.
    """
    from migrate.cli.interrupts import stop_on_signals
    from migrate.engine.crawling import CrawlOrder, run_crawl

    session: Session = ctx.obj
    if level and level not in LEVELS:
        raise UsageError(f"no such level: {level}", f"allowed: {', '.join(LEVELS)}")
    if thorough and not delta:
        raise UsageError("--thorough goes with --delta", "a crawl without --delta lists every study")
    from migrate.manifest.study_list import read_list

    named = read_list(against, column) if against else None
    with Bars(quiet=session.quiet) as bars, stop_on_signals() as stopping:
        order = CrawlOrder(
            run_folder=session.folder(),
            config=session.config(),
            first=first.date() if first else None,
            last=last.date() if last else None,
            level=level or None,
            delta_days=days if delta else None,
            thorough=thorough,
            against=named,
        )
        found = run_crawl(order, Watch(bars), stopping)
    session.result(_json(found))
    for line in _lines(found):
        session.tell(line)
    if not found.closed:
        raise typer.Exit(NOT_CLOSED)
    if found.delta and not found.delta.fixed_point:
        raise typer.Exit(CHANGED)


class Watch:
    """Turns the crawl's progress into bars."""

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self.counts: dict[str, int] = {}

    def __call__(self, progress: Any) -> None:
        """Where the crawl stands now."""
        self._to("windows", progress.windows, None, "window")
        if progress.studies is not None:
            self._to("listed", progress.listed_studies, progress.studies, "study")

    def _to(self, name: str, count: int, total: int | None, unit: str) -> None:
        if name not in self.counts:
            self.counts[name] = 0
            self.bars.add(name, total, unit)
        step = count - self.counts[name]
        if step > 0:
            self.counts[name] = count
            self.bars.step(name, step)


def _json(found: Any) -> dict[str, Any]:
    estimate = found.estimated_undiscovered
    names = ("crawl_id", "closed", "windows", "capped_windows", "studies", "series", "instances", "undated_studies")
    return {
        **{name: getattr(found, name) for name in names},
        "estimated_undiscovered": asdict(estimate) if estimate else None,
        "open_windows": list(found.open_windows),
        "doubts": list(found.doubts),
        "defects": dict(found.defects),
        "sins": dict(found.sins),
        "delta": asdict(found.delta) if found.delta else None,
        "against": _against(found.against) if found.against else None,
    }


def _against(found: Any) -> dict[str, Any]:
    rows = [{"line": line, "why": why} for line, why in found.invalid_rows]
    return {**asdict(found), "invalid_rows": rows}


def _lines(found: Any) -> list[str]:
    lines = [
        f"found {found.studies:,} studies, {found.series:,} series, {found.instances:,} instances",
        f"without a study date: {found.undated_studies:,} studies",
        f"asked {found.windows:,} windows, {found.capped_windows:,} of them cut short by the source and split",
    ]
    if estimate := found.estimated_undiscovered:
        lines.append(
            f"estimated still undiscovered: {estimate.estimate:.1f} (95 %: {estimate.low:.1f} to {estimate.high:.1f})"
        )
    lines += [f"{count:,} x {name}" for name, count in sorted(found.defects.items())]
    lines += [f"answers of the source: {count:,} x {sin}" for sin, count in sorted(found.sins.items())]
    lines += [*_delta_lines(found.delta), *_list_lines(found.against)]
    if found.closed:
        return [*lines, f"closed: every window is proven{', or lies in one that is' if found.covered_windows else ''}"]
    lines += [f"doubt: {doubt}" for doubt in found.doubts]
    lines += [f"open: {window}" for window in found.open_windows[:20]]
    return [*lines, "not closed: something may be missing; run it again, or compare with a list from the RIS"]


def _delta_lines(delta: Any) -> list[str]:
    if delta is None:
        return []
    lines = [f"round {delta.round}: {delta.listed_again:,} studies listed again"]
    lines += [f"{kind}: {count:,} studies" for kind, count in sorted(delta.kinds.items())]
    if delta.fixed_point:
        return [*lines, "nothing has changed since the last crawl"]
    return [*lines, "next: migrate plan, migrate run, then migrate crawl --delta until nothing changes"]


def _list_lines(against: Any) -> list[str]:
    if against is None:
        return []
    estimate = against.estimate
    return [
        f"{against.name}: {against.rows:,} lines, {against.found_by_crawl:,} studies found by the crawl",
        f"{against.added:,} more when asked for alone, {against.missing:,} lines without an answer (list_missing)",
        *(f"line {line}: {why}" for line, why in against.invalid_rows[:MOST_SHOWN]),
        f"named by neither: {estimate.estimate:.1f} (95 %: {estimate.low:.1f} to {estimate.high:.1f})",
    ]
