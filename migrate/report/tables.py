"""The report's tables as files: CSV, JSON, Parquet, and one XLSX workbook.

A cell never holds a formula: spreadsheets run text that starts with `=`, `+`, `-`, `@`, tab or
carriage return, so CSV cells get an apostrophe in front and XLSX cells are written as text.
"""

from __future__ import annotations

import contextlib
import csv
import importlib
import io
import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from migrate.errors import LocalError
from migrate.report.blocks import Column, Section, Table
from migrate.report.plain import cell, shown

_SHEET_NAME = 31  # Excel's limit
_SHEET_ROWS = 1_048_576  # Excel's limit, the heading and the line that says what is missing included
_NUMBER_FORMATS = {
    "count": "#,##0",
    "amount": "#,##0",
    "bytes": "#,##0",
    "days": "#,##0",
    "share": "0.00%",
    "year": "0",
}


def write_csv(path: Path, rows: Iterable[Mapping[str, object]], heads: Sequence[str] = ()) -> Path:
    """Rows as CSV with a header (RFC 4180, UTF-8 with a byte order mark so that Excel reads accents).

    Without `heads` the first row names the columns.

    Raises:
        LocalError: The file cannot be written.
    """
    found = list(rows)
    heads = heads or (list(found[0]) if found else [])
    return write_text(path, _csv(heads, ([row[name] for name in heads] for row in found)))


def write_tables(folder: Path, sections: Sequence[Section]) -> list[Path]:
    """Each table of the report as `<key>.csv`, `<key>.json` and `<key>.parquet`, all of them in `tables.xlsx`.

    The workbook needs the package xlsxwriter (extra `report`) and is left out without it.

    Raises:
        LocalError: A file cannot be written.
    """
    tables = [table for section in sections for table in section.tables()]
    written = []
    for table in tables:
        heads = [column.key for column in table.columns]
        written.append(write_text(folder / f"{table.key}.csv", _csv(heads, table.rows)))
        rows = [dict(zip(heads, row, strict=True)) for row in table.rows]
        written.append(write_text(folder / f"{table.key}.json", json.dumps(rows, ensure_ascii=False, indent=1) + "\n"))
        written.append(write_bytes(folder / f"{table.key}.parquet", _parquet(table)))
    workbook = write_workbook(folder / "tables.xlsx", tables)
    return [*written, *([workbook] if workbook else [])]


def _csv(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_MINIMAL, lineterminator="\r\n")
    writer.writerow(heads)
    writer.writerows([_plain(value) for value in row] for row in rows)
    return "\ufeff" + text.getvalue()


def _plain(value: object) -> object:
    return value if isinstance(value, int | float) else cell(value)


def write_text(path: Path, text: str) -> Path:
    """Write a file, whole or not at all: readers may look while a report is made.

    Raises:
        LocalError: The file cannot be written.
    """
    return write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes | memoryview | pa.Buffer) -> Path:
    """The same for bytes.

    Raises:
        LocalError: The file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):  # the disk may be full: half a file goes
            temporary.unlink(missing_ok=True)
        raise _cannot_write(path, error) from None
    return path


def _cannot_write(path: Path, error: Exception) -> LocalError:
    """With what the system said, which xlsxwriter wraps."""
    said = error.args[0] if error.args and isinstance(error.args[0], OSError) else error
    hint = "check free space and permissions, also of the folder for temporary files"
    reason = getattr(said, "strerror", None) or type(said).__name__
    return LocalError("a report cannot be written", hint, file=path.name, reason=reason)


def _parquet(table: Table) -> pa.Buffer:
    """Numbers as numbers, everything else as text as it came; a table without rows has its columns."""
    arrays = [_array([row[place] for row in table.rows], column) for place, column in enumerate(table.columns)]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(arrays, names=[column.key for column in table.columns]), sink, compression="zstd")
    return sink.getvalue()


def _array(values: Sequence[object], column: Column) -> pa.Array:
    if column.numeric and all(value is None or isinstance(value, int | float) for value in values):
        return pa.array(values, pa.float64() if column.kind == "share" else pa.int64())
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def write_workbook(path: Path, tables: Sequence[Table]) -> Path | None:
    """One sheet for each table, with types and filters; None without the package xlsxwriter.

    Raises:
        LocalError: The file cannot be written.
    """
    try:
        xlsxwriter = importlib.import_module("xlsxwriter")
    except ImportError:
        return None
    content = io.BytesIO()
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    try:
        with (
            tempfile.TemporaryDirectory(prefix="migrate-") as scratch,
            xlsxwriter.Workbook(content, {**options, "tmpdir": scratch}) as book,
        ):
            for table in tables:
                _write_sheet(book, table)
    except (OSError, xlsxwriter.exceptions.XlsxWriterException) as error:
        raise _cannot_write(path, error) from None
    return write_bytes(path, content.getbuffer())


def _write_sheet(book: Any, table: Table) -> None:
    sheet = book.add_worksheet(table.key[:_SHEET_NAME])
    bold = book.add_format({"bold": True, "bottom": 1})
    formats = [
        book.add_format({"num_format": _NUMBER_FORMATS.get(c.kind, "#,##0")}) if c.numeric else None
        for c in table.columns
    ]
    for place, column in enumerate(table.columns):
        sheet.set_column(place, place, _width(column))
        sheet.write_string(0, place, column.label, bold)
    rows, left = table.rows[: _SHEET_ROWS - 2], max(0, len(table.rows) - _SHEET_ROWS + 2)
    if left:
        sheet.write_string(_SHEET_ROWS - 1, 0, f"… +{left:,}: {table.key}.csv")
    for number, row in enumerate(rows, 1):
        for place, value in enumerate(row):
            if isinstance(value, int | float):
                sheet.write_number(number, place, value, formats[place])
            else:
                sheet.write_string(number, place, shown(value))
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, max(len(rows), 1), max(len(table.columns) - 1, 0))


def _width(column: Column) -> int:
    return {"study": 44, "uid": 44, "text": 28, "code": 24}.get(column.kind, 14)
