"""The chapter on what changes under the migration: delta rounds, the freeze at cut-over, what was rejected."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from migrate.dicom.rejection import TITLES
from migrate.journal.rounds import finished_crawls, verified_per_hour
from migrate.manifest.read import batches
from migrate.report import figures
from migrate.report.blocks import Figures, Prose, Row, Section
from migrate.report.draw import columns, figure, section, still
from migrate.report.facts import Facts
from migrate.report.freeze import Cutover, Freeze, Round
from migrate.report.run import Run
from migrate.report.texts import Words

KINDS = ("NEW", "GROWN", "SHRUNK", "HEADER_CHANGED", "PATIENT_CHANGED", "GONE")
_MINUTE_S = 60


def gather_cutover(run: Run) -> Cutover:
    """From the journal and the table `rejections`.

    Raises:
        JournalError: The journal cannot be read.
        ManifestDamaged: The table cannot be read.
    """
    rounds = []
    for crawl in finished_crawls(run.path):
        delta = crawl["result"].get("delta") or {}
        rounds.append(
            Round(
                round=delta.get("round", 0),
                started_at=crawl["started_at"],
                finished_at=crawl["finished_at"],
                closed=bool(crawl["result"].get("closed")),
                kinds=delta.get("kinds", {}),
            )
        )
    counts: Counter[tuple[str, str]] = Counter()
    for part in batches(run.path, "rejections", ["code", "policy"]):
        counts.update(zip(part["code"], part["policy"], strict=True))
    rejections = [(code, policy, count) for (code, policy), count in sorted(counts.items())]
    return Cutover(rounds=rounds, moved_per_hour=verified_per_hour(run.path), rejections=rejections)


def delta(facts: Facts, words: Words) -> Section:
    """Rounds until nothing changes, and how long the freeze will be."""
    found = facts.cutover
    last = found.rounds[-1] if found.rounds and found.rounds[-1].round else None
    stands = last is not None and last.closed and not last.changes
    items = [
        figure(words, "delta.rounds", sum(bool(one.round) for one in found.rounds)),
        figure(words, "delta.changes", last.changes if last else None),
        replace(
            figure(words, "delta.fixed_point", words("word.yes" if stands else "word.no") if last else None, "text"),
            tone="good" if stands else "calm",
        ),
        figure(words, "delta.freeze", _minutes(found.freeze.total_s if found.freeze else None)),
    ]
    heads = columns(words, ("round", "count"), ("started", "date"), ("took", "count"), ("closed", "text"))
    kinds = columns(words, *((kind, "count") for kind in KINDS))
    said = {True: words("word.yes"), False: words("word.no")}
    rows: list[Row] = [
        (
            one.round,
            one.started_at[:16].replace("T", " "),
            _minutes(one.duration_s),
            said[one.closed],
            *(one.kinds.get(k, 0) for k in KINDS),
        )
        for one in found.rounds
    ]
    rejected = columns(words, ("code", "code"), ("title", "text"), ("policy", "code"), ("instances", "count"))
    lines: list[Row] = [(code, TITLES.get(code, code), policy, count) for code, policy, count in found.rejections]
    return section(
        words,
        "delta",
        Figures(items=items),
        _explained(found.freeze, words),
        still(words, "rounds", [*heads, *kinds], rows),
        still(words, "rejections", rejected, lines),
    )


def _minutes(seconds: float | None) -> int | None:
    """Rounded up: a freeze that is planned too short is no use."""
    return None if seconds is None else int(-(-seconds // _MINUTE_S))


def _explained(freeze: Freeze | None, words: Words) -> Prose | None:
    """What the prediction was made from, in a sentence."""
    if freeze is None:
        return None
    rates = {
        "changes": figures.count(round(freeze.changes_per_hour), words.language),
        "moved": figures.count(round(freeze.moved_per_hour), words.language),
    }
    if freeze.total_s is None:
        return Prose(lines=[words("delta.diverges", **rates)], tone="warn")
    parts = {"crawl": _minutes(freeze.crawl_s), "move": _minutes(freeze.move_s)}
    return Prose(lines=[words("delta.freeze_is", **rates, **parts)])
