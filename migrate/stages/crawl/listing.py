"""The series and instances of one study, asked for level by level, every count cross-checked.

An answer at SERIES or IMAGE level can be cut as well. It is then completed by the required keys
of the level, one value at a time: Series Number or Instance Number (PS3.4 C.6.2.1). A listing
that cannot be shown to be complete says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from migrate.errors import PeerError, PeerRefused, PeerUnavailable
from migrate.model import Defect, ExceptionClass, Level
from migrate.peers import FindEnd, Match
from migrate.stages.crawl.answers import Bounded
from migrate.stages.crawl.close import OUT_OF_RESOURCES, SUCCESS
from migrate.stages.crawl.request import CrawlRequest, Finder

SERIES_KEYS = dict.fromkeys(
    ("SeriesInstanceUID", "Modality", "SeriesNumber", "SeriesDescription", "NumberOfSeriesRelatedInstances"), ""
)
IMAGE_KEYS = dict.fromkeys(
    ("SOPInstanceUID", "InstanceNumber", "SOPClassUID", "InstanceAvailability", "AvailableTransferSyntaxUID"), ""
)
_MISSES_IN_A_ROW = 12
_ROUND = 10
_MOST_NUMBERS = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedStudy:
    """A study to list, and what the peer said it holds (None = it did not say)."""

    study_instance_uid: str
    series: int | None
    instances: int | None


@dataclass(slots=True)
class Listing:
    """What one study holds. `series` and `instances` map UIDs to the peer's values.

    Instances are keyed by (series, instance): the same instance may stand in two series. `strange`
    are those that came with another study's UID.
    """

    study: ListedStudy
    series: dict[str, Mapping[str, str]] = field(default_factory=dict)
    instances: dict[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    defects: list[Defect] = field(default_factory=list)
    strange: set[tuple[str, str]] = field(default_factory=set)
    complete: bool = True

    @property
    def instance_count(self) -> int:
        """Distinct SOP Instance UIDs."""
        return len({sop for _, sop in self.instances})

    def note(self, exception_class: ExceptionClass, level: Level, uid: str, detail: str) -> None:
        """Something wrong; the same thing is noted once."""
        defect = Defect(exception_class=exception_class, level=level, uid=uid, detail=detail)
        if defect not in self.defects:
            self.defects.append(defect)


@dataclass(slots=True)
class LevelCaps:
    """The most rows of an answer that ended with success, by level: a cut answer cannot hold more."""

    known: int | None = None
    largest: dict[Level, int] = field(default_factory=lambda: {Level.SERIES: 0, Level.IMAGE: 0})

    def looks_cut(self, level: Level, end: FindEnd | None, announced: int | None = None) -> bool:
        """Whether an answer may have been cut.

        By status, by the known cap, or because it is one of the largest and either fewer than
        `announced` or a round number (standards.md 1.4).
        """
        if end is None or end.status != SUCCESS:
            return True
        largest = self.largest[level] = max(self.largest[level], end.matches)
        known = self.known if self.known and largest <= self.known else None
        if known is not None and end.matches >= known:
            return True
        short = announced is not None and end.matches < announced
        return 0 < end.matches == largest and (short or (announced is None and end.matches % _ROUND == 0))


class StudyLister:
    """Lists studies over one association.

    Args:
        request: How deep, how often to repeat.
        finder: The association.
        caps: What is known about caps; may be shared.

    `sins` counts what was wrong with its answers.
    """

    def __init__(self, request: CrawlRequest, finder: Finder, caps: LevelCaps) -> None:
        self._request, self._finder, self._caps = request, finder, caps
        self.sins: Counter[str] = Counter()

    def list_study(self, study: ListedStudy) -> Listing:
        """Everything that one study holds, as far as the peer says.

        Raises:
            PeerRefused: The peer does not answer such queries.
            PeerUnavailable: It has stopped answering.
        """
        listing = Listing(study)
        self._list_series(listing)
        if self._request.level is Level.IMAGE:
            self._list_instances(listing)
        self._check_counts(listing)
        return listing

    # --- SERIES -----------------------------------------------------------------------------------

    def _list_series(self, listing: Listing) -> None:
        above = {"StudyInstanceUID": listing.study.study_instance_uid}
        take = _series_taker(listing)
        end = self._ask(Level.SERIES, {**SERIES_KEYS, **above}, take)
        announced = listing.study.series
        if announced is not None and len(listing.series) == announced and end is not None:
            return
        if self._caps.looks_cut(Level.SERIES, end, announced):
            self._complete_series(listing, take)

    def _complete_series(self, listing: Listing, take: Callable[[Match], None]) -> None:
        above = {"StudyInstanceUID": listing.study.study_instance_uid}
        relational = self._request.relational and self._series_of_instances(listing, take)
        by_number = relational or self._by_number(
            Level.SERIES,
            {**SERIES_KEYS, **above},
            _Taken(take=take, count=lambda: len(listing.series), announced=listing.study.series),
        )
        if not by_number:
            listing.complete = False
            uid = listing.study.study_instance_uid
            listing.note(ExceptionClass.COUNT_MISMATCH, Level.STUDY, uid, "the list of series cannot be completed")

    def _series_of_instances(self, listing: Listing, take: Callable[[Match], None]) -> bool:
        """The series that a relational IMAGE query names, each asked for by its UID."""
        uids: set[str] = set()
        above = {"StudyInstanceUID": listing.study.study_instance_uid, "SeriesInstanceUID": ""}
        end = self._ask(Level.IMAGE, {**IMAGE_KEYS, **above}, lambda match: uids.add(_uid(match, "SeriesInstanceUID")))
        if end is None or self._caps.looks_cut(Level.IMAGE, end):
            return False
        for uid in sorted(uids - set(listing.series) - {""}):
            self._ask(Level.SERIES, {**SERIES_KEYS, **above, "SeriesInstanceUID": uid}, take)
        return uids - {""} <= set(listing.series)

    # --- IMAGE ------------------------------------------------------------------------------------

    def _list_instances(self, listing: Listing) -> None:
        if self._request.relational and self._all_at_once(listing):
            return
        for series_uid in list(listing.series):
            self._list_instances_of(listing, series_uid)
        _drop_strangers(listing)

    def _all_at_once(self, listing: Listing) -> bool:
        above = {"StudyInstanceUID": listing.study.study_instance_uid, "SeriesInstanceUID": ""}
        end = self._ask(Level.IMAGE, {**IMAGE_KEYS, **above}, _instance_taker(listing, None))
        named = {series for series, _ in listing.instances}
        return end is not None and not self._caps.looks_cut(Level.IMAGE, end) and named == set(listing.series)

    def _list_instances_of(self, listing: Listing, series_uid: str) -> None:
        above = {"StudyInstanceUID": listing.study.study_instance_uid, "SeriesInstanceUID": series_uid}
        taken = _Taken(
            take=_instance_taker(listing, series_uid),
            count=lambda: sum(1 for series, _ in listing.instances if series == series_uid),
            announced=_number(listing.series[series_uid].get("NumberOfSeriesRelatedInstances")),
        )
        end = self._ask(Level.IMAGE, {**IMAGE_KEYS, **above}, taken.take)
        if taken.announced == taken.count() and end is not None:
            return
        cut = self._caps.looks_cut(Level.IMAGE, end, taken.announced)
        if cut and not self._by_number(Level.IMAGE, {**IMAGE_KEYS, **above}, taken):
            listing.complete = False
            listing.note(ExceptionClass.COUNT_MISMATCH, Level.SERIES, series_uid, "its instances cannot all be listed")
        elif taken.announced is not None and taken.announced != taken.count():
            detail = f"{taken.announced} instances announced, {taken.count()} listed"
            listing.note(ExceptionClass.COUNT_MISMATCH, Level.SERIES, series_uid, detail)

    # --- both levels ------------------------------------------------------------------------------

    def _by_number(self, level: Level, keys: Mapping[str, str], taken: _Taken) -> bool:
        """Complete an answer by asking for one number after the other; whether it is complete now.

        Complete: as many as announced; or, where nothing is announced, no number that follows brings
        one more and no answer was cut.
        """
        keyword = "SeriesNumber" if level is Level.SERIES else "InstanceNumber"
        misses, number, before = 0, 0, taken.count()
        while misses < _MISSES_IN_A_ROW and number < _MOST_NUMBERS:
            held = taken.count()
            if taken.announced is not None and held >= taken.announced:
                return True
            end = self._ask(level, {**keys, keyword: str(number)}, taken.take)
            if end is None or end.status != SUCCESS:
                return False
            misses = misses + 1 if taken.count() == held else 0
            number += 1
        return taken.announced is None and taken.count() == before

    def _ask(self, level: Level, keys: Mapping[str, str], take: Callable[[Match], None]) -> FindEnd | None:
        """Ask one query, repeating what breaks off; None when no final answer came."""
        for attempt in range(self._request.attempts):
            answers = Bounded(self._noting(level, take), self._request.answer_limit)
            try:
                end = self._finder.find(level, keys, answers.take)
                if end.status != OUT_OF_RESOURCES or attempt + 1 == self._request.attempts:
                    return end
                self._request.pause(0.5 * (attempt + 1))
            except PeerRefused:
                raise
            except PeerUnavailable:
                self.sins["closed in mid-answer" if answers.taken else "no answer"] += 1
                if attempt + 1 == self._request.attempts and not answers.taken:
                    raise
                self._request.pause(0.5 * (attempt + 1))
            except PeerError:
                return None
        return None

    def _noting(self, level: Level, take: Callable[[Match], None]) -> Callable[[Match], None]:
        """Take an answer whatever is wrong with it, and count that."""

        def noted(match: Match) -> None:
            if match.values.get("QueryRetrieveLevel", "").strip() not in (level.value, ""):
                self.sins["wrong level"] += 1
            if match.raw:
                self.sins["undecodable text"] += 1
            take(match)

        return noted

    def _check_counts(self, listing: Listing) -> None:
        study, uid = listing.study, listing.study.study_instance_uid
        by_level = [(study.series, len(listing.series), "series")]
        if self._request.level is Level.IMAGE:
            by_level.append((study.instances, listing.instance_count, "instances"))
            _note_collisions(listing)
            if not listing.instances:
                listing.note(ExceptionClass.EMPTY_SHELL, Level.STUDY, uid, "no instance was listed")
        for announced, listed, what in by_level:
            if announced is None or announced == listed or not listing.complete:
                continue
            grown = self._announced_now(uid).get(what) == listed
            wrong = ExceptionClass.DELTA_CHANGED if grown else ExceptionClass.COUNT_MISMATCH
            listing.note(wrong, Level.STUDY, uid, f"{announced} {what} announced, {listed} listed")

    def _announced_now(self, uid: str) -> dict[str, int | None]:
        """What the peer says now that the study holds: it may have grown since it was found."""
        keys = dict.fromkeys(("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"), "")
        found: list[Match] = []
        self._ask(Level.STUDY, {**keys, "StudyInstanceUID": uid}, found.append)
        values = found[-1].values if found else {}
        return {
            "series": _number(values.get("NumberOfStudyRelatedSeries")),
            "instances": _number(values.get("NumberOfStudyRelatedInstances")),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class _Taken:
    """Where answers go, how many distinct ones are there, and how many there should be."""

    take: Callable[[Match], None]
    count: Callable[[], int]
    announced: int | None


def _drop_strangers(listing: Listing) -> None:
    """A series that came with another study's UID belongs here only if an instance of it says so.

    Where that leaves nothing at all, the peer gives wrong UIDs, and everything stays.
    """
    drifted = {defect.uid for defect in listing.defects if defect.exception_class is ExceptionClass.UID_DRIFT}
    held = {series for series, sop in listing.instances if (series, sop) not in listing.strange}
    strangers = (drifted & set(listing.series)) - held
    if len(strangers) == len(listing.series):
        return
    for uid in strangers:
        del listing.series[uid]
    listing.instances = {key: values for key, values in listing.instances.items() if key[0] not in strangers}


def _note_collisions(listing: Listing) -> None:
    times = Counter(sop for _, sop in listing.instances)
    for uid in sorted(uid for uid, count in times.items() if count > 1):
        listing.note(ExceptionClass.UID_COLLISION, Level.IMAGE, uid, "the same instance stands in two series")


def _uid(match: Match, keyword: str) -> str:
    return match.values.get(keyword, "").strip()


def _number(text: str | None) -> int | None:
    return int(text) if text and text.strip().isdecimal() else None


def _series_taker(listing: Listing) -> Callable[[Match], None]:
    asked = listing.study.study_instance_uid

    def take(match: Match) -> None:
        uid = _uid(match, "SeriesInstanceUID")
        if not uid:
            listing.complete = False
            listing.note(ExceptionClass.ILLEGAL_DICOM, Level.STUDY, asked, "a series was returned without its UID")
            return
        if _uid(match, "StudyInstanceUID") not in ("", asked):
            listing.note(ExceptionClass.UID_DRIFT, Level.SERIES, uid, "returned with another Study Instance UID")
        listing.series.setdefault(uid, match.values)

    return take


def _instance_taker(listing: Listing, series_uid: str | None) -> Callable[[Match], None]:
    study_uid = listing.study.study_instance_uid

    def take(match: Match) -> None:
        uid, told = _uid(match, "SOPInstanceUID"), _uid(match, "SeriesInstanceUID")
        series = series_uid or told
        if not uid or not series:
            listing.complete = False
            detail = "an instance was returned without its UID"
            listing.note(ExceptionClass.ILLEGAL_DICOM, Level.STUDY, study_uid, detail)
            return
        other_study = _uid(match, "StudyInstanceUID") not in ("", study_uid)
        if other_study or told not in ("", series):
            listing.note(ExceptionClass.UID_DRIFT, Level.IMAGE, uid, "returned with UIDs that were not asked for")
        if other_study and told and (told != series or told not in listing.series):
            return
        if other_study:
            listing.strange.add((series, uid))
        listing.instances.setdefault((series, uid), match.values)

    return take
