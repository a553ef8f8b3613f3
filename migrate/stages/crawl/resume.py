"""Going on after a kill: undecided windows from the journal, knowledge from the rows found so far."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from migrate.journal import windows as journal
from migrate.manifest.sightings import work_parts
from migrate.manifest.spill import part_batches
from migrate.stages.crawl.close import SUCCESS
from migrate.stages.crawl.nodes import Node, from_row
from migrate.stages.crawl.request import CrawlRequest
from migrate.stages.crawl.sweep import Sweep
from migrate.stages.crawl.windows import DATE


def go_on(request: CrawlRequest, crawl_id: str, sweep: Sweep) -> bool:
    """Bring a sweep to where the journal says it stood; False when there is nothing to go on from.

    A window that was cut to prove a count is asked again with everything below it: the proof needs
    its own answer, which is not kept. A window that was cut because its answer was cut goes on with
    the pieces that are left.
    """
    last = 0
    for row in journal.all_windows(request.db):
        last = row.ordinal
        sweep.known.caps.observe(row.status if row.status == SUCCESS else None, row.matches or 0)
    if not last:
        return False
    _reopen(request)
    nodes = [_with_sums(request, from_row(row)) for row in journal.undecided_windows(request.db)]
    _learn(request, crawl_id, sweep)
    sweep.restore(nodes, last + 1)
    return True


def _reopen(request: CrawlRequest) -> None:
    """Windows whose count was being proven go back to `open`; the pieces below them are dropped."""
    for row in journal.undecided_windows(request.db):
        if row.state != "split" or row.capped or not row.attempts:
            continue
        below = [piece.ordinal for piece in _all_below(request, row.window_id)]
        again = replace(row, state="open", status=None, matches=None, studies=None, why="", strategy=0)
        journal.commit_batch(request.db, journal.Batch(put=(again,), dropped=tuple(below)))


def _all_below(request: CrawlRequest, window_id: str) -> Iterator[journal.WindowRow]:
    for piece in journal.pieces_of(request.db, window_id):
        yield piece
        if piece.window_id != window_id:  # what is left of a window to be cut may still be all of it
            yield from _all_below(request, piece.window_id)


def _with_sums(request: CrawlRequest, node: Node) -> Node:
    if node.state == "split":
        pieces = journal.pieces_of(request.db, node.window.window_id)
        node.failures = sum(piece.state == "failed" for piece in pieces)
        node.below = sum(piece.studies or 0 for piece in pieces if piece.closed)
    return node


def _learn(request: CrawlRequest, crawl_id: str, sweep: Sweep) -> None:
    prefixes = sweep.known.prefixes
    columns = {"patient_id": "PatientID", "accession_number": "AccessionNumber"}
    leaves = _date_leaves(request)
    for batch in part_batches(work_parts(request.manifests, crawl_id, "sightings"), [*columns, "window"]):
        counted = [window in leaves for window in batch["window"].to_pylist()]
        sweep.known.studies += sum(counted)
        for name, keyword in columns.items():
            texts = [text or "" for text in batch[name].to_pylist()]
            for new in (True, False):
                chosen = [text for text, is_new in zip(texts, counted, strict=True) if is_new is new]
                prefixes[keyword].observe(chosen, counted=new)


def _date_leaves(request: CrawlRequest) -> set[int]:
    rows = (row for row in journal.all_windows(request.db) if row.state == "leaf")
    return {row.ordinal for row in rows if row.window_id.startswith(f"{DATE}:")}


def date_leaf_studies(request: CrawlRequest, crawl_id: str) -> Iterator[dict[int, bool]]:
    """Studies that closed windows of the date axis returned before the kill, batch by batch (hashes)."""
    leaves = _date_leaves(request)
    parts = work_parts(request.manifests, crawl_id, "sightings")
    for batch in part_batches(parts, ["study_instance_uid", "window"]):
        rows = zip(batch["study_instance_uid"].to_pylist(), batch["window"].to_pylist(), strict=True)
        yield {hash(uid): False for uid, window in rows if window in leaves}
