"""Lists of studies in whatever form the RIS gives them: what a line names, and which lines name nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrate.errors import UsageError
from migrate.manifest.study_list import ACCESSION, INSTANCE, SERIES, STUDY, ListRow, read_list

Write = Callable[[Path, list[list[Any]]], None]


def csv_file(path: Path, rows: list[list[Any]]) -> None:
    path.write_text("\n".join(",".join("" if cell is None else str(cell) for cell in row) for row in rows))


def xlsx_file(path: Path, rows: list[list[Any]]) -> None:
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    book.save(path)


def parquet_file(path: Path, rows: list[list[Any]]) -> None:
    columns = {name: [row[place] for row in rows[1:]] for place, name in enumerate(rows[0])}
    pq.write_table(pa.table(columns), path)


KINDS: dict[str, Write] = {"csv": csv_file, "xlsx": xlsx_file, "parquet": parquet_file}
ROWS: list[list[Any]] = [
    ["Patient", "Study Instance UID", "Accession No"],
    ["x", "1.2.3", "A1"],
    ["x", None, "A2"],
    ["x", "1.2.x", None],
    ["x", None, None],
    ["x", "1.2.3", None],
    ["x", None, "A*"],
]


@pytest.mark.parametrize("kind", KINDS)
def test_the_columns_are_found_by_their_headings_and_bad_lines_by_their_numbers(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"list.{kind}"
    KINDS[kind](path, ROWS)
    found = read_list(path)
    assert found.rows == (ListRow(2, STUDY, "1.2.3"), ListRow(3, ACCESSION, "A2"), ListRow(6, STUDY, "1.2.3"))
    assert found.invalid == ((4, "not a UID"), (5, "names no study"), (7, "not an accession number"))


def test_numbers_of_a_spreadsheet_are_accession_numbers_again(tmp_path: Path) -> None:
    xlsx_file(tmp_path / "list.xlsx", [["accession"], [12345], [678.0], ["'0099"]])
    assert read_list(tmp_path / "list.xlsx").values(ACCESSION) == {"12345", "678", "0099"}


@pytest.mark.parametrize(
    ("heading", "value", "column"),
    [("Case", "1.2.3", STUDY), ("Case", "A77", ACCESSION), ("Accession", "1.2.3", ACCESSION)],
)
def test_a_column_may_be_chosen_by_name(heading: str, value: str, column: str, tmp_path: Path) -> None:
    csv_file(tmp_path / "list.csv", [["other", heading], ["1.9", value]])
    assert read_list(tmp_path / "list.csv", heading.lower()).rows == (ListRow(2, column, value),)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_the_one_that_the_heading_has(separator: str, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(f"\ufeffname{separator}StudyUID\r\nx{separator}1.2.3\r\n", encoding="utf-8")
    assert read_list(tmp_path / "list.csv").values(STUDY) == {"1.2.3"}


def test_a_list_of_deleted_objects_names_the_lowest_level_it_has(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["study uid", "series uid", "sop uid"],
        ["1.1", "1.1.1", "1.1.1.1"],
        ["1.2", "1.2.1", None],
        ["1.3", "", ""],
    ]
    csv_file(tmp_path / "list.csv", rows)
    found = read_list(tmp_path / "list.csv", columns=(INSTANCE, SERIES, STUDY))
    assert [(row.column, row.value) for row in found.rows] == [(INSTANCE, "1.1.1.1"), (SERIES, "1.2.1"), (STUDY, "1.3")]


BROKEN: dict[str, tuple[str, bytes]] = {
    "no column": ("list.csv", b"name,date\nx,1\n"),
    "empty": ("list.csv", b""),
    "no text": ("list.csv", b"study_instance_uid\n\xff\xfe\xfd\n"),
    "no workbook": ("list.xlsx", b"PK nothing"),
    "no table": ("list.parquet", b"PAR1"),
    "unknown kind": ("list.pdf", b"%PDF"),
}


@pytest.mark.parametrize(("name", "content"), BROKEN.values(), ids=BROKEN)
def test_a_list_that_cannot_be_read_is_told_in_a_sentence(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_list(tmp_path / name)
    assert caught.value.hint


def test_a_list_that_is_not_there_or_a_column_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_list(tmp_path / "none.csv")
    csv_file(tmp_path / "list.csv", [["uid"], ["1.2"]])
    with pytest.raises(UsageError) as caught:
        read_list(tmp_path / "list.csv", "accession")
    assert "uid" in caught.value.hint


@given(st.lists(st.text(alphabet="01.aA*?\\ ", max_size=6), max_size=8))
def test_every_line_that_is_not_empty_names_something_or_is_told(cells: list[str]) -> None:
    import tempfile  # noqa: PLC0415

    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        path = Path(folder) / "list.csv"
        path.write_text("\n".join(["accession", *cells]))
        found = read_list(path)
    told = {row.line for row in found.rows} | {line for line, _ in found.invalid}
    assert told == {line for line, cell in enumerate(cells, start=2) if cell.strip(" '")}
