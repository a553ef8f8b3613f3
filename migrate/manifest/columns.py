"""How a table is described: columns with their meaning and unit, and what one row is."""

from __future__ import annotations

import pyarrow as pa

ROW_KEY = b"migrate_row"

TEXT = pa.string()
COUNT = pa.int64()
FLAG = pa.bool_()
RATE = pa.float64()


def column(name: str, kind: pa.DataType, doc: str, unit: str = "") -> pa.Field:
    """One column; meaning and unit go into the file."""
    metadata = {"doc": doc, "unit": unit} if unit else {"doc": doc}
    return pa.field(name, kind, metadata=metadata)


def table(row: str, *columns: pa.Field) -> pa.Schema:
    """One table; `row` says what there is one row for."""
    return pa.schema(columns, metadata={ROW_KEY: row.encode()})
