"""`migrate crawl`: find every study the source holds, and prove that it is all."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from migrate.cli.app import Session, app
from migrate.cli.bars import Bars
from migrate.errors import UsageError

NOT_CLOSED = 5
LEVELS = ("STUDY", "SERIES", "IMAGE")


@app.command()
def crawl(
    ctx: typer.Context,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First study date.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last study date.")] = None,
    level: Annotated[str, typer.Option(help="STUDY, SERIES or IMAGE; default: crawl.level.")] = "",
) -> None:
    """Find every study by C-FIND, down to single instances, and say whether that is all."""
    from migrate.cli.interrupts import stop_on_signals
    from migrate.engine.crawling import CrawlOrder, run_crawl

    session: Session = ctx.obj
    if level and level not in LEVELS:
        raise UsageError(f"no such level: {level}", f"allowed: {', '.join(LEVELS)}")
    with Bars(quiet=session.quiet) as bars, stop_on_signals() as stopping:
        order = CrawlOrder(
            run_folder=session.folder(),
            config=session.config(),
            first=first.date() if first else None,
            last=last.date() if last else None,
            level=level or None,
        )
        found = run_crawl(order, Watch(bars), stopping)
    session.result(_json(found))
    for line in _lines(found):
        session.tell(line)
    if not found.closed:
        raise typer.Exit(NOT_CLOSED)


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
    }


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
    if found.closed:
        return [*lines, "closed: every window is proven"]
    lines += [f"doubt: {doubt}" for doubt in found.doubts]
    lines += [f"open: {window}" for window in found.open_windows[:20]]
    return [*lines, "not closed: something may be missing; run it again, or compare with a list from the RIS"]
