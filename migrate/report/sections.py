"""The chapters of the report: one function each, in the order of `SECTIONS`.

A section reads `Facts`, says everything through the catalogue, and builds blocks; it knows no HTML.
To add one: a function here, a line in `SECTIONS`, its texts in `texts.py`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

from migrate.report import acceptance, chapters, charts, cutover, figures, proofs
from migrate.report.blocks import Bars, Figures, Prose, Row, Section, Table, Tone, Verdict
from migrate.report.draw import book_columns, books, columns, figure, fingerprints, part, section, still, table, totals
from migrate.report.facts import LEVELS, Entry, Facts, Held, summed
from migrate.report.plots import split_bar
from migrate.report.texts import Words
from migrate.report.verdict import reasons, standing

SectionMaker = Callable[[Facts, Words], Section]


def summary(facts: Facts, words: Words) -> Section:
    """The verdict, the five figures everybody asks for, the four books as bars."""
    tone, key = standing(facts)
    verdict = Verdict(key=key, tone=tone, title=words(f"summary.{key}"), reasons=reasons(facts, words))
    items = [
        figure(words, "STUDY.source", facts.total("STUDY").source),
        *(part(words, facts.total(level)) for level in ("STUDY", "IMAGE", "BYTES")),
        figure(words, "exceptions.open", len(facts.open_exceptions)),
    ]
    return section(words, "summary", verdict, Figures(items=items), charts.books_bars(facts, words))


def balance(facts: Facts, words: Words) -> Section:
    """The books: in total, year by modality, by facility, and every line."""
    heads = columns(words, ("year", "text"), ("modality", "text"), ("facility", "text"), ("level", "level"))
    undated, unknown = words("book.undated"), words("book.unknown")
    ranks = {year: rank for rank, year in enumerate(charts.newest_first({e.year for e in facts.balance}))}
    lines = [
        (e.year or undated, e.modality or unknown, e.facility or unknown, e.level, *books(e)[:-1])
        for e in sorted(facts.balance, key=lambda e: (ranks[e.year], e.modality, e.facility, LEVELS.index(e.level)))
    ]
    every = table(words, "balance", [*heads, *book_columns(words, "amount")[:-1]], lines)
    matrix, by_facility = charts.year_matrix(facts, words), _facilities(facts, words)
    return section(words, "balance", totals(facts, words, "totals"), matrix, by_facility, every)


def exceptions(facts: Facts, words: Words) -> Section:
    """What is not simply migrated: by class, then study by study."""
    heads = columns(
        words,
        ("class", "code"),
        ("study", "study"),
        ("facility", "text"),
        ("disposition", "code"),
        ("owner", "text"),
        ("due", "date"),
        ("age", "days"),
        ("since", "date"),
        ("detail", "detail"),
    )
    rows = [
        (
            e.exception_class,
            e.study_instance_uid,
            e.facility,
            e.disposition,
            e.owner,
            e.due,
            e.age_days,
            e.since[:10],
            e.detail,
        )
        for e in facts.exceptions
    ]
    still_open = [e for e in facts.exceptions if e.disposition == "open"]
    late, nobody = sum(e.overdue for e in still_open), sum(not e.owner for e in still_open)
    items = [
        figure(words, "exceptions.undecided", len(still_open)),
        replace(figure(words, "exceptions.unowned", nobody), tone="warn" if nobody else "calm"),
        replace(figure(words, "exceptions.overdue", late), tone="bad" if late else "calm"),
    ]
    register = table(words, "exceptions", heads, rows)
    return section(words, "exceptions", Figures(items=items), _class_bars(facts, words), register)


def inventory(facts: Facts, words: Words) -> Section:
    """What the source holds: by year and modality, transfer syntax and SOP class."""
    items = [
        figure(words, "crawl.studies", facts.crawl.studies),
        figure(words, "crawl.series", facts.crawl.series),
        figure(words, "crawl.instances", facts.crawl.instances),
        figure(words, "crawl.undated", facts.crawl.undated_studies),
    ]
    by_level: list[tuple[str, figures.Kind]] = [("studies", "count"), ("series", "count"), ("instances", "count")]
    heads = columns(words, ("modality", "text"), *by_level, ("bytes", "bytes"))
    rows = [(h.key, h.studies, h.series, h.instances, h.size_bytes) for h in facts.held]
    return section(
        words,
        "inventory",
        Figures(items=items),
        charts.year_columns(facts, words),
        table(words, "held", heads, rows),
        _kinds("syntaxes", facts.syntaxes, words),
        _kinds("sop_classes", facts.sop_classes, words),
    )


def crawl(facts: Facts, words: Words) -> Section:
    """The crawl certificate: every window accounted for, and an estimate of what is still unseen."""
    found = facts.crawl
    said, tone = words("word.yes" if found.closed else "word.no"), _tone(good=found.closed)
    undiscovered = figure(words, "crawl.undiscovered", None)
    note = words("crawl.no_estimate")
    if found.estimate:
        estimate, low, high = (round(value) for value in found.estimate)
        undiscovered = replace(undiscovered, value=estimate)
        note = words("crawl.interval", low=figures.count(low, words.language), high=figures.count(high, words.language))
    items = [
        replace(figure(words, "crawl.closed", said, "text"), tone=tone),
        figure(words, "crawl.windows", sum(axis.windows for axis in found.axes)),
        figure(words, "crawl.capped", sum(axis.capped for axis in found.axes)),
        replace(undiscovered, note=note),
    ]
    heads = columns(
        words, ("axis", "code"), ("windows", "count"), ("closed", "count"), ("capped", "count"), ("matches", "count")
    )
    rows = [(a.axis, a.windows, a.closed, a.capped, a.matches) for a in found.axes]
    opened = columns(words, ("axis", "code"), ("from", "code"), ("to", "code"), ("why", "detail"), ("matches", "count"))
    return section(
        words,
        "crawl",
        Figures(items=items),
        Prose(lines=found.doubts, tone="warn") if found.doubts else None,
        table(words, "axes", heads, rows),
        table(words, "open_windows", opened, found.open_windows),
    )


def flow(facts: Facts, words: Words) -> Section:
    """How far the run is, and how fast it was."""
    states = table(words, "states", columns(words, ("state", "code"), ("studies", "count")), list(facts.states.items()))
    kinds: list[tuple[str, figures.Kind]] = [("instances", "count"), ("bytes", "bytes"), ("minutes", "count")]
    heads = columns(words, ("stage", "code"), *kinds, ("per_minute", "count"))
    rows = [(r.stage, r.instances, r.size_bytes, r.active_minutes, r.per_minute) for r in facts.rates]
    done = table(words, "rates", heads, rows)
    days = chapters.run_sheet(facts, words)
    return section(words, "flow", charts.flow_lines(facts, words), *chapters.forecast(facts, words), states, done, days)


def fidelity(facts: Facts, words: Words) -> Section:
    """How the copies were proven, and which could not be."""
    found = facts.fidelity
    differ = found.with_outcome("differs")
    items = [
        replace(figure(words, "fidelity.content", found.proven), tone="good"),
        replace(figure(words, "fidelity.differs", differ), tone=_tone(good=not differ)),
        figure(words, "fidelity.unverifiable", found.with_outcome("unverifiable")),
    ]
    heads = columns(words, ("method", "code"), ("outcome", "code"), ("instances", "count"))
    rows = [(method, outcome, n) for (method, outcome), n in sorted(found.proofs.items())]
    differing = columns(words, ("instance", "uid"), ("outcome", "code"), ("tags", "code"))
    return section(
        words,
        "fidelity",
        Figures(items=items),
        proofs.bound(facts, words),
        table(words, "proofs", heads, rows),
        proofs.first_missed(facts, words),
        proofs.uncounted(facts, words),
        proofs.alike(facts, words),
        _and_more(table(words, "differing", differing, found.differing), found.more_differing),
        Prose(lines=[words("fidelity.digest")]),
    )


def differences(facts: Facts, words: Words) -> Section:
    """What the walk over both sides found."""
    found = facts.differences
    heads = columns(words, ("level", "code"), ("outcome", "code"), ("lines", "count"))
    rows = [(level, outcome, n) for (level, outcome), n in sorted(found.counts.items())]
    lines = columns(
        words, ("level", "code"), ("uid", "uid"), ("outcome", "code"), ("class", "code"), ("detail", "detail")
    )
    return section(
        words,
        "differences",
        table(words, "finding_counts", heads, rows),
        _and_more(table(words, "findings", lines, found.lines), found.more_lines),
    )


def changes(facts: Facts, words: Words) -> Section:
    """What the rules changed."""
    kinds: list[tuple[str, figures.Kind]] = [
        ("rule", "code"),
        ("pack", "code"),
        ("version", "code"),
        ("keyword", "code"),
    ]
    heads = columns(words, *kinds, ("identifying", "text"), ("instances", "count"))
    said = {True: words("word.yes"), False: words("word.no")}
    rows = [(c.rule, c.pack, c.pack_version, c.keyword, said[c.identifying], c.instances) for c in facts.changes]
    return section(words, "changes", table(words, "changes", heads, rows))


def facts_of_the_run(facts: Facts, words: Words) -> Section:
    """Configuration, versions, times, fingerprints."""
    pair = columns(words, ("key", "text"), ("value", "code"))
    times = [(words("facts.started"), facts.started_at), (words("facts.ended"), facts.ended_at)]
    return section(
        words,
        "facts",
        still(words, "versions", pair, [*facts.versions, *times]),
        _runs(facts, words),
        still(words, "config", pair, facts.config),
        fingerprints(words, "digests", facts.digests),
    )


SECTIONS: dict[str, SectionMaker] = {
    "summary": summary,
    "balance": balance,
    "exceptions": exceptions,
    "inventory": inventory,
    "crawl": crawl,
    "flow": flow,
    "fidelity": fidelity,
    "differences": differences,
    "changes": changes,
    "delta": cutover.delta,
    "overlap": chapters.overlap,
    "facts": facts_of_the_run,
    "certificate": acceptance.certificate,
}


def _runs(facts: Facts, words: Words) -> Table:
    heads = columns(
        words,
        *(("at", "code"), ("operator", "text"), ("account", "code")),
        *(("stages", "code"), ("version", "code"), ("pack", "code")),
    )
    rows = [(r.at[:19], r.operator, r.os_user, r.stages, r.version, r.packs) for r in facts.runs]
    return table(words, "runs", heads, rows)


def _tone(*, good: bool) -> Tone:
    return "good" if good else "bad"


def _and_more(drawn: Table, more: int) -> Table:
    """The same table, with rows that the facts did not carry."""
    return replace(drawn, more_rows=drawn.more_rows + more)


def _class_bars(facts: Facts, words: Words) -> Bars | None:
    by_class = Counter(line.exception_class for line in facts.exceptions)
    most = max(by_class.values(), default=0)
    bars = [
        (name, figures.count(n, words.language), split_bar([("failed", n)], most, f"{name}: {n}"))
        for name, n in by_class.most_common()
    ]
    return Bars(key="classes", caption=words("exceptions.classes"), legend=(), bars=bars) if bars else None


def _facilities(facts: Facts, words: Words) -> Table:
    by_facility: dict[str, list[Entry]] = defaultdict(list)
    for entry in facts.balance:
        if entry.level == "STUDY":
            by_facility[entry.facility].append(entry)
    rows: list[Row] = [
        (name or words("book.unknown"), *books(summed(lines, "STUDY"))) for name, lines in sorted(by_facility.items())
    ]
    heads = [*columns(words, ("facility", "text")), *book_columns(words, "count")]
    total = (words("book.total"), *books(facts.total("STUDY")))
    return replace(table(words, "facilities", heads, rows), total_row=total if rows else None)


def _kinds(key: str, held: Sequence[Held], words: Words) -> Table:
    heads = columns(words, ("name", "text"), ("uid", "code"), ("instances", "count"), ("bytes", "bytes"))
    return table(words, key, heads, [(h.name, h.key, h.instances, h.size_bytes) for h in held])
