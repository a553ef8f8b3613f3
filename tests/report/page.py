"""Reads a report page the way a person would check it: its figures and the rows of its tables."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any


@dataclass
class Page(HTMLParser):
    """`figures`: key -> value as text. `tables`: key -> rows (raw values where the page carries them)."""

    text: str
    figures: dict[str, str] = field(default_factory=dict)
    tables: dict[str, list[list[Any]]] = field(default_factory=dict)
    verdicts: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    _table: str = ""
    _cell: list[str] | None = None
    _json: list[str] | None = None
    _where: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        if key := found.get("data-figure"):
            self.figures[key] = found["data-value"] or ""
        if key := found.get("data-verdict"):
            self.verdicts.append(key)
        if href := found.get("href"):
            self.links.append(href)
        if tag == "table":
            self._table = found.get("data-table") or ""
            if self._table:
                self.tables[self._table] = []
        if tag in {"tbody", "thead", "tfoot"}:
            self._where = tag
        if tag == "tr" and self._table and self._where == "tbody":
            self.tables[self._table].append([])
        if tag == "td" and self._table and self._where == "tbody":
            self._cell = [found["data-value"] or ""] if "data-value" in found else []
            self._raw = "data-value" in found
        if tag == "script" and found.get("type") == "application/json" and "id" not in found:
            self._json = []

    def handle_data(self, data: str) -> None:
        if self._json is not None:
            self._json.append(data)
        elif self._cell is not None and not self._raw:
            self._cell.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "td" and self._cell is not None:
            self.tables[self._table][-1].append("".join(self._cell))
            self._cell = None
        if tag == "script" and self._json is not None:
            self.tables[self._table] = json.loads("".join(self._json))["rows"]
            self._json = None
