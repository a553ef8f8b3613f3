"""The tables of `manifests/README.md`, made from the schema: `python -m tests.report.columns` writes them anew."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from migrate.manifest.schema import FORMAT_VERSION, ROW_KEY, TABLES

README = Path(__file__).resolve().parents[2] / "manifests" / "README.md"
BEGIN, END = "<!-- tables: made from the schema -->\n", "<!-- end of tables -->\n"


def chapter() -> str:
    """One heading and one table of columns for each table of a run folder."""
    parts = [f"\nFormat version {FORMAT_VERSION}.\n"]
    for name, schema in TABLES.items():
        row = schema.metadata[ROW_KEY].decode()
        lines = "".join(_line(field) for field in schema)
        parts.append(f"\n### `{name}`\n\nOne row per {row}.\n\n| column | type | meaning |\n|---|---|---|\n{lines}")
    return "".join(parts) + "\n"


def _line(field: pa.Field) -> str:
    unit = field.metadata.get(b"unit", b"").decode()
    doc = field.metadata[b"doc"].decode().replace("|", "\\|")
    return f"| `{field.name}` | {_type(field.type)} | {doc}{f' [{unit}]' if unit else ''} |\n"


def _type(kind: pa.DataType) -> str:
    names = {"string": "text", "int64": "integer", "bool": "true/false", "double": "number", "date32[day]": "date"}
    if str(kind) in names:
        return names[str(kind)]
    return "list of text" if kind == pa.list_(pa.string()) else "list of (keyword, bytes)"


def with_chapter(text: str) -> str:
    """The README with its tables as the schema has them now."""
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}{chapter()}{END}{after}"


if __name__ == "__main__":
    README.write_text(with_chapter(README.read_text(encoding="utf-8")), encoding="utf-8")
