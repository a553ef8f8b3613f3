"""The chapter on fidelity beyond single instances: what samples prove, what is missed first, what looks alike."""

from __future__ import annotations

import math
from collections import Counter

import pyarrow.compute as pc

from migrate.manifest.by_study import KEY, by_study, first_of
from migrate.manifest.read import arrow_batches
from migrate.profiles import load_profile
from migrate.report import figures
from migrate.report.blocks import Prose, Row, Table
from migrate.report.draw import columns, still
from migrate.report.facts import Acceptance, Facts
from migrate.report.run import Run
from migrate.report.texts import Words

BOUND_PLACES = 4


def acceptance(run: Run) -> Acceptance | None:
    """The line for all studies of the table `acceptance`; None before reconcile."""
    for row in run.table("acceptance").to_pylist():
        if row["scope"] == "all" and row["studies"]:
            return Acceptance(**{name: row[name] for name in Acceptance.__dataclass_fields__})
    return None


def census(run: Run) -> list[tuple[str, int, int]]:
    """Kind, instances as received, instances as given back: the latest attempt of each study."""
    counts: Counter[tuple[str, str]] = Counter()
    for rows in by_study(run.path, {"census": ("kind", "source", "destination", "attempt")}):
        latest = first_of(rows["census"], [KEY, "kind"], [("attempt", "descending")])
        summed = latest.group_by("kind").aggregate([("source", "sum"), ("destination", "sum")])
        for row in summed.to_pylist():
            counts[row["kind"], "source"] += row["source_sum"]
            counts[row["kind"], "destination"] += row["destination_sum"]
    return [
        (kind, counts[kind, "source"], counts[kind, "destination"]) for kind in sorted({kind for kind, _ in counts})
    ]


def keeps_outside(run: Run) -> str:
    """The source's product as `assess` told it, where that one keeps annotations outside its DICOM objects; else ""."""
    profile = load_profile(run.path, "source")
    return (profile.product or profile.peer or "?") if profile.kept_outside_dicom else ""


def lookalikes(run: Run) -> list[tuple[str, str, int]]:
    """Kind, policy, pairs of the table `forensics`."""
    counts: Counter[tuple[str, str]] = Counter()
    for batch in arrow_batches(run.path, "forensics", ["kind", "policy"]):
        for found in pc.value_counts(pc.binary_join_element_wise(batch["kind"], batch["policy"], "\x1f")).to_pylist():
            kind, _, policy = found["values"].partition("\x1f")
            counts[kind, policy] += found["counts"]
    return [(kind, policy, count) for (kind, policy), count in sorted(counts.items())]


def bound(facts: Facts, words: Words) -> Prose | None:
    """The bound that was reached, as one sentence."""
    found, language = facts.fidelity.acceptance, words.language
    if found is None:
        return None
    counts = {name: figures.count(getattr(found, name), language) for name in ("studies", "compared", "defective")}
    key = "fidelity.all_compared" if found.compared >= found.studies else "fidelity.bound"
    confidence = figures.share(found.confidence, language, 0)
    # Rounded up: a claim may say less than what was proven, never more.
    upper = math.ceil(found.bound * 10 ** (BOUND_PLACES + 2)) / 10 ** (BOUND_PLACES + 2)
    said = words(key, **counts, confidence=confidence, bound=figures.share(upper, language, BOUND_PLACES))
    return Prose(lines=[said], tone="warn" if found.defective else "calm")


def first_missed(facts: Facts, words: Words) -> Table:
    """What radiologists miss first, source against destination."""
    heads = columns(
        words, ("kind", "code"), ("at_source", "count"), ("at_destination", "count"), ("taken_away", "count")
    )
    rows: list[Row] = [(kind, source, held, max(0, source - held)) for kind, source, held in facts.fidelity.census]
    return still(words, "census", heads, rows)


def uncounted(facts: Facts, words: Words) -> Prose | None:
    """The warning beside that table: what is not in DICOM objects cannot be counted."""
    if not facts.fidelity.keeps_outside:
        return None
    return Prose(lines=[words("fidelity.outside", product=facts.fidelity.keeps_outside)], tone="warn")


def alike(facts: Facts, words: Words) -> Table:
    """Objects that share a UID or their pixels, and what is done about it."""
    heads = columns(words, ("kind", "code"), ("policy", "text"), ("pairs", "count"))
    return still(words, "lookalikes", heads, list(facts.fidelity.lookalikes))
