"""CSV, JSON and XLSX: the same rows, and no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrate.errors import LocalError
from migrate.report.plain import cell, shown
from migrate.report.tables import write_csv
from tests.report.conftest import Reported
from tests.report.example import NASTY

FORMULAS = ["=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("x")']


@pytest.mark.parametrize("text", FORMULAS)
def test_a_csv_cell_is_never_a_formula(text: str, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", [{"a": text, "n": -5}])
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["a", "n"]
    assert rows[1][0].startswith("'")
    assert rows[1][1] == "-5"


@given(st.text(max_size=40))
def test_whatever_the_text_a_cell_neither_starts_a_formula_nor_hides_a_character(text: str) -> None:
    written = cell(text)
    assert not written.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert not set(written) & set("\x00\t\r\n\x1b\u202e\u2066\u200f\u2028\ufeff")


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "Zs"]), max_size=40))
def test_ordinary_text_is_shown_as_it_is(text: str) -> None:
    assert shown(text) == text


def test_a_csv_row_stays_one_line(reported: Reported) -> None:
    lines = (reported.folder / "reports" / "balance.csv").read_bytes().split(b"\r\n")
    assert len(lines) - 2 == len(reported.page.tables["balance"])


def test_the_workbook_holds_the_rows_of_every_table_as_values(reported: Reported) -> None:
    book = openpyxl.load_workbook(reported.folder / "reports" / "tables.xlsx")
    for key in ("balance", "exceptions", "held"):
        rows = [["" if v is None else v for v in row] for row in book[key].iter_rows(min_row=2, values_only=True)]
        assert rows == reported.page.tables[key]
        assert book[key].freeze_panes == "A2"
        assert book[key].auto_filter.ref
    kinds = {found.data_type for sheet in book for row in sheet.iter_rows() for found in row}
    assert "f" not in kinds
    assert shown(NASTY) in [found.value for found in book["facilities"]["A"]]


def test_the_json_holds_the_rows_of_the_page(reported: Reported) -> None:
    rows = json.loads((reported.folder / "reports" / "exceptions.json").read_text(encoding="utf-8"))
    assert [row["study"] for row in rows] == [row[1] for row in reported.page.tables["exceptions"]]


def test_the_parquet_files_hold_the_rows_of_the_page_as_what_they_are(reported: Reported) -> None:
    for key in ("balance", "exceptions", "held", "totals", "facilities"):
        table = pq.read_table(reported.folder / "reports" / f"{key}.parquet")
        kinds = {str(field.type) for field in table.schema}
        assert kinds <= {"string", "int64", "double"}
        assert "int64" in kinds, key
        rows = [list(row.values()) for row in table.to_pylist()]
        assert [[shown(value) for value in row] for row in rows] == [
            [shown(value) for value in row] for row in reported.page.tables[key]
        ]


def test_every_table_of_the_page_is_a_file_of_each_kind(reported: Reported) -> None:
    names = {path.name for path in reported.files}
    for kind in ("csv", "json", "parquet"):
        assert {f"{key}.{kind}" for key in reported.page.tables} <= names


def test_a_folder_that_cannot_be_written_is_a_local_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalError, match="cannot be written"):
        write_csv(tmp_path / "file" / "x.csv", [{"a": 1}])
