"""The crawl certificate: what the crawl recorded, and its windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from migrate.journal.crawl_result import crawl_result
from migrate.report.facts import Axis, Crawl
from migrate.report.run import Run

Window = dict[str, Any]
OTHER_AXES = frozenset({"patient", "accession"})


def crawl_certificate(run: Run, totals: Mapping[str, int]) -> Crawl:
    """The latest crawl. Where the journal is not at hand (a copy of the manifests), its windows speak.

    Args:
        run: The run folder.
        totals: studies, series, instances, undated: counted from the tables.
    """
    windows, said = _windows(run), crawl_result(run.path) or {}
    estimate = said.get("estimated_undiscovered")
    left = [window for window in windows if not window["closed"]]
    return Crawl(
        axes=_axes(windows),
        open_windows=[(w["axis"], w["from"] or "", w["to"] or "", w["why"] or "", w["matches"]) for w in left],
        closed=bool(said.get("closed", closed_by_windows(windows))),
        started_at=min((w["started_at"] for w in windows if w["started_at"]), default=None),
        finished_at=max((w["finished_at"] for w in windows if w["finished_at"]), default=None),
        studies=totals["studies"],
        series=totals["series"],
        instances=totals["instances"],
        undated_studies=totals["undated"],
        doubts=tuple(said.get("doubts", ())),
        estimate=(estimate["estimate"], estimate["low"], estimate["high"]) if estimate else None,
    )


def closed_by_windows(windows: Sequence[Window]) -> bool:
    """Whether the windows alone prove that nothing was missed.

    One question without any key that was answered whole is enough; otherwise the whole date axis
    and a second axis, which finds studies without a date, must be closed.
    """
    roots = [window for window in windows if window["parent_id"] is None]
    if any(w["axis"] == "patient" and w["state"] == "leaf" and w["closed"] for w in roots):
        return True
    axes = {root["axis"] for root in roots}
    closed = {axis for axis in axes if all(root["closed"] for root in roots if root["axis"] == axis)}
    return "date" in closed and not closed.isdisjoint(OTHER_AXES)


def _windows(run: Run) -> list[Window]:
    table = run.table("windows")
    latest = max((crawl for crawl in table["crawl_id"].unique().to_pylist() if crawl), default=None)
    return [window for window in table.to_pylist() if window["crawl_id"] == latest]


def _axes(windows: Sequence[Window]) -> list[Axis]:
    axes = []
    for name in sorted({window["axis"] for window in windows}):
        found = [window for window in windows if window["axis"] == name]
        axes.append(
            Axis(
                axis=name,
                windows=len(found),
                closed=sum(bool(window["closed"]) for window in found),
                capped=sum(bool(window["capped"]) for window in found),
                matches=sum(window["matches"] or 0 for window in found if window["state"] != "split"),
            )
        )
    return axes
