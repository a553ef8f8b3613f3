"""Pictures as inline SVG: no library, no network, no inline style (the page's policy forbids it).

Colours are classes of the page's style sheet, so that they follow light, dark and paper. Every
mark has a `<title>` that says its value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from migrate.report.plain import shown

WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 34
SERIES_CLASSES = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Axes:
    """Labels along x, the name of the picture, and how a value is written."""

    title: str
    labels: Sequence[str]
    written: Mapping[int, str]


def split_bar(parts: Sequence[tuple[str, int]], whole: int, title: str) -> Markup:
    """One horizontal bar cut into parts, as wide as its box.

    Args:
        parts: (colour class, amount) from left to right; amounts of 0 are left out.
        whole: What the full width stands for; 0 gives an empty bar.
        title: What a screen reader says.
    """
    marks, at = [], 0.0
    for name, amount in parts:
        width = 100 * amount / whole if whole else 0
        if width:
            # A part that exists must be seen, however small it is.
            marks.append(Markup('<rect class="{}" x="{:.2f}" width="{:.2f}" height="10"/>').format(name, at, max(width, 0.4)))
        at += width
    return Markup(
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<rect class="track" width="100" height="10"/>{}</svg>'
    ).format(shown(title), Markup("").join(marks))


def columns(axes: Axes, series: Sequence[tuple[str, Sequence[int]]]) -> Markup:
    """Stacked columns: one column for each label, one colour for each series.

    Args:
        axes: Labels along x.
        series: (name, one value for each label) from the bottom up.
    """
    totals = [sum(values[i] for _, values in series) for i in range(len(axes.labels))]
    top = ceiling(max(totals, default=0))
    step = (WIDTH - LEFT - RIGHT) / max(len(axes.labels), 1)
    marks = [_grid(top, axes)]
    below = [0] * len(axes.labels)
    for index, (name, values) in enumerate(series):
        for i, value in enumerate(values):
            if value:
                marks.append(_column(axes, (i, step), (below[i], value, top), (index, name)))
                below[i] += value
    marks.append(_x_labels(axes, step))
    return _frame(axes.title, marks)


def lines(axes: Axes, series: Sequence[tuple[str, Sequence[int]]]) -> Markup:
    """Cumulative flow: one filled line for each series, the first one behind the others."""
    top = ceiling(max((value for _, values in series for value in values), default=0))
    step = (WIDTH - LEFT - RIGHT) / max(len(axes.labels) - 1, 1)
    marks = [_grid(top, axes)]
    for index, (name, values) in enumerate(series):
        points = [f"{LEFT + i * step:.1f},{_y(value, top):.1f}" for i, value in enumerate(values)]
        base = f"{LEFT + (len(values) - 1) * step:.1f},{_y(0, top):.1f} {LEFT},{_y(0, top):.1f}"
        marks.append(
            Markup('<polygon class="area s{0}" points="{1} {2}"/><polyline class="line s{0}" points="{1}"><title>{3}</title></polyline>').format(
                index % SERIES_CLASSES, " ".join(points), base, shown(name)
            )
        )
    marks.append(_x_labels(axes, step, centred=False))
    return _frame(axes.title, marks)


def ceiling(value: int) -> int:
    """The smallest 1, 2, 4, 5, 6 or 8 times a power of ten that is not below `value`; at least 1."""
    power: int = 10 ** (len(str(max(value, 1))) - 1)
    return next(step * power for step in (1, 2, 4, 5, 6, 8, 10) if step * power >= value)


def _column(axes: Axes, place: tuple[int, float], amount: tuple[int, int, int], kind: tuple[int, str]) -> Markup:
    (i, step), (below, value, top), (index, name) = place, amount, kind
    high, low = _y(below + value, top), _y(below, top)
    gap = min(step * 0.18, 6)
    said = f"{axes.labels[i]} \u00b7 {name} \u00b7 {axes.written.get(value, value)}"
    return Markup('<rect class="s{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>').format(
        index % SERIES_CLASSES, LEFT + i * step + gap / 2, high, max(step - gap, 0.8), max(low - high, 0.5), shown(said)
    )


def _y(value: int, top: int) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top)


def _grid(top: int, axes: Axes) -> Markup:
    steps = next(n for n in (4, 5, 3, 2, 1) if top % n == 0)
    parts = [top * i // steps for i in range(steps + 1)]
    line = Markup('<line class="rule" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/><text x="{}" y="{:.1f}" class="tick end">{}</text>')
    return Markup("").join(
        line.format(LEFT, WIDTH - RIGHT, _y(v, top), _y(v, top), LEFT - 8, _y(v, top) + 4, axes.written.get(v, short(v))) for v in parts
    )


def short(value: int) -> str:
    """A tick label: 1500 is 1.5k."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return str(value)


def _x_labels(axes: Axes, step: float, *, centred: bool = True) -> Markup:
    every = max(1, -(-len(axes.labels) // 12))
    text = Markup('<text class="tick {}" x="{:.1f}" y="{}">{}</text>')
    last = len(axes.labels) - 1
    return Markup("").join(
        text.format(
            "mid" if centred or 0 < i < last else ("start" if i == 0 else "end"),
            LEFT + i * step + (step / 2 if centred else 0),
            HEIGHT - BOTTOM + 18,
            shown(label),
        )
        for i, label in enumerate(axes.labels)
        if i % every == 0
    )


def _frame(title: str, marks: Sequence[Markup]) -> Markup:
    return Markup('<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, shown(title), Markup("").join(marks)
    )
