"""The chapter that people sign: scope, balance, what is proven, what is decided, and what it rests on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from migrate.report import figures, proofs
from migrate.report.blocks import Prose, Section, Signatures, Table, Verdict
from migrate.report.draw import columns, fingerprints, section, still, totals
from migrate.report.facts import Facts
from migrate.report.texts import Words
from migrate.report.verdict import SIGNABLE, reasons, standing


def certificate(facts: Facts, words: Words) -> Section:
    """One page to print and to sign."""
    tone, key = standing(facts)
    draft = None if key in SIGNABLE else Prose(lines=[words("certificate.draft")], tone="warn")
    page = section(
        words,
        "certificate",
        Verdict(key=key, tone=tone, title=words(f"summary.{key}"), reasons=reasons(facts, words)),
        draft,
        totals(facts, words, "certificate_totals"),
        proofs.bound(facts, words),
        _undecided(facts, words),
        _circumstances(facts, words),
        _decided(facts, words),
        fingerprints(words, "certificate_digests", facts.digests),
        Signatures(
            declaration=words("certificate.declaration"),
            roles=[words(f"sign.{role}") for role in ("migration", "imaging", "repository")],
            labels=[words(f"sign.{label}") for label in ("name", "signature", "date")],
        ),
    )
    scope = words("certificate.scope", name=facts.name, source=facts.source, destination=facts.destination)
    return replace(page, lead=f"{scope} {words('page.generated', at=facts.generated_at)}.")


def _decided(facts: Facts, words: Words) -> Table:
    """What is not migrated, by class and by what somebody decided about it."""
    counts = Counter((e.exception_class, e.disposition) for e in facts.exceptions)
    heads = columns(words, ("class", "code"), ("disposition", "code"), ("studies", "count"))
    return still(words, "accepted", heads, [(*pair, n) for pair, n in sorted(counts.items())])


def _undecided(facts: Facts, words: Words) -> Prose | None:
    """Nobody accepts by signing what nobody has decided."""
    count = sum(e.disposition == "open" for e in facts.exceptions)
    if not count:
        return None
    return Prose(lines=[words("certificate.undecided", studies=figures.count(count, words.language))], tone="warn")


def _circumstances(facts: Facts, words: Words) -> Prose | None:
    """Who ran it, beside the lines where others sign, and by which rules."""
    names = ", ".join(dict.fromkeys(run.operator for run in facts.runs))
    packs = sorted({(change.pack, change.pack_version) for change in facts.changes})
    lines = [words("certificate.operators", names=names)] if names else []
    if packs:
        lines.append(words("certificate.packs", packs=", ".join(f"{pack} {version}" for pack, version in packs)))
    if facts.four_eyes:
        lines.append(words("certificate.four_eyes"))
    return Prose(lines=lines) if lines else None
