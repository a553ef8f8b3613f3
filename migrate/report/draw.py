"""Short ways to build blocks whose words come from the catalogue: `table.<key>`, `empty.<key>`, `word.<key>`."""

from __future__ import annotations

from collections.abc import Sequence

from migrate.report import figures
from migrate.report.blocks import Block, Column, Figure, Row, Section, Table
from migrate.report.facts import BOOKS, LEVELS, Digest, Entry, Facts
from migrate.report.texts import Words

Spec = tuple[str, figures.Kind]


def columns(words: Words, *specs: Spec) -> list[Column]:
    """Columns from (word, kind)."""
    return [Column(key=key, label=words(f"word.{key}"), kind=kind) for key, kind in specs]


def table(words: Words, key: str, heads: Sequence[Column], rows: Sequence[Row]) -> Table:
    """A table that sorts and filters."""
    return Table(
        key=key,
        caption=words(f"table.{key}"),
        columns=heads,
        rows=rows,
        empty=words.optional(f"empty.{key}"),
    )


def still(words: Words, key: str, heads: Sequence[Column], rows: Sequence[Row]) -> Table:
    """A short table that stays as it is."""
    empty = words.optional(f"empty.{key}")
    return Table(key=key, caption=words(f"table.{key}"), columns=heads, rows=rows, empty=empty, static=True)


def section(words: Words, key: str, *blocks: Block | None) -> Section:
    """A chapter with its title and lead; blocks that are None have nothing to show."""
    shown = [block for block in blocks if block is not None]
    return Section(key=key, title=words(f"{key}.title"), lead=words(f"{key}.lead"), blocks=shown)


def figure(words: Words, key: str, value: float | str | None, kind: figures.Kind = "count") -> Figure:
    """One number under the text `figure.<key>`."""
    return Figure(key=key, label=words(f"figure.{key}"), value=value, kind=kind)


def part(words: Words, total: Entry) -> Figure:
    """How much of one level is migrated, and of how much."""
    kind: figures.Kind = "bytes" if total.level == "BYTES" else "count"
    note = words("summary.of", whole=figures.written(total.source, kind, words.language))
    key = f"{total.level}.migrated"
    return Figure(key=key, label=words(f"figure.{key}"), value=total.migrated, kind=kind, note=note, tone="good")


def books(entry: Entry) -> Row:
    """Source, the four books, and the migrated share."""
    share = entry.migrated / entry.source if entry.source else None
    return (entry.source, *(getattr(entry, book) for book in BOOKS), share)


def book_columns(words: Words, kind: figures.Kind) -> list[Column]:
    """The columns of `books`."""
    counts = [Column(key=book, label=words(f"book.{book}"), kind=kind) for book in ("source", *BOOKS)]
    return [*counts, Column(key="share", label=words("book.share"), kind="share")]


def totals(facts: Facts, words: Words, key: str) -> Table:
    """The books at each level."""
    heads = [*columns(words, ("level", "level")), *book_columns(words, "amount")]
    return still(words, key, heads, [(level, *books(facts.total(level))) for level in LEVELS])


def fingerprints(words: Words, key: str, digests: Sequence[Digest]) -> Table:
    """The digest of each table."""
    heads = columns(words, ("table", "code"), ("files", "count"), ("rows", "count"), ("digest", "code"))
    return still(words, key, heads, [(d.table, d.files, d.rows, d.xxh3) for d in digests])
