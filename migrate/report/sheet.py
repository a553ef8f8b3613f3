"""The register as a spreadsheet that people edit: written as CSV or XLSX, read back as plain text.

What a spreadsheet program does to a file on the way is expected: another separator, another
encoding, dates and numbers with a type, columns in another order, empty rows at the end.
"""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import importlib
import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from migrate.errors import UsageError
from migrate.report.blocks import Column, Table
from migrate.report.tables import write_csv, write_workbook

KINDS = (".csv", ".xlsx")
MOST_ROWS = 1_000_000
_SEPARATORS = ";\t,"
_EXTRA = "pip install 'cdi-migrate[report]', or use a .csv file"


@dataclass(frozen=True, slots=True)
class Line:
    """One row as people see it: `number` counts from the heading, which is row 1."""

    number: int
    values: Mapping[str, str]


def write_sheet(path: Path, rows: Sequence[Mapping[str, object]], heads: Sequence[str]) -> Path:
    """Write rows under their headings.

    Raises:
        UsageError: Neither .csv nor .xlsx, or the package for .xlsx is missing.
        LocalError: The file cannot be written.
    """
    kind = _kind(path)
    if kind == ".csv":
        return write_csv(path, rows, heads)
    table = Table(
        key="register",
        caption="",
        columns=[Column(key=name, label=name) for name in heads],
        rows=[tuple(row[name] for name in heads) for row in rows],
    )
    written = write_workbook(path, [table])
    if written is None:
        raise UsageError("a .xlsx file needs the package xlsxwriter", _EXTRA, file=path.name)
    return written


def read_sheet(path: Path, needed: Sequence[str]) -> list[Line]:
    """The rows under the headings, as text without blanks around it; empty rows are left out.

    Raises:
        UsageError: No such file, no spreadsheet, a needed heading missing or one twice, over a million rows.
    """
    reader = csv_rows if _kind(path) == ".csv" else _xlsx_rows
    try:
        rows = reader(path)
        heads = [_text(value).lower() for value in next(rows, ())]
        _check_heads(heads, needed, path)
        return list(_lines(heads, rows, path))
    except OSError as error:
        raise UsageError("the sheet cannot be read", file=path.name, reason=error.strerror) from None


def _kind(path: Path) -> str:
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise UsageError("a sheet is a .csv or a .xlsx file", file=path.name)
    return kind


def _check_heads(heads: Sequence[str], needed: Sequence[str], path: Path) -> None:
    named = [head for head in heads if head]
    lacking = [name for name in needed if name not in named]
    if lacking:
        hint = "its first row holds the headings, as the export wrote them"
        raise UsageError(f"the sheet lacks the column {lacking[0]}", hint, file=path.name)
    if len(set(named)) < len(named):
        raise UsageError("a heading stands twice in the sheet", file=path.name)


def _lines(heads: Sequence[str], rows: Iterator[Sequence[object]], path: Path) -> Iterator[Line]:
    for number, row in enumerate(rows, 2):
        if number > MOST_ROWS:
            raise UsageError(f"the sheet has more than {MOST_ROWS:,} rows", file=path.name)
        values = {head: _text(value) for head, value in zip(heads, row, strict=False) if head}
        if any(values.values()):
            yield Line(number, values)


def csv_rows(path: Path) -> Iterator[Sequence[object]]:
    """The cells of a CSV file, whatever program wrote it: comma, semicolon or tab, UTF-8 or Windows-1252.

    Raises:
        UsageError: It is no CSV.
        OSError: It cannot be read.
    """
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")  # what Excel writes in Western Europe and Canada
    first = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=first.count)
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    except csv.Error as error:
        raise UsageError("the sheet is no CSV", file=path.name, reason=str(error)) from None


def _xlsx_rows(path: Path) -> Iterator[Sequence[object]]:
    try:
        openpyxl = importlib.import_module("openpyxl")
    except ImportError:
        raise UsageError("a .xlsx file needs the package openpyxl", _EXTRA, file=path.name) from None
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        with contextlib.closing(book):
            yield from book.worksheets[0].iter_rows(values_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, IndexError, SyntaxError) as error:
        raise UsageError("the sheet is no XLSX", file=path.name, reason=type(error).__name__) from None


def _text(value: object) -> str:
    """A cell as text: dates by their day, whole numbers without a point, our own apostrophe taken off."""
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return value.date().isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value).strip()
    return text[1:] if text[:1] == "'" and text[1:2] in tuple("=+-@") else text


def as_rows(rows: Iterable[Mapping[str, object]], heads: Sequence[str]) -> list[dict[str, object]]:
    """The same rows with these headings alone; what a row does not have is empty."""
    return [{name: "" if row.get(name) is None else row[name] for name in heads} for row in rows]
