"""Lookup tables of a rule pack: facility codes, procedure codes, a crosswalk from MRN to PHN.

A table is a CSV file with a header line (UTF-8), or anything else that the caller's reader reads.
A duplicate key that says the same twice is harmless; one that says two things is an error.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from migrate.errors import ConfigError
from migrate.rules.vr import misfit

Row = Mapping[str, str]
ReadRows = Callable[[Path], Iterable[Row]]
"""Rows of one table file as text; for Parquet it comes from `manifest`."""


@dataclass(frozen=True, slots=True)
class Code:
    """One coded concept (PS3.3 table 8.8-1): value, scheme, meaning."""

    code_value: str
    coding_scheme_designator: str
    code_meaning: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Folder:
    """Where a pack's tables lie, and who reads what is not CSV."""

    path: Path
    run_folder: Path | None = None
    read_rows: ReadRows | None = None

    def find(self, name: str) -> Path:
        """A table beside its pack, else in the run folder, where a site keeps its own."""
        beside = self.path / name
        return self.run_folder / name if self.run_folder and not beside.exists() else beside


def lookup(name: str, folder: Folder, columns: Sequence[str] = ("from", "to")) -> dict[str, str]:
    """Column one -> column two.

    Raises:
        ConfigError: The file cannot be read, a column is missing, or a key says two things.
    """
    found: dict[str, str] = {}
    path, rows = _rows(name, folder, columns)
    for line, row in rows:
        _add(found, row[columns[0]], row[columns[1]], f"{path}:{line}")
    return found


def codes(name: str, folder: Folder) -> dict[str, Code]:
    """`key` -> code, from columns `key, code_value, coding_scheme_designator, code_meaning`.

    Raises:
        ConfigError: As `lookup`; also a value that does not fit SH, SH, LO.
    """
    found: dict[str, Code] = {}
    path, rows = _rows(name, folder, ("key", "code_value", "coding_scheme_designator", "code_meaning"))
    for line, row in rows:
        code = Code(row["code_value"], row["coding_scheme_designator"], row["code_meaning"])
        if wrong := misfit_of_code(code):
            raise ConfigError(f"the table holds a code that cannot be written: {wrong}", file=f"{path}:{line}")
        _add(found, row["key"], code, f"{path}:{line}")
    return found


def misfit_of_code(code: Code) -> str | None:
    """What is wrong with a code; every part is needed."""
    if not all((code.code_value, code.coding_scheme_designator, code.code_meaning)):
        return "code value, scheme and meaning are all needed"
    return (
        misfit("SH", code.code_value) or misfit("SH", code.coding_scheme_designator) or misfit("LO", code.code_meaning)
    )


T = TypeVar("T")


def _add(found: dict[str, T], key: str, value: T, where: str) -> None:
    if not key:
        raise ConfigError("the table has an empty key", "delete the line or fill it in", file=where)
    if found.setdefault(key, value) != value:
        raise ConfigError("the table says two things about one key", "keep one of the two lines", file=where)


def _rows(name: str, folder: Folder, columns: Sequence[str]) -> tuple[Path, list[tuple[int, Row]]]:
    path = folder.find(name)
    rows = list(enumerate(_read(path, folder.read_rows), 2))
    missing = [column for column in columns if rows and column not in rows[0][1]]
    if missing:
        hint = f"the table needs: {', '.join(columns)}"
        raise ConfigError(f"the table has no column {missing[0]}", hint, file=f"{path}:1")
    for line, row in rows:
        if any(row.get(column) is None for column in columns):
            raise ConfigError("the table has a line with too few columns", file=f"{path}:{line}")
    return path, [(line, {key: (row[key] or "").strip() for key in columns}) for line, row in rows]


def _read(path: Path, read_rows: ReadRows | None) -> list[Row]:
    if path.suffix != ".csv" and read_rows is None:
        raise ConfigError("the table is not a .csv file", file=path)
    try:
        return _read_csv(path) if path.suffix == ".csv" or read_rows is None else list(read_rows(path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError("the table cannot be read", file=path, reason=type(error).__name__) from None


def _read_csv(path: Path) -> list[Row]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines, strict=True))
