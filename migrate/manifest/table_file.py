"""Tables that a site brings as Parquet: rows of text, whatever the types of their columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from migrate.errors import ConfigError


def read_rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a Parquet file; a null is left out of its row.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches():
                for row in batch.to_pylist():
                    yield {name: str(value) for name, value in row.items() if value is not None}
    except (pa.ArrowException, OSError) as error:
        hint = "tables are CSV or Parquet"
        raise ConfigError("the table cannot be read", hint, file=path.name, reason=type(error).__name__) from None
