"""The crawl: one entry, from nothing or from where a kill left it, to published tables."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from migrate.journal import windows as journal
from migrate.manifest.publish import forget_work, publish
from migrate.manifest.read import read_table
from migrate.model import Level
from migrate.stages.crawl.certificate import window_columns
from migrate.stages.crawl.lists import list_studies
from migrate.stages.crawl.request import CrawlRequest, CrawlResult, Estimate, Progress
from migrate.stages.crawl.sweeping import Sweeping, Swept

SWEEP, LIST, DONE = "sweep", "list", "done"


def crawl(request: CrawlRequest) -> CrawlResult:
    """Find every study of the source, list it, publish the tables, and say whether that is all.

    A crawl that was interrupted goes on where it stopped, if it was ordered with the same terms;
    otherwise a new one starts. The tables change only at the end.

    Returns:
        What was found. `closed` is true only if every window is proven and the axes agree.

    Raises:
        Interrupted: Somebody asked to stop; the same call goes on.
        PeerUnavailable: The source has stopped answering; the same call goes on.
        PeerRefused: The source does not answer such queries.
        LocalError: The disk is full or not writable.
        ManifestDamaged: The tables of the crawl before cannot be read.
    """
    journal.prepare(request.db)
    row = _crawl_row(request)
    found: dict[str, Any] = json.loads(row.result or "{}")
    if row.phase == SWEEP:
        found = _summary(Sweeping(request, row.crawl_id).run(), request)
        journal.set_phase(request.db, row.crawl_id, LIST, json.dumps(found))
    listed = (0, 0, 0)
    if request.level is not Level.STUDY:
        listed = list_studies(request, row.crawl_id, found["studies"])
    return _publish(request, row.crawl_id, found, listed)


def _crawl_row(request: CrawlRequest) -> journal.CrawlRow:
    terms = json.dumps(
        [request.first.isoformat(), request.last.isoformat(), request.whole, request.level, request.manifests.source]
    )
    latest = journal.latest_crawl(request.db)
    if latest is not None and latest.phase != DONE and _same_terms(latest.terms, terms):
        return latest
    at = request.clock()
    stamp = "".join(letter for letter in at[:19] if letter.isdigit())
    crawl_id = f"{stamp}-{secrets.token_hex(3)}"
    forget_work(request.manifests, crawl_id)
    journal.start_crawl(request.db, crawl_id, terms, at)
    return journal.CrawlRow(crawl_id=crawl_id, terms=terms, phase=SWEEP, result=None)


def _same_terms(one: str, other: str) -> bool:
    """The last day may differ: it is today's when the crawl was ordered, and a crawl may take weeks."""
    (first, _, *rest), (other_first, _, *other_rest) = json.loads(one), json.loads(other)
    return bool(first == other_first and rest == other_rest)


def _summary(swept: Swept, request: CrawlRequest) -> dict[str, Any]:
    certificate, stats, confirmed = swept.certificate, swept.stats, swept.confirmed
    doubts = list(dict.fromkeys(confirmed.doubts))
    return {
        "closed": certificate.closed(whole=request.whole) and not doubts,
        "windows": certificate.windows,
        "capped_windows": certificate.capped,
        "studies": stats.studies,
        "undated_studies": stats.undated,
        "estimated_undiscovered": asdict(swept.estimate) if swept.estimate else None,
        "open_windows": list(certificate.open_windows),
        "doubts": doubts,
        "by_axis": dict(zip(("date", "patient", "accession"), stats.by_axis, strict=True)),
        "rechecked_windows": confirmed.rechecked,
        "sins": dict(swept.sins),
        "universal": certificate.universal,
    }


def _publish(
    request: CrawlRequest, crawl_id: str, found: Mapping[str, Any], listed: tuple[int, int, int]
) -> CrawlResult:
    request.progress(Progress(phase="publishing", studies=found["studies"], listed_studies=found["studies"]))
    columns = window_columns(journal.all_windows(request.db), crawl_id, request.called_ae_title)
    publish(request.manifests, crawl_id, columns)
    series, instances, incomplete = listed
    doubts = [*found["doubts"]]
    if incomplete:
        doubts.append(f"{incomplete} studies could not be listed completely")
    estimate = found["estimated_undiscovered"]
    result = CrawlResult(
        crawl_id=crawl_id,
        closed=found["closed"] and not incomplete,
        windows=found["windows"],
        capped_windows=found["capped_windows"],
        studies=found["studies"],
        series=series,
        instances=instances,
        undated_studies=found["undated_studies"],
        estimated_undiscovered=Estimate(**estimate) if estimate else None,
        open_windows=tuple(found["open_windows"]),
        doubts=tuple(doubts),
        defects=_defects(request),
        by_axis=found["by_axis"],
        rechecked_windows=found["rechecked_windows"],
        sins=found["sins"],
    )
    journal.finish_crawl(request.db, crawl_id, json.dumps(asdict(result)), request.clock())
    forget_work(request.manifests, crawl_id)
    return result


def _defects(request: CrawlRequest) -> dict[str, int]:
    counts = read_table(request.manifests.run_folder, "crawl_defects", ["exception_class"])["exception_class"]
    return {item["values"]: item["counts"] for item in counts.value_counts().to_pylist()}
