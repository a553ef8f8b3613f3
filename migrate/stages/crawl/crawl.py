"""The crawl: one entry, from nothing or from where a kill left it, to published tables."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from migrate.journal import windows as journal
from migrate.manifest.fold import AXES
from migrate.manifest.leftovers import forget_leftovers
from migrate.manifest.publish import forget_work, publish
from migrate.manifest.read import count_rows, read_table
from migrate.model import Level
from migrate.stages.crawl.again import ask_for_absent, conclude, decide, refuse_without_tables
from migrate.stages.crawl.certificate import Fates, covered_windows, window_columns
from migrate.stages.crawl.lists import list_studies, listing_sins
from migrate.stages.crawl.request import CrawlRequest, CrawlResult, Estimate, ListOutcome, Progress
from migrate.stages.crawl.single import Singles, against_list
from migrate.stages.crawl.sweeping import Sweeping, Swept

SWEEP, LIST, DONE = "sweep", "list", "done"


def crawl(request: CrawlRequest) -> CrawlResult:
    """Find every study of the source, list it, publish the tables, and say whether that is all.

    A crawl that was interrupted goes on where it stopped, if it was ordered with the same terms;
    otherwise a new one starts. The tables change only at the end.

    Returns:
        What was found. `closed` is true only if every window is proven and the axes agree.

    Raises:
        UsageError: A delta is asked for and there is nothing to compare with.
        Interrupted: Somebody asked to stop; the same call goes on.
        PeerUnavailable: The source has stopped answering; the same call goes on.
        PeerRefused: The source does not answer such queries.
        LocalError: The disk is full or not writable.
        ManifestDamaged: The tables of the crawl before cannot be read.
    """
    refuse_without_tables(request)
    journal.prepare(request.db)
    forget_leftovers(request.manifests)
    row = _crawl_row(request)
    found: dict[str, Any] = json.loads(row.result or "{}")
    if row.phase == SWEEP:
        found = _swept(request, row.crawl_id)
        journal.set_phase(request.db, row.crawl_id, LIST, json.dumps(found))
    listed = (0, 0, 0)
    again = decide(request, row.crawl_id)
    if request.level is not Level.STUDY:
        listed = list_studies(request, row.crawl_id, found["studies"], again)
    return _publish(request, row.crawl_id, found, listed)


def _swept(request: CrawlRequest, crawl_id: str) -> dict[str, Any]:
    """The sweeps, and after them the studies that are asked for one by one."""
    singles = Singles(request=request, crawl_id=crawl_id, swept=Sweeping(request, crawl_id).run())
    try:
        ask_for_absent(singles)
        outcome = against_list(singles)
    finally:
        singles.close()
    return {**_summary(singles.swept, request), "against": asdict(outcome) if outcome else None}


def _crawl_row(request: CrawlRequest) -> journal.CrawlRow:
    terms = json.dumps(
        [
            *(request.first.isoformat(), request.last.isoformat(), request.whole, request.level),
            *(request.manifests.source, _delta_terms(request), _list_terms(request)),
        ]
    )
    latest = journal.latest_crawl(request.db)
    if latest is not None and latest.phase != DONE and _same_terms(latest.terms, terms):
        return latest
    at = request.clock()
    stamp = "".join(letter for letter in at[:23] if letter.isdigit())
    crawl_id = f"{stamp}-{secrets.token_hex(3)}"
    forget_work(request.manifests, crawl_id)
    journal.start_crawl(request.db, crawl_id, terms, at)
    return journal.CrawlRow(crawl_id=crawl_id, terms=terms, phase=SWEEP, result=None)


def _delta_terms(request: CrawlRequest) -> list[Any] | None:
    return [journal.DELTA, request.delta.days, request.delta.thorough] if request.delta else None


def _list_terms(request: CrawlRequest) -> list[Any] | None:
    return [request.against.name, len(request.against.rows)] if request.against else None


def _same_terms(one: str, other: str) -> bool:
    """The last day may differ: it is today's when the crawl was ordered, and a crawl may take weeks."""
    (first, _, *rest), (other_first, _, *other_rest) = json.loads(one), json.loads(other)
    return bool(first == other_first and rest == other_rest)


def _summary(swept: Swept, request: CrawlRequest) -> dict[str, Any]:
    certificate, stats, confirmed = swept.certificate, swept.stats, swept.confirmed
    doubts = list(dict.fromkeys(confirmed.doubts))
    return {
        "closed": swept.closed(whole=request.whole),
        "windows": certificate.windows,
        "capped_windows": certificate.capped,
        "studies": stats.studies,
        "undated_studies": stats.undated,
        "estimated_undiscovered": asdict(swept.estimate) if swept.estimate else None,
        "open_windows": list(swept.open_windows),
        "contradicted": {number: each.why for number, each in confirmed.contradicted.items()},
        "doubts": doubts,
        "by_axis": dict(zip(AXES, stats.by_axis, strict=True)),
        "rechecked_windows": confirmed.rechecked,
        "sins": dict(swept.sins),
        "universal": certificate.universal,
    }


def _publish(
    request: CrawlRequest, crawl_id: str, found: Mapping[str, Any], listed: tuple[int, int, int]
) -> CrawlResult:
    request.progress(Progress(phase="publishing", studies=found["studies"], listed_studies=found["studies"]))
    series, instances, incomplete = listed
    closed = found["closed"] and not incomplete
    delta = conclude(request, crawl_id, closed=closed)
    contradicted = {int(number): why for number, why in found.get("contradicted", {}).items()}
    covered = covered_windows(partial(journal.all_windows, request.db), universal=found["universal"])
    fates = Fates(covered=covered - contradicted.keys(), contradicted=contradicted)
    columns = window_columns(
        journal.all_windows(request.db), fates, crawl_id=crawl_id, called_ae_title=request.called_ae_title
    )
    publish(request.manifests, crawl_id, columns)
    if delta:
        series, instances = (count_rows(request.manifests.run_folder, table) for table in ("series", "instances"))
    doubts = [*found["doubts"]]
    if incomplete:
        doubts.append(f"{incomplete} studies could not be listed completely")
    estimate, against = found["estimated_undiscovered"], found.get("against")
    result = CrawlResult(
        crawl_id=crawl_id,
        closed=closed,
        windows=found["windows"],
        capped_windows=found["capped_windows"],
        studies=found["studies"],
        series=series,
        instances=instances,
        undated_studies=found["undated_studies"],
        estimated_undiscovered=Estimate(**estimate) if estimate else None,
        open_windows=tuple(found["open_windows"]),
        covered_windows=len(fates.covered),
        doubts=tuple(doubts),
        defects=_defects(request),
        by_axis=found["by_axis"],
        rechecked_windows=found["rechecked_windows"],
        sins=dict(Counter(found["sins"]) + listing_sins(request, crawl_id)),
        against=_list_outcome(against) if against else None,
        delta=delta,
    )
    journal.finish_crawl(request.db, crawl_id, json.dumps(asdict(result)), request.clock())
    forget_work(request.manifests, crawl_id)
    return result


def _list_outcome(values: Mapping[str, Any]) -> ListOutcome:
    invalid = tuple((line, why) for line, why in values["invalid_rows"])
    return ListOutcome(**{**values, "invalid_rows": invalid, "estimate": Estimate(**values["estimate"])})


def _defects(request: CrawlRequest) -> dict[str, int]:
    counts = read_table(request.manifests.run_folder, "crawl_defects", ["exception_class"])["exception_class"]
    return {item["values"]: item["counts"] for item in counts.value_counts().to_pylist()}
