"""What the decided windows prove: closed or not, and which windows keep it open."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import islice

from migrate.journal.windows import WindowRow
from migrate.stages.crawl.confirm import Expectations, time_cut_days
from migrate.stages.crawl.nodes import from_json
from migrate.stages.crawl.windows import ACCESSION, DATE, PATIENT, shown_ends, shown_id

COVERED = "covered"
_AXIS_CODES = {DATE: 0, PATIENT: 1, ACCESSION: 2}
_STATES = {"open": "open", "rest": "open", "failed": "open", "leaf": "leaf"}
_ROWS_PER_BATCH = 5_000
_MOST_NAMED = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificate:
    """The axes that are closed, those that were begun, and the windows that are not.

    `universal`: the query without any key was answered whole; that alone proves everything that the
    peer shows at all. `axis_of_window` maps a window's ordinal to its axis (0 date, 1 patient,
    2 accession) when its own answer was whole, else -1.
    """

    windows: int
    capped: int
    axes: frozenset[str]
    swept: frozenset[str]
    universal: bool
    open_windows: tuple[str, ...]
    axis_of_window: list[int]
    days_cut_by_time: frozenset[date]

    @property
    def expectations(self) -> Expectations:
        """Which axis must have shown which study."""
        return Expectations(axes=self.axes, time_cut_days=self.days_cut_by_time)

    def closed(self, *, whole: bool) -> bool:
        """Whether nothing can have been missed, as far as windows can say.

        Every axis that was begun must be closed: a further axis is only begun where the ones before it
        may all be blind to the same study.
        """
        if not whole:
            return DATE in self.axes
        return self.universal or (self.axes == self.swept and self.axes >= {DATE, PATIENT})


def certify(windows: Callable[[], Iterable[WindowRow]]) -> Certificate:
    """Read the certificate from the windows of a crawl, which are streamed, again where some are open."""
    codes, roots, left = [-1], dict.fromkeys(_AXIS_CODES, True), []
    swept, universal, count, capped = set(), False, 0, 0
    cut_by_time: set[date] = set()
    for row in windows():
        axis = axis_of(row)
        codes.extend([-1] * (row.ordinal + 1 - len(codes)))
        count, capped = count + 1, capped + row.capped
        cut_by_time |= time_cut_days((row,))
        if row.proven:
            codes[row.ordinal] = _AXIS_CODES[axis]
        if not row.closed:
            left.append(row)
        if row.parent is None:
            roots[axis] = roots[axis] and row.closed
        if row.parent is None and "=" not in row.window_id:
            swept.add(axis)
            universal = universal or (axis == PATIENT and row.proven)
    return Certificate(
        windows=count,
        capped=capped,
        axes=frozenset(axis for axis in swept if roots[axis]),
        swept=frozenset(swept),
        universal=universal,
        open_windows=() if universal else _named(left, _inside_closed(left, windows)),
        axis_of_window=codes,
        days_cut_by_time=frozenset(cut_by_time),
    )


def covered_windows(windows: Callable[[], Iterable[WindowRow]], *, universal: bool) -> frozenset[int]:
    """The ordinals of windows that are not closed and need not be.

    A window around them is closed all the same, by another key; or the question without any key was
    answered whole (`universal`).
    """
    left = [row for row in windows() if not row.closed]
    return frozenset(row.ordinal for row in left) if universal else _inside_closed(left, windows)


def _inside_closed(left: list[WindowRow], windows: Callable[[], Iterable[WindowRow]]) -> frozenset[int]:
    around = {row.parent for row in left}
    closed = {row.window_id for row in windows() if row.closed and row.window_id in around} if left else set()
    found = set()
    for row in left:  # a window was made before its pieces
        if row.parent in closed:
            closed.add(row.window_id)
            found.add(row.ordinal)
    return frozenset(found)


def axis_of(row: WindowRow) -> str:
    """The axis, from the window's name."""
    return row.window_id.partition(":")[0]


def _named(left: list[WindowRow], covered: frozenset[int]) -> tuple[str, ...]:
    """The windows that keep others open: open themselves, and not because of a piece."""
    rows = [row for row in left if row.ordinal not in covered]
    parents = {row.parent for row in rows if row.parent != row.window_id}
    named = (row for row in rows if row.window_id not in parents)
    return tuple(f"{shown_name(row)} ({row.why or 'not asked'})" for row in islice(named, _MOST_NAMED))


def shown_name(row: WindowRow) -> str:
    """The unique name of a window for people; a number tells apart what looks the same when masked."""
    if "=" not in row.window_id:
        return row.window_id
    shown = shown_id(from_json(row.query))
    return shown if shown == row.window_id else f"{shown}#{row.ordinal}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Fates:
    """What the crawl as a whole says of single windows, by ordinal.

    `covered` are not closed themselves and lie in one that is; `contradicted` are closed, and a second
    look says why they cannot be.
    """

    covered: Collection[int] = ()
    contradicted: Mapping[int, str] = field(default_factory=dict)

    def verdict(self, row: WindowRow) -> dict[str, object]:
        """The columns that say whether the window is closed."""
        if row.ordinal in self.contradicted:
            return {"closed": False, "state": "open", "why": f"{row.why}; but {self.contradicted[row.ordinal]}"}
        if row.ordinal in self.covered:
            return {"closed": True, "state": COVERED, "why": f"{row.why}; it lies in a window that is closed"}
        return {"closed": row.closed, "state": _STATES.get(row.state, "split"), "why": row.why}


def window_columns(rows: Iterable[WindowRow], fates: Fates, **of_all: str) -> Iterator[dict[str, list[object]]]:
    """The windows as columns of the table `windows`, identifiers masked; `of_all` are columns of one value."""
    names: dict[str, str] = {}
    lines = (_window_line(row, names) | fates.verdict(row) | of_all for row in rows)
    while batch := list(islice(lines, _ROWS_PER_BATCH)):
        yield {name: [line[name] for line in batch] for name in batch[0]}


def _window_line(row: WindowRow, names: dict[str, str]) -> dict[str, object]:
    name = shown_name(row)
    if name != row.window_id and row.state not in ("leaf", "open"):
        names[row.window_id] = name
    window = from_json(row.query)
    first, last = shown_ends(window)
    return {
        "window_id": name,
        "parent_id": names.get(row.parent, row.parent) if row.parent else None,
        "axis": window.axis,
        "from": first,
        "to": last,
        "level": "STUDY",
        "status": f"{row.status:04X}" if row.status is not None else None,
        "matches": row.matches,
        "capped": row.capped,
        "attempts": row.attempts,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
    }
