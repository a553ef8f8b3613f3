"""What a delta crawl lists again, and what it says has changed.

Two looks. The first compares the sweep with the tables: studies that came, went, or changed their
attributes or counts, and with them everything recent, is listed again. The second compares what was
listed. Both are durable before a table changes, so that a crawl that is killed while it publishes
says the same when it goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from migrate.checks.delta import Counts, Delta, Members, by_count, first_look, must_be_listed, second_look
from migrate.errors import UsageError
from migrate.journal import windows as journal
from migrate.manifest import carry
from migrate.manifest.read import batches, count_rows
from migrate.manifest.sightings import WORK_SCHEMAS, work_parts, work_writer
from migrate.manifest.spill import part_batches
from migrate.manifest.study_list import STUDY, ListRow
from migrate.model import ExceptionClass, Level
from migrate.stages.crawl.request import CrawlRequest, DeltaOutcome
from migrate.stages.crawl.single import Singles

Row = dict[str, Any]


def refuse_without_tables(request: CrawlRequest) -> None:
    """A delta needs something to compare with, and all of the source.

    Raises:
        UsageError: There is no crawl before, or a range was asked for.
    """
    if request.delta is None:
        return
    if not request.whole:
        raise UsageError("a delta crawl looks at the whole source", "leave out --from, --to and crawl.to")
    if not count_rows(request.manifests.run_folder, "studies"):
        raise UsageError("there is no crawl to compare with", "first: migrate crawl")


def ask_for_absent(singles: Singles) -> None:
    """Ask for every study that the sweeps did not meet again: "gone" is said only after that.

    Raises:
        See `Singles.ask`.
    """
    request = singles.request
    if request.delta is None:
        return
    uids = carry.absent(request.manifests, singles.crawl_id)
    singles.ask(ListRow(0, STUDY, uid) for uid in uids)
    singles.swept = singles.folded()


def decide(request: CrawlRequest, crawl_id: str) -> frozenset[str] | None:
    """The first look; gives the studies to list again, None when all are to be listed.

    Raises:
        ManifestDamaged: The tables of the crawl before cannot be read.
        LocalError: The disk is full or not writable.
    """
    if request.delta is None:
        return None
    if not carry.is_decided(request.manifests, crawl_id):
        look = _FirstLook(request, crawl_id)
        with carry.CarryWriter(request.manifests, crawl_id) as writer:
            for found in carry.pairs(request.manifests, crawl_id):
                look.take(found, writer)
    again = carry.listed_again(request.manifests, crawl_id)
    return frozenset(again.to_pylist()) if again is not None else None


class _FirstLook:
    def __init__(self, request: CrawlRequest, crawl_id: str) -> None:
        assert request.delta is not None
        self._request, self._crawl_id, self._terms = request, crawl_id, request.delta
        self._at = request.clock()
        self._recent = request.delta.today - timedelta(days=request.delta.days)
        self._defective = _defective(request)
        self._contradictory = _contradictory(request, crawl_id)

    def take(self, found: list[tuple[Row | None, Row | None]], writer: carry.CarryWriter) -> None:
        """One range of studies."""
        again = [new for old, new in found if new and self._to_list(old, new)]
        uids = {row[STUDY] for row in again}
        kept = [self._kept(old, new, listed=new[STUDY] in uids) for old, new in found if new]
        lost = [{**old, "gone_at": old["gone_at"] or self._at} for old, new in found if old and new is None]
        deltas = [delta for pair in found for delta in self._deltas(*pair)]
        writer.write(carry.AGAIN, again)
        writer.write(carry.KNOWN_COUNTS, kept)
        writer.write(carry.GONE_STUDIES, lost)
        writer.write(carry.GONE_IDENTITIES, lost)
        writer.write(carry.FIRST, [_line(delta) for delta in deltas])

    def _to_list(self, old: Row | None, new: Row) -> bool:
        if self._terms.thorough or new[STUDY] in self._defective or must_be_listed(old, new):
            return True
        unlisted = self._request.level is Level.IMAGE and old is not None and old["instance_count"] is None
        return unlisted or (new["study_day"] is not None and new["study_day"] >= self._recent)

    def _kept(self, old: Row | None, new: Row, *, listed: bool) -> Row:
        known = {} if listed or old is None else old
        return {STUDY: new[STUDY], **{name: known.get(name) for name in ("series_count", "instance_count")}}

    def _deltas(self, old: Row | None, new: Row | None) -> Iterator[Delta]:
        contradicts = new is not None and new[STUDY] in self._contradictory
        yield from first_look(old, new, contradicts=contradicts)
        if self._request.level is Level.STUDY:
            yield from by_count(old, new)


def _defective(request: CrawlRequest) -> set[str]:
    """Studies that an earlier listing found something wrong with."""
    columns = batches(request.manifests.run_folder, "crawl_defects", [STUDY])
    return {uid for batch in columns for uid in batch[STUDY]}


def _contradictory(request: CrawlRequest, crawl_id: str) -> set[str]:
    """Studies whose answers differ from each other in this very crawl."""
    return _defective_now(request, crawl_id, {ExceptionClass.DUPLICATE, ExceptionClass.PATIENT_CONFLICT})


def _defective_now(request: CrawlRequest, crawl_id: str, classes: set[ExceptionClass]) -> set[str]:
    parts = part_batches(work_parts(request.manifests, crawl_id, "crawl_defects"), [STUDY, "exception_class"])
    pairs = (pair for batch in parts for pair in zip(*(column.to_pylist() for column in batch.columns), strict=True))
    return {uid for uid, kind in pairs if kind in classes}


# --- the second look ----------------------------------------------------------------------------------


def conclude(request: CrawlRequest, crawl_id: str, *, closed: bool) -> DeltaOutcome | None:
    """The second look: every change of this round, durable; and whether there was any.

    Raises:
        ManifestDamaged: The tables of the crawl before cannot be read.
        LocalError: The disk is full or not writable.
    """
    if request.delta is None:
        return None
    place = request.manifests
    round_ = journal.delta_rounds(request.db) + 1
    if not carry.is_decided(place, crawl_id, carry.FINAL):
        same = {"crawl_id": crawl_id, "round": round_, "seen_at": request.clock()}
        with work_writer(place, crawl_id, carry.FINAL, "0") as writer:
            for rows in _all_deltas(request, crawl_id):
                carry.write_rows(writer, WORK_SCHEMAS[carry.FINAL], [{**row, **same} for row in rows])
    kinds: dict[str, int] = {}
    for batch in carry.decided(place, crawl_id, carry.FINAL):
        for kind in batch["kind"].to_pylist():
            kinds[kind] = kinds.get(kind, 0) + 1
    again = carry.listed_again(place, crawl_id)
    return DeltaOutcome(
        round=round_,
        kinds=kinds,
        listed_again=len(again) if again is not None and request.level is not Level.STUDY else 0,
        fixed_point=closed and not kinds,
    )


def _all_deltas(request: CrawlRequest, crawl_id: str) -> Iterator[list[Row]]:
    place = request.manifests
    new: set[str] = set()
    for batch in carry.decided(place, crawl_id, carry.FIRST):
        rows = batch.to_pylist()
        new |= {row[STUDY] for row in rows if row["kind"] == "NEW"}
        yield rows
    again = carry.listed_again(place, crawl_id)
    if again is None or request.level is Level.STUDY:
        return
    incomplete = _defective_now(request, crawl_id, {ExceptionClass.COUNT_MISMATCH, ExceptionClass.ILLEGAL_DICOM})
    series = carry.members(place, crawl_id, "series", again)
    instances = carry.members(place, crawl_id, "instances", again)
    for of_series, of_instances in zip(series, instances, strict=True):
        listed = {uid: _members(uid, of_series, of_instances) for uid in sorted({*of_series, *of_instances} - new)}
        found = (second_look(uid, each, complete=uid not in incomplete) for uid, each in listed.items())
        yield [_line(delta) for deltas in found for delta in deltas]


def _members(uid: str, series: dict[str, list[set[str]]], instances: dict[str, list[set[str]]]) -> Members:
    old_series, new_series = series.get(uid, [set(), set()])
    old, new = instances.get(uid, [set(), set()])
    return Members(
        counts=Counts(
            series_before=len(old_series),
            series_after=len(new_series),
            instances_before=len(old),
            instances_after=len(new),
        ),
        came=len(new - old),
        went=len(old - new),
        series_came=len(new_series - old_series),
        series_went=len(old_series - new_series),
    )


def _line(delta: Delta) -> Row:
    return {STUDY: delta.study_instance_uid, "kind": delta.kind.value, "detail": delta.detail, **asdict(delta.counts)}
