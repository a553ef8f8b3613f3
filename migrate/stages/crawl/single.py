"""Studies asked for one by one: those that a list names, and those that a delta crawl has not met again.

"Missing" is said only after the source was asked for that study alone. What it gives is a study
like any other; if a closed axis should have shown it, that axis hides studies and the crawl is open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from migrate.errors import Interrupted
from migrate.journal import windows as journal
from migrate.manifest.fold import AXES, FoldTerms, fold
from migrate.manifest.listed import match_list, write_missing
from migrate.manifest.sightings import SIGHTINGS, work_writer, write_work_part
from migrate.manifest.study_list import STUDY, ListRow
from migrate.stages.crawl.answers import Columns
from migrate.stages.crawl.close import SUCCESS
from migrate.stages.crawl.confirm import Confirmed, Expectations, SecondLook
from migrate.stages.crawl.drive import Asker
from migrate.stages.crawl.estimate import undiscovered
from migrate.stages.crawl.nodes import Node
from migrate.stages.crawl.request import CrawlRequest, Finder, ListOutcome, Progress
from migrate.stages.crawl.sweeping import Swept
from migrate.stages.crawl.windows import ACCESSION, PATIENT, PREFIX_KEYWORDS, Window

_KEYWORDS = {STUDY: "StudyInstanceUID", "accession_number": PREFIX_KEYWORDS[ACCESSION]}
_ROWS_PER_PART = 5_000
UNANSWERED = "the source gave no final answer when asked for it alone"
NOT_THERE = "the source does not know it, asked for it alone"


@dataclass(slots=True)
class Singles:
    """Asks for single studies after the sweeps of one crawl.

    Args:
        request: The crawl.
        crawl_id: Which.
        swept: What the sweeps found.
    """

    request: CrawlRequest
    crawl_id: str
    swept: Swept
    _columns: Columns = field(default_factory=dict)
    _parts: int = 0
    _finder: Finder | None = None

    def add(self, columns: Columns) -> None:
        """Rows of one answer; durable in parts of some thousand."""
        for name, values in columns.items():
            self._columns.setdefault(name, []).extend(values)
        if len(self._columns["raw"]) >= _ROWS_PER_PART:
            self._write()

    def _write(self) -> None:
        if self._columns:
            writer = work_writer(self.request.manifests, self.crawl_id, "sightings", f"list-{self._parts:06d}")
            write_work_part(writer, {name: self._columns[name] for name in SIGHTINGS.names})
            self._parts, self._columns = self._parts + 1, {}

    def ask(self, rows: Iterable[ListRow]) -> list[tuple[ListRow, str]]:
        """Ask for each; gives those that did not come, with the reason.

        Raises:
            Interrupted: Somebody asked to stop.
            PeerRefused: The peer does not answer such queries.
            LocalError: The disk is full or not writable.
        """
        missing = []
        asker: Asker | None = None
        for row in rows:
            if self.request.stopping():
                raise Interrupted("the crawl was stopped", "run the same command again")
            asker = asker or self._asker()
            answer = asker.ask(self._node(row))
            if not answer.seen.found:
                missing.append((row, NOT_THERE if answer.status == SUCCESS else UNANSWERED))
        return missing

    def _asker(self) -> Asker:
        self._finder = self._finder or self.request.open_finder()
        return Asker(self.request, self._finder, self)

    def _node(self, row: ListRow) -> Node:
        """One question for one study; its rows have the number behind the last window."""
        window = Window(axis=PATIENT, extra=((_KEYWORDS[row.column], row.value),))
        return Node(ordinal=len(self.swept.certificate.axis_of_window), window=window)

    def folded(self) -> Swept:
        """The sweeps with what came since; contradictions between it and closed axes looked into."""
        self._write()
        if not self._parts:
            return self.swept
        certificate = self.swept.certificate
        stats = fold(
            FoldTerms(
                manifests=self.request.manifests,
                crawl_id=self.crawl_id,
                axis_of_window=[*certificate.axis_of_window, AXES.index("list")],
                doubtful=_hidden_from(certificate.expectations),
            )
        )
        if stats.doubts and self._finder is not None:
            windows = journal.all_windows
            look = SecondLook(self.request, self._asker(), self._finder, lambda: windows(self.request.db))
            look.resolve(stats.doubts, certificate.expectations)
            self._columns = {}  # seen a second time: nothing new
            return replace(self.swept, stats=stats, confirmed=_both(self.swept.confirmed, look.result))
        return replace(self.swept, stats=stats)

    def close(self) -> None:
        """Release the association."""
        if self._finder is not None:
            self._finder.close()


def _hidden_from(expected: Expectations) -> Any:
    def hidden(row: Mapping[str, Any]) -> bool:
        if not row["by_list"] or any(row[f"by_{axis}"] for axis in AXES if axis != "list"):
            return False
        return any(expected.expected_by(axis, row) for axis in expected.axes)

    return hidden


def _both(one: Confirmed, other: Confirmed) -> Confirmed:
    doubts, contradicted = [*one.doubts, *other.doubts], one.contradicted | other.contradicted
    return replace(one, late=one.late + other.late, doubts=doubts, contradicted=contradicted)


def against_list(singles: Singles) -> ListOutcome | None:
    """Compare the sweeps with the list that was given, ask for what they did not find.

    Raises:
        See `Singles.ask`.
    """
    request, named = singles.request, singles.request.against
    if named is None:
        return None
    before = singles.swept.stats.studies
    request.progress(Progress(phase="list", studies=len(named.rows)))
    matched = match_list(request.manifests, singles.crawl_id, named)
    missing = singles.ask(matched.missing)
    singles.swept = singles.folded()
    added = singles.swept.stats.studies - before
    write_missing(request.manifests, singles.crawl_id, named, missing)
    return ListOutcome(
        name=named.name,
        rows=len(named.rows),
        invalid_rows=named.invalid[:100],
        repeated_rows=matched.repeated,
        found_by_crawl=matched.studies,
        added=added,
        missing=len(missing),
        estimate=undiscovered(before, matched.studies + added, matched.studies, before + added),
    )
