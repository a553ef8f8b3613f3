"""A list of studies that somebody else keeps: CSV, XLSX or Parquet, by study UID or accession number.

The columns are found by their headings, or one is chosen by name. A line that names no study is
kept with its number and the reason, never dropped silently.
"""

from __future__ import annotations

import csv
import importlib
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from migrate.errors import UsageError

STUDY, SERIES, INSTANCE, ACCESSION = "study_instance_uid", "series_instance_uid", "sop_instance_uid", "accession_number"
#: Column -> headings that mean it, letters and digits only.
HEADINGS = {
    STUDY: ("studyinstanceuid", "studyuid", "studyiuid", "0020000d", "uid"),
    SERIES: ("seriesinstanceuid", "seriesuid", "seriesiuid", "0020000e"),
    INSTANCE: ("sopinstanceuid", "sopuid", "sopiuid", "instanceuid", "objectuid", "00080018"),
    ACCESSION: ("accessionnumber", "accessionno", "accession", "accno", "acc", "00080050"),
}
_UID = re.compile(r"[0-9][0-9.]{0,63}")
_LONGEST_ACCESSION = 64
_FIRST_LINE = 2


@dataclass(frozen=True, slots=True)
class ListRow:
    """One line: its number in the file, the column that names something, and the name."""

    line: int
    column: str
    value: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyList:
    """What a list names. `invalid` holds (line, why)."""

    name: str
    rows: tuple[ListRow, ...]
    invalid: tuple[tuple[int, str], ...] = ()

    def values(self, column: str) -> set[str]:
        """Everything that one column names."""
        return {row.value for row in self.rows if row.column == column}


def read_list(path: Path, column: str = "", columns: Sequence[str] = (STUDY, ACCESSION)) -> StudyList:
    """Read a list.

    Args:
        path: A file that ends in .csv, .tsv, .txt, .xlsx or .parquet.
        column: The heading to use; "" finds the columns by `HEADINGS`.
        columns: What the list may name, the first one that a line has a value for counts.

    Raises:
        UsageError: The file cannot be read, or no column names studies.
    """
    table = _table(path)
    heads = [str(head or "").strip() for head in next(table, [])]
    places = _places(heads, column, columns)
    if not places:
        hint = f"name the column with --column; headings are: {', '.join(filter(None, heads)) or 'none'}"
        raise UsageError("the list has no column of study UIDs or accession numbers", hint, file=path.name)
    rows: list[ListRow] = []
    invalid: list[tuple[int, str]] = []
    for line, cells in enumerate(table, start=_FIRST_LINE):
        named = _named(cells, places)
        if isinstance(named, str):
            invalid.append((line, named))
        elif named is not None:
            rows.append(ListRow(line, *named))
    return StudyList(name=path.name, rows=tuple(rows), invalid=tuple(invalid))


def _places(heads: Sequence[str], column: str, columns: Sequence[str]) -> list[tuple[int, str | None]]:
    """(place in a line, what it names), in the order in which they count; None: its value tells."""
    plain = [re.sub(r"[^a-z0-9]", "", head.lower()) for head in heads]
    if column:
        wanted = [place for place, head in enumerate(heads) if head.lower() == column.strip().lower()]
        return [(place, _meaning(plain[place], columns)) for place in wanted[:1]]
    known = [(plain.index(word), name) for name in columns for word in HEADINGS[name] if word in plain]
    first: dict[str, int] = {}
    for place, name in known:
        first.setdefault(name, place)
    return [(place, name) for name, place in first.items()]


def _meaning(head: str, columns: Sequence[str]) -> str | None:
    return next((name for name in columns if head in HEADINGS[name]), None)


def _named(cells: Sequence[Any], places: Sequence[tuple[int, str | None]]) -> tuple[str, str] | str | None:
    """(column, value) that a line names; a sentence when it names nothing; None for an empty line."""
    if not any(_text(cell) for cell in cells):
        return None
    for place, name in places:
        value = _text(cells[place]) if place < len(cells) else ""
        if value:
            column = name or (STUDY if "." in value and _UID.fullmatch(value) else ACCESSION)
            return _wrong(column, value) or (column, value)
    return "names no study"


def _wrong(column: str, value: str) -> str | None:
    if column != ACCESSION:
        return None if _UID.fullmatch(value) and "." in value else "not a UID"
    if len(value) > _LONGEST_ACCESSION or any(letter in "*?\\" or letter < " " for letter in value):
        return "not an accession number"
    return None


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))  # spreadsheets make numbers of accession numbers
    return str(cell).strip(" \0\t\r\n'")


def _table(path: Path) -> Iterator[Sequence[Any]]:
    """The lines of a file, the heading first."""
    kinds = {".parquet": _parquet, ".xlsx": _xlsx, ".csv": _csv, ".tsv": _csv, ".txt": _csv}
    read = kinds.get(path.suffix.lower())
    if read is None:
        raise UsageError("the list is of no kind that can be read", f"allowed: {' '.join(kinds)}", file=path.name)
    try:
        yield from read(path)
    except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowException, zipfile.BadZipFile, KeyError) as error:
        hint = "check the name and save it again as CSV in UTF-8"
        raise UsageError("the list cannot be read", hint, file=path.name, reason=type(error).__name__) from None


def _csv(path: Path) -> Iterator[Sequence[Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        start = file.read(4096)
        file.seek(0)
        separator = max("\t;,|", key=start.partition("\n")[0].count)
        yield from csv.reader(file, delimiter=separator)


def _parquet(path: Path) -> Iterator[Sequence[Any]]:
    with pq.ParquetFile(path) as file:
        yield file.schema_arrow.names
        for batch in file.iter_batches(use_threads=False):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _xlsx(path: Path) -> Iterator[Sequence[Any]]:
    try:
        openpyxl = importlib.import_module("openpyxl")
    except ImportError:
        hint = "install openpyxl, or save the list as CSV"
        raise UsageError("XLSX cannot be read here", hint, file=path.name) from None
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        sheet: Iterable[Sequence[Any]] = book.worksheets[0].iter_rows(values_only=True)
        yield from sheet
    finally:
        book.close()
