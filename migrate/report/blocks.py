"""What a report section is made of: frozen values that the page, the tables and the tests read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from markupsafe import Markup

from migrate.report.figures import NUMERIC, Kind

Tone = Literal["good", "warn", "bad", "calm"]
Row = tuple[object, ...]
# Share, note below it, classes of the style sheet: heat-0 to heat-10, `failed` where something failed.
Cell = tuple[float | None, str, str]

PAGE_ROWS = 25
MAX_PAGE_ROWS = 50_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One number that a reader quotes. `key` names it in the page (`data-figure`)."""

    key: str
    label: str
    value: float | int | str | None
    kind: Kind = "count"
    note: str = ""
    tone: Tone = "calm"


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """A row of figures."""

    block: ClassVar[str] = "figures"
    items: Sequence[Figure]


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column: `kind` says how its values are written and sorted."""

    key: str
    label: str
    kind: Kind = "text"

    @property
    def numeric(self) -> bool:
        """Right-aligned, sorted by value."""
        return self.kind in NUMERIC


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows under named columns. More rows than a page holds are paged in the browser.

    `total_row` is shown under the rows and is no row itself. `empty` is what stands there when
    there are no rows. `rows` go into the files, as many as a page can hold into the page; `more_rows` counts
    rows that are in the run folder's tables alone. A `static` table neither sorts nor filters.
    """

    block: ClassVar[str] = "table"
    key: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    total_row: Row | None = None
    empty: str = ""
    more_rows: int = 0
    static: bool = False

    @property
    def level_column(self) -> int | None:
        """Where the rows say their level, for columns of kind `amount`."""
        return next((i for i, column in enumerate(self.columns) if column.kind == "level"), None)

    def kind_of(self, row: Row, column: Column) -> Kind:
        """How one value is written: an amount is bytes or a count, as the level of its row says."""
        if column.kind != "amount":
            return column.kind
        return "bytes" if self.level_column is not None and row[self.level_column] == "BYTES" else "count"

    @property
    def paged(self) -> bool:
        """Too long to be shown at once."""
        return not self.static and len(self.rows) > PAGE_ROWS

    @property
    def page_rows(self) -> Sequence[Row]:
        """What the page carries."""
        return self.rows[:MAX_PAGE_ROWS]

    @property
    def first_rows(self) -> Sequence[Row]:
        """What stands in the page before any script runs, and on paper."""
        return self.rows[:PAGE_ROWS] if self.paged else self.rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """An inline SVG picture, with the same numbers as a table for those who cannot see it."""

    block: ClassVar[str] = "chart"
    key: str
    caption: str
    svg: Markup
    table: Table
    legend: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Bars:
    """Horizontal bars, each with a label and a value; the legend is (colour class, name)."""

    block: ClassVar[str] = "bars"
    key: str
    caption: str
    legend: Sequence[tuple[str, str]]
    bars: Sequence[tuple[str, str, Markup]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Matrix:
    """A year by modality grid of shares; None where nothing was found."""

    block: ClassVar[str] = "matrix"
    key: str
    caption: str
    corner: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Prose:
    """Sentences; `tone` draws a coloured rule beside them."""

    block: ClassVar[str] = "prose"
    lines: Sequence[str]
    tone: Tone = "calm"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The one sentence at the top, and what speaks for or against it."""

    block: ClassVar[str] = "verdict"
    key: str
    tone: Tone
    title: str
    reasons: Sequence[tuple[Tone, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Signatures:
    """Lines to sign on paper."""

    block: ClassVar[str] = "signatures"
    declaration: str
    roles: Sequence[str]
    labels: Sequence[str]


Block = Figures | Table | Chart | Bars | Matrix | Prose | Verdict | Signatures


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """One chapter of the report."""

    key: str
    title: str
    lead: str
    blocks: Sequence[Block] = field(default=())

    def tables(self) -> list[Table]:
        """Every table of the section, also those behind charts."""
        return [b if isinstance(b, Table) else b.table for b in self.blocks if isinstance(b, Table | Chart)]
