"""Pictures as inline SVG: no library, no network, no inline style (the page's policy forbids it).

Colours are classes of the page's style sheet, so that they follow light, dark and paper. Every
mark has a `<title>` that says its value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from migrate.report.plain import shown

_BAR = Markup(
    '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="{}">'
    '<rect class="track" width="100" height="10"/>{}</svg>'
)
_PART = Markup('<rect class="{}" x="{:.2f}" width="{:.2f}" height="10"/>')
_PLOT = Markup('<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>')
_AREA = Markup('<polygon class="area s{}" points="{}"/>')
_LINE = Markup('<polyline class="line s{}" points="{}"><title>{}</title></polyline>')
_COLUMN = Markup('<rect class="s{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>')
_RULE = Markup('<line class="rule" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>')
_TICK = Markup('<text x="{}" y="{:.1f}" class="tick {}">{}</text>')

WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 34
SERIES_CLASSES = 8
LETTER = 6.5  # about as wide as a digit of a tick label


@dataclass(frozen=True, kw_only=True, slots=True)
class Axes:
    """The name of the picture, and the labels along x."""

    title: str
    labels: Sequence[str]


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
            marks.append(_PART.format(name, at, max(width, 0.4)))
        at += width
    return _BAR.format(shown(title), Markup("").join(marks))


def columns(axes: Axes, series: Sequence[tuple[str, Sequence[int]]]) -> Markup:
    """Stacked columns: one column for each label, one colour for each series.

    Args:
        axes: Labels along x.
        series: (name, one value for each label) from the bottom up.
    """
    totals = [sum(values[i] for _, values in series) for i in range(len(axes.labels))]
    top = ceiling(max(totals, default=0))
    step = (WIDTH - LEFT - RIGHT) / max(len(axes.labels), 1)
    marks = [_rules(top)]
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
    marks = [_rules(top)]
    for index, (name, values) in enumerate(series):
        points = [f"{LEFT + i * step:.1f},{_y(value, top):.1f}" for i, value in enumerate(values)]
        corners = [*points, f"{LEFT + (len(values) - 1) * step:.1f},{_y(0, top):.1f}", f"{LEFT},{_y(0, top):.1f}"]
        kind = index % SERIES_CLASSES
        marks.append(_AREA.format(kind, " ".join(corners)) + _LINE.format(kind, " ".join(points), shown(name)))
    marks.append(_x_labels(axes, step, centred=False))
    return _frame(axes.title, marks)


def ceiling(value: int) -> int:
    """The smallest 1, 2, 4, 5, 6 or 8 times a power of ten that is not below `value`; at least 1."""
    power: int = 10 ** (len(str(max(value, 1))) - 1)
    return next(step * power for step in (1, 2, 4, 5, 6, 8, 10) if step * power >= value)


def short(value: int) -> str:
    """A tick label: 1500 is 1.5k."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return str(value)


def _column(axes: Axes, place: tuple[int, float], amount: tuple[int, int, int], kind: tuple[int, str]) -> Markup:
    (i, step), (below, value, top), (index, name) = place, amount, kind
    high, low = _y(below + value, top), _y(below, top)
    gap = min(step * 0.18, 6)
    said = f"{axes.labels[i]} \u00b7 {name} \u00b7 {value}"
    x, width, height = LEFT + i * step + gap / 2, max(step - gap, 0.8), max(low - high, 0.5)
    return _COLUMN.format(index % SERIES_CLASSES, x, high, width, height, shown(said))


def _y(value: int, top: int) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top)


def _rules(top: int) -> Markup:
    steps = next(n for n in (4, 5, 3, 2, 1) if top % n == 0)
    marks = []
    for value in (top * i // steps for i in range(steps + 1)):
        y = _y(value, top)
        marks.append(_RULE.format(LEFT, WIDTH - RIGHT, y, y) + _TICK.format(LEFT - 8, y + 4, "end", short(value)))
    return Markup("").join(marks)


def _x_labels(axes: Axes, step: float, *, centred: bool = True) -> Markup:
    every = max(1, -(-len(axes.labels) // 12))
    last = len(axes.labels) - 1
    marks = []
    # At the edges a label begins or ends at its mark: its neighbour needs more room.
    tight = not centred and bool(axes.labels) and every * step < LETTER * 1.5 * len(axes.labels[0])
    for i in range(0, len(axes.labels), every):
        if tight and (i == every or last - every < i < last):
            continue
        anchor = "mid" if centred or 0 < i < last else ("start" if i == 0 else "end")
        x = round(LEFT + i * step + (step / 2 if centred else 0), 1)
        marks.append(_TICK.format(x, HEIGHT - BOTTOM + 18, anchor, shown(axes.labels[i])))
    return Markup("").join(marks)


def _frame(title: str, marks: Sequence[Markup]) -> Markup:
    return _PLOT.format(WIDTH, HEIGHT, shown(title), Markup("").join(marks))
