"""The pictures of the report: which numbers, in which order, with which words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from migrate.report import figures, plots
from migrate.report.blocks import Bars, Cell, Chart, Column, Matrix, Table
from migrate.report.facts import BOOKS, LEVELS, Entry, Facts, summed
from migrate.report.texts import Words

COLOURED_MODALITIES = 7


def books_bars(facts: Facts, words: Words) -> Bars:
    """The four books at each level, each bar as wide as what the source holds."""
    bars = []
    for level in LEVELS:
        total = facts.total(level)
        parts = [(book, getattr(total, book)) for book in BOOKS]
        said = ", ".join(f"{words(f'book.{book}')} {written(value, level, words)}" for book, value in parts)
        label = words(f"level.{level}")
        value = written(total.source, level, words)
        bars.append((label, value, plots.split_bar(parts, total.source, f"{label}: {said}")))
    legend = [(book, words(f"book.{book}")) for book in BOOKS]
    return Bars(key="books", caption=words("summary.bars"), legend=legend, bars=bars)


def written(value: int, level: str, words: Words) -> str:
    """A number of the balance: bytes at level BYTES, a count elsewhere."""
    return figures.size(value, words.language) if level == "BYTES" else figures.count(value, words.language)


def year_matrix(facts: Facts, words: Words) -> Matrix | None:
    """The migrated share of the studies for each year and modality; None without studies."""
    cells: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for entry in facts.balance:
        if entry.level == "STUDY":
            cells[entry.year, entry.modality].append(entry)
    modalities = sorted({modality for _, modality in cells})
    rows = [
        (year or words("book.undated"), [_cell(cells.get((year, modality), ()), words) for modality in modalities])
        for year in newest_first({year for year, _ in cells})
    ]
    columns = [modality or words("book.unknown") for modality in modalities]
    caption = words("balance.matrix")
    return (
        Matrix(key="matrix", caption=caption, corner=words("word.year"), columns=columns, rows=rows) if rows else None
    )


def _cell(entries: Sequence[Entry], words: Words) -> Cell:
    total = summed(entries, "STUDY")
    if not total.source:
        return None, "", "heat-0"
    part = total.migrated / total.source
    return (
        part,
        f"{figures.count(total.migrated, words.language)}/{figures.count(total.source, words.language)}",
        f"heat-{int(part * 10)}" + (" failed" if total.failed else ""),
    )


def newest_first(years: set[str]) -> list[str]:
    """Years from the newest on; the undated at the end."""
    return sorted(years, key=lambda year: (bool(year), year), reverse=True)


def year_columns(facts: Facts, words: Words) -> Chart | None:
    """Studies by year, stacked by modality; the rare modalities together. None without dated studies."""
    counts: Counter[tuple[str, str]] = Counter()
    for entry in facts.balance:
        if entry.level == "STUDY":
            counts[entry.year, entry.modality] += entry.source
    years = _every_year([year for year, _ in counts if year])
    if not years:
        return None
    series = _by_modality(counts, years, words)
    caption = words("inventory.by_year")
    table = _as_table("by_year", (caption, words("word.year")), years, series)
    title = plots.Axes(title=caption, labels=years)
    return Chart(key="by_year", caption=caption, svg=plots.columns(title, series), table=table, legend=_legend(series))


def _every_year(years: Sequence[str]) -> list[str]:
    if not all(year.isdigit() for year in years):
        return sorted(set(years))
    return [f"{year:04}" for year in range(int(min(years)), int(max(years)) + 1)] if years else []


def _by_modality(counts: Counter[tuple[str, str]], years: Sequence[str], words: Words) -> list[tuple[str, list[int]]]:
    totals: Counter[str] = Counter()
    for (year, modality), studies in counts.items():
        totals[modality] += studies if year else 0
    ranked = sorted((m for m in totals if totals[m]), key=lambda m: (-totals[m], m))
    shown, others = ranked[:COLOURED_MODALITIES], ranked[COLOURED_MODALITIES:]
    series = [(m or words("book.unknown"), [counts[year, m] for year in years]) for m in shown]
    if others:
        series.append((words("inventory.others"), [sum(counts[year, m] for m in others) for year in years]))
    return series


def flow_lines(facts: Facts, words: Words) -> Chart | None:
    """What had been found, received, sent and verified by then; None before anything moved."""
    if not facts.flow:
        return None
    labels = [point.at for point in facts.flow]
    series = [
        (words("flow.found"), [point.found for point in facts.flow]),
        (words("flow.received"), [point.received for point in facts.flow]),
        (words("flow.uploaded"), [point.uploaded for point in facts.flow]),
        (words("flow.verified"), [point.verified for point in facts.flow]),
    ]
    caption = words("flow.chart")
    table = _as_table("flow", (caption, words("word.at")), labels, series)
    axes = plots.Axes(title=caption, labels=labels)
    return Chart(key="flow", caption=caption, svg=plots.lines(axes, series), table=table, legend=_legend(series))


def _legend(series: Sequence[tuple[str, Sequence[int]]]) -> list[tuple[str, str]]:
    return [(f"s{index % plots.SERIES_CLASSES}", name) for index, (name, _) in enumerate(series)]


def _as_table(
    key: str, words: tuple[str, str], labels: Sequence[str], series: Sequence[tuple[str, Sequence[int]]]
) -> Table:
    caption, corner = words
    columns = [Column(key="at", label=corner), *(Column(key=name, label=name, kind="count") for name, _ in series)]
    rows = [(label, *(values[i] for _, values in series)) for i, label in enumerate(labels)]
    return Table(key=key, caption=caption, columns=columns, rows=rows)
