"""A crosswalk from a file: whose local number is which PHN. What is doubtful is refused with its row."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from migrate.errors import ConfigError
from migrate.rules.tables import ReadRows

COLUMNS = ("mrn", "issuer", "phn")
FIRST_ROW = 2  # the heading is row 1

PatientNumber = tuple[str, str]
"""A local number and the label of its issuer; "" where none is named."""


def read_crosswalk(path: Path, read_rows: ReadRows) -> dict[PatientNumber, str]:
    """(mrn, issuer) -> phn.

    Args:
        path: CSV (UTF-8, with a heading) or Parquet with the columns mrn, issuer, phn.
        read_rows: Reads what is not CSV.

    Raises:
        ConfigError: It cannot be read, a column is missing, a number is empty, or a local number stands
            twice (the fact says whether the two rows contradict each other); row numbers, no values.
    """
    found: dict[PatientNumber, tuple[str, int]] = {}
    for row, line in enumerate(_rows(path, read_rows), FIRST_ROW):
        missing = [name for name in COLUMNS if line.get(name) is None]
        if missing:
            hint = f"the crosswalk needs the columns {', '.join(COLUMNS)}"
            raise ConfigError(f"the crosswalk has no {missing[0]}", hint, file=path.name, row=row)
        mrn, issuer, phn = (line[name].strip() for name in COLUMNS)
        if not mrn or not phn:
            raise ConfigError(
                "the crosswalk has an empty number", "fill it in or drop the row", file=path.name, row=row
            )
        first, first_row = found.setdefault((mrn, issuer), (phn, row))
        if first_row != row:
            said = "stands twice" if first == phn else "has two PHNs"
            hint = "keep one of the two rows"
            raise ConfigError(f"a number {said} in the crosswalk", hint, file=path.name, rows=f"{first_row}, {row}")
    return {number: phn for number, (phn, _) in found.items()}


def _rows(path: Path, read_rows: ReadRows) -> Iterable[Mapping[str, str]]:
    if path.suffix.lower() != ".csv":
        yield from read_rows(path)
        return
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            yield from csv.DictReader(lines, strict=True)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError("the crosswalk cannot be read", file=path.name, reason=type(error).__name__) from None
