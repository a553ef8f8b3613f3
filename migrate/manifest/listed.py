"""A list of studies beside what the sweeps of a crawl found: which lines are answered, which are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from migrate.manifest.fold import draft_batches
from migrate.manifest.place import Manifests
from migrate.manifest.study_list import ACCESSION, STUDY, ListRow, StudyList
from migrate.manifest.write import replace_table
from migrate.model import ExceptionClass


@dataclass(frozen=True, kw_only=True, slots=True)
class Matched:
    """`studies` of the draft are named by the list; `missing` are the lines that name none of them, each once."""

    studies: int
    missing: tuple[ListRow, ...]
    repeated: int


def match_list(manifests: Manifests, crawl_id: str, named: StudyList) -> Matched:
    """Look for every line of a list in the folded studies of an unfinished crawl.

    Raises:
        ManifestDamaged: What the crawl wrote cannot be read any more.
    """
    wanted = {name: pa.array(sorted(named.values(name)), pa.string()) for name in (STUDY, ACCESSION)}
    found: dict[str, set[str]] = {STUDY: set(), ACCESSION: set()}
    studies = 0
    for batch in draft_batches(manifests, crawl_id, [STUDY, ACCESSION]):
        columns = {STUDY: batch[STUDY], ACCESSION: pc.utf8_trim_whitespace(batch[ACCESSION])}
        hits = {name: pc.is_in(column, value_set=wanted[name]) for name, column in columns.items()}
        studies += pc.sum(pc.or_(hits[STUDY], hits[ACCESSION])).as_py() or 0
        for name, column in columns.items():
            found[name].update(column.filter(hits[name]).to_pylist())
    once = {(row.column, row.value): row for row in reversed(named.rows)}
    missing = (row for row in once.values() if row.value not in found[row.column])
    return Matched(
        studies=studies,
        missing=tuple(sorted(missing, key=lambda row: row.line)),
        repeated=len(named.rows) - len(once),
    )


def write_missing(manifests: Manifests, crawl_id: str, named: StudyList, missing: list[tuple[ListRow, str]]) -> None:
    """Put the lines that stay without an answer, and those that name no study, into `list_missing`.

    `missing` holds each line with the reason.

    Raises:
        LocalError: The disk is full or not writable; the old table stays.
    """
    rows = [_answerless(row, why) for row, why in missing] + [_invalid(line, why) for line, why in named.invalid]
    told = [{**row, "list_name": named.name, "crawl_id": crawl_id} for row in sorted(rows, key=lambda row: row["line"])]
    names = ("line", STUDY, ACCESSION, "exception_class", "detail", "list_name", "crawl_id")
    replace_table(manifests, "list_missing", [{name: [row.get(name) for row in told] for name in names}])


def _answerless(row: ListRow, why: str) -> dict[str, Any]:
    kind = ExceptionClass.MISSING_AT_SOURCE.value
    return {"line": row.line, row.column: row.value, "exception_class": kind, "detail": why}


def _invalid(line: int, why: str) -> dict[str, Any]:
    return {"line": line, "detail": why}
