"""Chapters beside those of `sections`: when the run will end, and what the archive holds twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from migrate.report.blocks import Block, Figures, Prose, Section, Table
from migrate.report.draw import columns, figure, section, table
from migrate.report.facts import Facts
from migrate.report.texts import Words


def overlap(facts: Facts, words: Words) -> Section:
    """The same study in several sources, and exams that were repeated within some days."""
    found = facts.overlap
    items = [
        figure(words, "overlap.shared", sum(found.shared.values())),
        figure(words, "overlap.repeated", sum(found.repeated.values())),
    ]
    shared = columns(words, ("sources", "text"), ("studies", "count"))
    repeated = columns(words, ("modality", "text"), ("studies", "count"))
    lines = columns(words, ("study", "study"), ("earlier", "study"), ("modality", "text"), ("days", "days"))
    by_modality = [
        (name, found.repeated[name]) for name in sorted(found.repeated, key=lambda n: (-found.repeated[n], n))
    ]
    repeats = table(words, "repeats", lines, found.lines)
    return section(
        words,
        "overlap",
        Figures(items=items),
        Prose(lines=[words("overlap.meaning", days=found.days)]),
        table(words, "shared", shared, sorted(found.shared.items())),
        table(words, "repeated", repeated, by_modality),
        replace(repeats, more_rows=repeats.more_rows + found.more_lines),
    )


def run_sheet(facts: Facts, words: Words) -> Table:
    """What was moved on each day, and how long runs were held up, the newest first."""
    kinds = columns(words, ("instances_received", "count"), ("bytes", "bytes"))
    heads = [*columns(words, ("day", "date")), *kinds]
    heads += columns(words, ("instances_uploaded", "count"), ("instances_verified", "count"))
    heads += columns(words, ("minutes_closed", "count"), ("minutes_slowed", "count"))
    rows = [
        (d.day, d.received, d.size_bytes, d.uploaded, d.verified, round(d.closed_s / 60), round(d.slowed_s / 60))
        for d in facts.days
    ]
    return table(words, "days", heads, rows)


def forecast(facts: Facts, words: Words) -> Sequence[Block]:
    """When it ends, as a range, with what was assumed and the stage that holds it up; nothing without a forecast."""
    found = facts.forecast
    if found is None:
        return ()
    items = [
        replace(
            figure(words, "forecast.end", found.ends["p50"][:10], "date"),
            note=words("forecast.between", low=found.ends["p10"][:10], high=found.ends["p90"][:10]),
        ),
        figure(words, "forecast.left", found.studies),
        figure(words, "forecast.bottleneck", found.bottleneck, "code"),
    ]
    assumed = words(
        "forecast.assumed",
        hours=f"{found.open_hours_a_week:g}",
        source=found.source_associations,
        destination=found.destination_associations,
        studies=found.learnt_from,
        work=f"{found.work_hours:,.1f}",
    )
    heads = columns(words, ("stage", "code"), ("busy", "share"))
    busy = table(words, "busy", heads, list(found.busy.items()))
    return Figures(items=items), Prose(lines=[assumed]), busy
