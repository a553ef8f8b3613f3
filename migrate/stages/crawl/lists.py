"""Lists every study that a crawl found, in batches: each batch durable before it counts as done."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import islice
from typing import Any

from migrate.errors import Interrupted
from migrate.journal import windows as journal
from migrate.manifest.fold import draft_batches
from migrate.manifest.sightings import WORK_SCHEMAS, work_parts, work_writer, write_work_part
from migrate.manifest.spill import part_batches
from migrate.stages.crawl.listing import LevelCaps, ListedStudy, Listing, StudyLister
from migrate.stages.crawl.request import CrawlRequest, Progress

_STUDIES_PER_BATCH = 50
_KINDS = ("series", "instances", "crawl_defects", "counts")
_SERIES_KEYS = {
    "modality": "Modality",
    "series_number": "SeriesNumber",
    "series_description": "SeriesDescription",
}
_INSTANCE_KEYS = {
    "sop_class_uid": "SOPClassUID",
    "instance_number": "InstanceNumber",
    "instance_availability": "InstanceAvailability",
    "available_transfer_syntax_uid": "AvailableTransferSyntaxUID",
}

Batch = tuple[int, list[ListedStudy]]


def list_studies(
    request: CrawlRequest, crawl_id: str, studies: int, only: Collection[str] | None = None
) -> tuple[int, int, int]:
    """Ask for the series and instances of every study; gives series, instances, incomplete studies.

    Batches that were durable before a kill are not asked again. `only` names the studies to list; it
    must be the same after a kill.

    Raises:
        Interrupted: Somebody asked to stop.
        PeerUnavailable: The peer has stopped answering.
        PeerRefused: The peer does not answer such queries.
        LocalError: The disk is full or not writable.
    """
    batches = _batches(request, crawl_id, only)
    lists = _Lists(request, crawl_id, studies if only is None else len(only), batches)
    workers = [threading.Thread(target=lists.work, daemon=True) for _ in range(request.associations - 1)]
    for worker in workers:
        worker.start()
    lists.work()
    for worker in workers:
        worker.join()
    if lists.error is not None:
        raise lists.error
    return journal.listed_sums(request.db)


def listing_sins(request: CrawlRequest, crawl_id: str) -> Counter[str]:
    """What was wrong with the answers that listed the studies, and how often.

    Raises:
        ManifestDamaged: A part cannot be read.
    """
    sins: Counter[str] = Counter()
    for batch in part_batches(work_parts(request.manifests, crawl_id, "sins")):
        for row in batch.to_pylist():
            sins[row["sin"]] += row["count"]
    return sins


class _Lists:
    def __init__(self, request: CrawlRequest, crawl_id: str, studies: int, batches: Iterator[Batch]) -> None:
        self._request, self._crawl_id, self._studies = request, crawl_id, studies
        self._lock = threading.Lock()
        self._done = journal.listed_batches(request.db)
        self._batches = batches
        self._caps = LevelCaps(known=request.result_cap)
        self._listed = 0
        self.error: BaseException | None = None

    def work(self) -> None:
        finder = None
        try:
            while (batch := self._next()) is not None:
                finder = finder or self._request.open_finder()
                self._list(StudyLister(self._request, finder, self._caps), batch)
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            self.error = self.error or error
        finally:
            if finder is not None:
                finder.close()

    def _next(self) -> Batch | None:
        with self._lock:
            for number, studies in self._batches:
                if self.error is not None:
                    return None
                self._listed += len(studies)
                if number not in self._done:
                    return number, studies
            return None

    def _list(self, lister: StudyLister, batch: Batch) -> None:
        number, studies = batch
        columns: dict[str, dict[str, list[Any]]] = {
            kind: {name: [] for name in WORK_SCHEMAS[kind].names} for kind in _KINDS
        }
        incomplete = 0
        for study in studies:
            if self._request.stopping():
                raise Interrupted("the crawl was stopped", "run the same command again")
            listing = lister.list_study(study)
            incomplete += not listing.complete
            self._add(columns, listing)
        for kind in _KINDS:
            writer = work_writer(self._request.manifests, self._crawl_id, kind, f"{number:08d}")
            write_work_part(writer, columns[kind])
        if lister.sins:
            writer = work_writer(self._request.manifests, self._crawl_id, "sins", f"{number:08d}")
            write_work_part(writer, {"sin": list(lister.sins), "count": list(lister.sins.values())})
        with self._lock:
            counts = len(columns["series"]["crawl_id"]), len(columns["instances"]["crawl_id"]), incomplete
            journal.commit_listing(self._request.db, number, counts)
            self._request.progress(Progress(phase="listing", listed_studies=self._listed, studies=self._studies))

    def _add(self, columns: dict[str, dict[str, list[Any]]], listing: Listing) -> None:
        study_uid, at = listing.study.study_instance_uid, self._request.clock()
        deep = self._request.level == "IMAGE"
        counted: dict[str, int] = {}
        for (series_uid, sop_uid), values in listing.instances.items():
            counted[series_uid] = counted.get(series_uid, 0) + 1
            texts = {name: values.get(key) for name, key in _INSTANCE_KEYS.items()}
            above = {"study_instance_uid": study_uid, "series_instance_uid": series_uid, "sop_instance_uid": sop_uid}
            _append(columns["instances"], above | texts | {"crawl_id": self._crawl_id, "last_seen_at": at})
        for series_uid, values in listing.series.items():
            row: dict[str, Any] = {name: values.get(key) for name, key in _SERIES_KEYS.items()}
            announced = values.get("NumberOfSeriesRelatedInstances")
            row |= {
                "study_instance_uid": study_uid,
                "series_instance_uid": series_uid,
                "number_of_series_related_instances": int(announced) if announced and announced.isdecimal() else None,
                "instance_count": counted.get(series_uid, 0) if deep else None,
                "crawl_id": self._crawl_id,
                "last_seen_at": at,
            }
            _append(columns["series"], row)
        for defect in listing.defects:
            texts = {"level": defect.level.value, "uid": defect.uid, "detail": defect.detail}
            texts |= {"exception_class": defect.exception_class.value, "crawl_id": self._crawl_id}
            _append(columns["crawl_defects"], texts | {"study_instance_uid": study_uid})
        count = {"series_count": len(listing.series), "instance_count": listing.instance_count if deep else None}
        _append(columns["counts"], count | {"study_instance_uid": study_uid})


def _append(columns: dict[str, list[Any]], row: dict[str, Any]) -> None:
    for name, values in columns.items():
        values.append(row[name])


def _batches(request: CrawlRequest, crawl_id: str, only: Collection[str] | None) -> Iterator[Batch]:
    studies = _studies(request, crawl_id)
    if only is not None:
        studies = (study for study in studies if study.study_instance_uid in only)
    number = 0
    while batch := list(islice(studies, _STUDIES_PER_BATCH)):
        yield number, batch
        number += 1


def _studies(request: CrawlRequest, crawl_id: str) -> Iterator[ListedStudy]:
    names = ["study_instance_uid", "number_of_study_related_series", "number_of_study_related_instances"]
    for batch in draft_batches(request.manifests, crawl_id, names):
        columns = batch.to_pydict()
        for uid, series, instances in zip(*(columns[name] for name in names), strict=True):
            yield ListedStudy(study_instance_uid=uid, series=series, instances=instances)
