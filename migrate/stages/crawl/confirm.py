"""Second looks before a crawl says "closed": a sample of the windows again, and every contradiction.

The axes check each other: a study with a legal date must be in a closed window of the date axis, a
study with a selectable patient id in one of the patient axis. Where one axis misses what the other
has, its window is asked again: the study may have come or gone since. If the window still does not
return it, the axis hides studies, and the crawl is not closed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from migrate.errors import PeerError
from migrate.journal import windows as journal
from migrate.model import Level
from migrate.peers import Match
from migrate.stages.crawl.answers import Bounded
from migrate.stages.crawl.close import SUCCESS
from migrate.stages.crawl.drive import Asker
from migrate.stages.crawl.nodes import Node, from_json, from_row
from migrate.stages.crawl.request import CrawlRequest, Finder
from migrate.stages.crawl.selecting import full_time, matches_pattern, plain_day, selectable
from migrate.stages.crawl.windows import DATE, PREFIX_KEYWORDS, Window

_MOST_SECOND_LOOKS = 200
_MOST_ANSWERS = 1_000
_COLUMN = {
    "PatientID": "patient_id",
    "AccessionNumber": "accession_number",
    "ModalitiesInStudy": "modalities_in_study",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Expectations:
    """Which studies each axis must have shown.

    Args:
        axes: The axes that were swept to the end.
        time_cut_days: Days that were cut by time: a study there without a full time goes unseen.
    """

    axes: frozenset[str]
    time_cut_days: frozenset[date]

    def expected_by(self, axis: str, row: Mapping[str, Any]) -> bool:
        """Whether a closed window of `axis` must have returned this study (columns of `studies`)."""
        if axis not in self.axes:
            return False
        if axis != DATE:
            return selectable(row[_COLUMN[PREFIX_KEYWORDS[axis]]])
        day = plain_day(row["study_date"])
        return day is not None and (day not in self.time_cut_days or full_time(row["study_time"]) is not None)

    def doubtful(self, row: Mapping[str, Any]) -> bool:
        """Whether an axis should have shown this study and did not, or no closed window showed it."""
        if not any(row[f"by_{axis}"] for axis in (*PREFIX_KEYWORDS, DATE)):
            return True
        return bool(self.hiding(row))

    def hiding(self, row: Mapping[str, Any]) -> list[str]:
        """The axes that should have shown this study and did not."""
        return [axis for axis in sorted(self.axes) if not row[f"by_{axis}"] and self.expected_by(axis, row)]


def time_cut_days(rows: Iterable[journal.WindowRow]) -> frozenset[date]:
    """Days of the date axis that were closed by pieces alone: what has no time may have gone unseen."""
    windows = (from_json(row.query) for row in rows if row.state == "done" and not row.proven)
    return frozenset(
        window.first for window in windows if window.axis == DATE and window.days == 1 and window.first is not None
    )


def covers(window: Window, row: Mapping[str, Any]) -> bool:
    """Whether a window's query selects this study."""
    day = plain_day(row["study_date"])
    if window.first and window.last and (day is None or not window.first <= day <= window.last):
        return False
    minute = full_time(row["study_time"])
    if window.minutes and (minute is None or not window.minutes[0] <= minute <= window.minutes[1]):
        return False
    return all(key in _COLUMN and matches_pattern(value, row[_COLUMN[key]] or "") for key, value in window.extra)


@dataclass(frozen=True, kw_only=True, slots=True)
class Contradicted:
    """A window that counted as closed, and why it does not: by its number in `Confirmed`."""

    window: journal.WindowRow
    why: str


@dataclass(slots=True)
class Confirmed:
    """What the second looks showed. `doubts` are sentences that keep the crawl open.

    `contradicted` are the windows that a doubt is about: one, or all the roots of an axis.
    """

    rechecked: int = 0
    changed: int = 0
    late: int = 0
    vanished: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    contradicted: dict[int, Contradicted] = field(default_factory=dict)

    def doubt(self, why: str, windows: Iterable[journal.WindowRow]) -> None:
        """Something keeps the crawl open, and these windows with it."""
        self.doubts.append(why)
        for window in windows:
            self.contradicted.setdefault(window.ordinal, Contradicted(window=window, why=why))


class SecondLook:
    """Asks again.

    Args:
        request: The crawl.
        asker: Asks windows.
        finder: Asks for single studies.
        windows: The journal's windows, streamed at each call.
    """

    def __init__(
        self, request: CrawlRequest, asker: Asker, finder: Finder, windows: Callable[[], Iterator[journal.WindowRow]]
    ) -> None:
        self._request, self._asker, self._finder, self._windows = request, asker, finder, windows
        self.result = Confirmed()

    def sample(self, seed: str) -> None:
        """Ask a random share of the closed windows again; their counts must hold.

        A count that changed once and then stands is the archive living on; one that changes every
        time is an archive whose answers prove nothing.
        """
        chance = random.Random(seed)  # noqa: S311 - a sample, not a secret
        share = self._request.recheck_share
        chosen = [row for row in self._windows() if row.state == "leaf" and chance.random() < share]
        for row in chosen:
            node = from_row(row)
            self.result.rechecked += 1
            if self._studies_of(node) == row.studies:
                continue
            self.result.changed += 1
            if self._studies_of(node) != self._studies_of(node):
                self.result.doubt("a window that is asked twice gives two answers", [row])

    def _studies_of(self, node: Node) -> int | None:
        answer = self._asker.ask(node)
        return len(answer.seen.found) if answer.status == SUCCESS else None

    def resolve(self, rows: Iterable[Mapping[str, Any]], expected: Expectations) -> None:
        """Look into each contradiction between the axes (rows as `fold` gives them)."""
        waiting = list(rows)
        if len(waiting) > _MOST_SECOND_LOOKS:
            hiding = {axis for row in waiting for axis in expected.hiding(row)} or set(PREFIX_KEYWORDS) | {DATE}
            why = f"more than {_MOST_SECOND_LOOKS} studies are seen by one axis and hidden by another"
            self.result.doubt(why, self._roots(hiding))
            return
        for row in waiting:
            self._resolve(row, expected)

    def _resolve(self, row: Mapping[str, Any], expected: Expectations) -> None:
        uid = row["study_instance_uid"]
        if not self._exists(uid):
            self.result.vanished.append(uid)
            return
        shown = [axis for axis in (*PREFIX_KEYWORDS, DATE) if row[f"by_{axis}"]]
        if not shown and not row.get("by_list"):
            why = "a study came in an answer that was cut, and in no closed window"
            self.result.doubt(why, self._roots({*PREFIX_KEYWORDS, DATE}))
            return
        for axis in expected.hiding(row):
            self._resolve_axis(axis, row)

    def _roots(self, axes: Collection[str]) -> list[journal.WindowRow]:
        """The windows that stand for whole axes."""
        roots = (row for row in self._windows() if row.parent is None and "=" not in row.window_id)
        return [row for row in roots if from_json(row.query).axis in axes]

    def _resolve_axis(self, axis: str, row: Mapping[str, Any]) -> None:
        leaf = next((row_ for row_ in self._windows() if self._may_show(row_, axis, row)), None)
        if leaf is not None and self._shows(from_row(leaf), row["study_instance_uid"]):
            self.result.late += 1
        else:
            why = f"the {axis} axis hides a study that another axis shows"
            self.result.doubt(why, [leaf] if leaf is not None else self._roots({axis}))

    def _may_show(self, found: journal.WindowRow, axis: str, row: Mapping[str, Any]) -> bool:
        if not found.proven:
            return False
        window = from_json(found.query)
        return window.axis == axis and covers(window, row)

    def _shows(self, node: Node, uid: str) -> bool:
        answer = self._asker.ask(node)
        return answer.status == SUCCESS and hash(uid) in answer.seen.found

    def _exists(self, uid: str) -> bool:
        found: list[Match] = []
        keys = {"StudyInstanceUID": uid, "StudyDate": "", "PatientID": ""}
        try:
            end = self._finder.find(Level.STUDY, keys, Bounded(found.append, _MOST_ANSWERS).take)
        except PeerError:
            return True
        return end.status != SUCCESS or any(match.values.get("StudyInstanceUID") == uid for match in found)
