"""The chapters of the report: one function each, in the order of `SECTIONS`.

A section reads `Facts`, says everything through the catalogue, and builds blocks; it knows no HTML.
To add one: a function here, a line in `SECTIONS`, its texts in `texts.py`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from migrate.report import charts, figures
from migrate.report.blocks import (
    MAX_PAGE_ROWS,
    Bars,
    Block,
    Column,
    Figure,
    Figures,
    Prose,
    Row,
    Section,
    Signatures,
    Table,
    Tone,
    Verdict,
)
from migrate.report.facts import BOOKS, LEVELS, Entry, Facts, Held, summed
from migrate.report.plots import split_bar
from migrate.report.texts import Words
from migrate.report.verdict import reasons, standing

SectionMaker = Callable[[Facts, Words], Section]


def summary(facts: Facts, words: Words) -> Section:
    """The verdict, the five figures everybody asks for, the four books as bars."""
    tone, key = standing(facts)
    study, image, size = facts.total("STUDY"), facts.total("IMAGE"), facts.total("BYTES")
    verdict = Verdict(key=key, tone=tone, title=words(f"summary.{key}"), reasons=reasons(facts, words))
    items = [
        Figure(key="STUDY.source", label=words("summary.studies"), value=study.source),
        _part("STUDY.migrated", words("summary.migrated"), study, words),
        _part("IMAGE.migrated", words("summary.instances"), image, words),
        _part("BYTES.migrated", words("summary.bytes"), size, words),
        Figure(key="exceptions.open", label=words("summary.open"), value=len(facts.open_exceptions)),
    ]
    return _section("summary", words, [verdict, Figures(items=items), charts.books_bars(facts, words)])


def balance(facts: Facts, words: Words) -> Section:
    """The books: in total, year by modality, by facility, and every line."""
    totals = [(level, *_books(facts.total(level))) for level in LEVELS]
    lines = [
        (e.year or words("book.undated"), e.modality, e.facility, e.level, *_books(e)[:-1]) for e in facts.balance
    ]
    heads = [Column(key=key, label=words(f"word.{key}")) for key in ("year", "modality", "facility")]
    heads.append(Column(key="level", label=words("word.level"), kind="level"))
    matrix = charts.year_matrix(facts, words)
    blocks: list[Block] = [
        _totals_table(totals, words),
        *([matrix] if matrix else []),
        _facilities(facts, words),
        _table("balance", words("balance.lines"), [*heads, *_book_columns(words, "amount")[:-1]], lines, words("balance.empty")),
    ]
    return _section("balance", words, blocks)


def exceptions(facts: Facts, words: Words) -> Section:
    """What is not simply migrated: by class, then study by study."""
    by_class = Counter(line.exception_class for line in facts.exceptions)
    most = max(by_class.values(), default=0)
    bars = [
        (name, figures.count(n, words.language), split_bar([("failed", n)], most, f"{name}: {n}"))
        for name, n in by_class.most_common()
    ]
    columns = [
        Column(key="class", label=words("word.class"), kind="code"),
        Column(key="study", label=words("word.study"), kind="study"),
        Column(key="facility", label=words("word.facility")),
        Column(key="state", label=words("word.state"), kind="code"),
        Column(key="detail", label=words("word.detail")),
        Column(key="since", label=words("word.since"), kind="date"),
        Column(key="age", label=words("word.age"), kind="days"),
    ]
    rows = [
        (e.exception_class, e.study_instance_uid, e.facility, e.state, e.detail, e.since[:10], e.age_days)
        for e in facts.exceptions
    ]
    register = _table("exceptions", words("exceptions.register"), columns, rows, words("exceptions.empty"))
    picture = [Bars(key="classes", caption=words("exceptions.classes"), legend=(), bars=bars)] if bars else []
    return _section("exceptions", words, [*picture, register])


def inventory(facts: Facts, words: Words) -> Section:
    """What the source holds: by year and modality, transfer syntax and SOP class."""
    empty = words("inventory.empty")
    chart = charts.year_columns(facts, words)
    kinds = _held_columns(words)
    items = [
        Figure(key="crawl.series", label=words("inventory.series"), value=facts.crawl.series),
        Figure(key="crawl.instances", label=words("inventory.instances"), value=facts.crawl.instances),
    ]
    return _section(
        "inventory",
        words,
        [
            Figures(items=items),
            *([chart] if chart else []),
            _table("held", words("inventory.by_modality"), _modality_columns(words), _modalities(facts), empty),
            _table("syntaxes", words("inventory.syntaxes"), kinds, _kinds(facts.syntaxes), empty),
            _table("sop_classes", words("inventory.sop_classes"), kinds[:-1], [r[:-1] for r in _kinds(facts.sop_classes)], empty),
        ],
    )


def crawl(facts: Facts, words: Words) -> Section:
    """The crawl certificate: every window accounted for, and an estimate of what is still unseen."""
    found = facts.crawl
    note, estimate = words("crawl.no_estimate"), None
    if found.estimate:
        estimate, low, high = (round(value) for value in found.estimate)
        note = words("crawl.interval", low=figures.count(low, words.language), high=figures.count(high, words.language))
    closed = words("word.yes") if found.closed else words("word.no")
    items = [
        Figure(key="crawl.closed", label=words("crawl.closed"), value=closed, kind="text", tone="good" if found.closed else "bad"),
        Figure(key="crawl.windows", label=words("word.windows"), value=sum(a.windows for a in found.axes)),
        Figure(key="crawl.capped", label=words("word.capped"), value=sum(a.capped for a in found.axes)),
        Figure(key="crawl.undated", label=words("crawl.undated"), value=found.undated_studies),
        Figure(key="crawl.undiscovered", label=words("crawl.estimate"), value=estimate, note=note),
    ]
    keys = ("windows", "closed", "capped", "matches")
    columns = [Column(key="axis", label=words("word.axis"), kind="code")]
    columns += [Column(key=key, label=words(f"word.{key}"), kind="count") for key in keys]
    rows = [(a.axis, a.windows, a.closed, a.capped, a.matches) for a in found.axes]
    heads = [Column(key=key, label=words(f"word.{key}"), kind="code") for key in ("axis", "from", "to", "status")]
    opened = [*heads, Column(key="matches", label=words("word.matches"), kind="count")]
    blocks = [
        Figures(items=items),
        _table("axes", words("crawl.axes"), columns, rows, words("reason.not_crawled")),
        _table("open_windows", words("crawl.open"), opened, list(found.open_windows), words("crawl.none_open")),
    ]
    return _section("crawl", words, blocks)


def flow(facts: Facts, words: Words) -> Section:
    """How far the run is, and how fast it was."""
    chart = charts.flow_lines(facts, words)
    states = [Column(key="state", label=words("word.state"), kind="code"), Column(key="studies", label=words("level.STUDY"), kind="count")]
    rates = [
        Column(key="stage", label=words("word.stage"), kind="code"),
        Column(key="instances", label=words("level.IMAGE"), kind="count"),
        Column(key="bytes", label=words("level.BYTES"), kind="bytes"),
        Column(key="minutes", label=words("word.minutes"), kind="count"),
        Column(key="per_minute", label=words("word.per_minute"), kind="count"),
    ]
    rows = [(r.stage, r.instances, r.size_bytes, r.active_minutes, r.instances // max(r.active_minutes, 1)) for r in facts.rates]
    blocks: list[Block] = [
        *([chart] if chart else []),
        _table("states", words("flow.states"), states, list(facts.states.items()), words("flow.empty")),
        _table("rates", words("flow.rates"), rates, rows, words("flow.empty")),
    ]
    return _section("flow", words, blocks)


def fidelity(facts: Facts, words: Words) -> Section:
    """How the copies were proven, and which could not be."""
    found = facts.fidelity
    by_outcome: Counter[str] = Counter()
    for (_, outcome), instances in found.proofs.items():
        by_outcome[outcome] += instances
    proven = found.proofs.get(("content", "match"), 0)
    items = [
        Figure(key="fidelity.content", label=words("fidelity.content"), value=proven, tone="good"),
        Figure(key="fidelity.differs", label=words("fidelity.differs"), value=by_outcome["differs"], tone="bad" if by_outcome["differs"] else "calm"),
        Figure(key="fidelity.unverifiable", label=words("fidelity.unverifiable"), value=by_outcome["unverifiable"]),
    ]
    columns = [Column(key=key, label=words(f"word.{key}"), kind="code") for key in ("method", "outcome")]
    columns.append(Column(key="instances", label=words("level.IMAGE"), kind="count"))
    rows = [(method, outcome, n) for (method, outcome), n in sorted(found.proofs.items())]
    differing = [
        Column(key="instance", label=words("word.instance"), kind="uid"),
        Column(key="outcome", label=words("word.outcome"), kind="code"),
        Column(key="tags", label=words("word.tags"), kind="code"),
    ]
    blocks = [
        Figures(items=items),
        _table("proofs", words("fidelity.proofs"), columns, rows, words("fidelity.empty")),
        _table("differing", words("fidelity.differing"), differing, found.differing, words("fidelity.none_differing"), found.more_differing),
        Prose(lines=[words("fidelity.digest")]),
    ]
    return _section("fidelity", words, blocks)


def differences(facts: Facts, words: Words) -> Section:
    """What the walk over both sides found."""
    found = facts.differences
    columns = [Column(key=key, label=words(f"word.{key}"), kind="code") for key in ("level", "outcome")]
    columns.append(Column(key="lines", label=words("word.lines"), kind="count"))
    rows = [(level, outcome, n) for (level, outcome), n in sorted(found.counts.items())]
    lines = [
        Column(key="level", label=words("word.level"), kind="code"),
        Column(key="uid", label=words("word.uid"), kind="uid"),
        Column(key="outcome", label=words("word.outcome"), kind="code"),
        Column(key="class", label=words("word.class"), kind="code"),
        Column(key="detail", label=words("word.detail")),
    ]
    empty = words("differences.empty")
    blocks = [
        _table("finding_counts", words("differences.counts"), columns, rows, empty),
        _table("findings", words("differences.lines"), lines, found.lines, empty, found.more_lines),
    ]
    return _section("differences", words, blocks)


def changes(facts: Facts, words: Words) -> Section:
    """What the rules changed."""
    keys = ("rule", "pack", "version", "keyword")
    columns = [Column(key=key, label=words(f"word.{key}"), kind="code") for key in keys]
    columns += [Column(key="identifying", label=words("word.identifying")), Column(key="instances", label=words("level.IMAGE"), kind="count")]
    said = {True: words("word.yes"), False: words("word.no")}
    rows = [(c.rule, c.pack, c.pack_version, c.keyword, said[c.identifying], c.instances) for c in facts.changes]
    return _section("changes", words, [_table("changes", words("changes.table"), columns, rows, words("changes.empty"))])


def facts_of_the_run(facts: Facts, words: Words) -> Section:
    """Configuration, versions, times, fingerprints."""
    pair = [Column(key="key", label=words("word.key"), kind="code"), Column(key="value", label=words("word.value"), kind="code")]
    times = [(words("facts.started"), facts.started_at), (words("facts.ended"), facts.ended_at)]
    blocks = [
        _table("versions", words("facts.versions"), pair, [*facts.versions, *times], ""),
        _table("config", words("facts.config"), pair, list(facts.config), ""),
        _digests(facts, words, "digests"),
    ]
    return _section("facts", words, blocks)


def certificate(facts: Facts, words: Words) -> Section:
    """One page to print and to sign."""
    tone, key = standing(facts)
    lead = words("certificate.lead", name=facts.name, source=facts.source, destination=facts.destination, at=facts.generated_at)
    totals = [(level, *_books(facts.total(level))) for level in LEVELS]
    accepted = Counter((e.exception_class, e.state) for e in facts.exceptions)
    columns = [Column(key=key, label=words(f"word.{key}"), kind="code") for key in ("class", "state")]
    columns.append(Column(key="studies", label=words("level.STUDY"), kind="count"))
    rows = [(name, state, n) for (name, state), n in sorted(accepted.items())]
    blocks: list[Block] = [
        Verdict(key=key, tone=tone, title=words(f"summary.{key}"), reasons=()),
        *([Prose(lines=[words("certificate.draft")], tone="warn")] if key not in {"complete", "exceptions"} else []),
        _totals_table(totals, words, key="certificate_totals", caption=words("certificate.scope")),
        _table("accepted", words("certificate.accepted"), columns, rows, words("exceptions.empty")),
        _digests(facts, words, "certificate_digests"),
        Signatures(
            declaration=words("certificate.declaration"),
            roles=[words(f"sign.{role}") for role in ("migration", "imaging", "repository")],
            labels=[words(f"sign.{label}") for label in ("name", "signature", "date")],
        ),
    ]
    return Section(key="certificate", title=words("certificate.title"), lead=lead, blocks=blocks)


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
    "facts": facts_of_the_run,
    "certificate": certificate,
}


def _section(key: str, words: Words, blocks: Sequence[Block]) -> Section:
    return Section(key=key, title=words(f"{key}.title"), lead=words(f"{key}.lead"), blocks=blocks)


def _part(key: str, label: str, total: Entry, words: Words) -> Figure:
    kind: figures.Kind = "bytes" if total.level == "BYTES" else "count"
    whole = figures.written(total.source, kind, words.language)
    return Figure(key=key, label=label, value=total.migrated, kind=kind, note=words("summary.of", whole=whole), tone="good")


def _books(entry: Entry) -> tuple[int | float | None, ...]:
    share = entry.migrated / entry.source if entry.source else None
    return (entry.source, *(getattr(entry, book) for book in BOOKS), share)


def _book_columns(words: Words, kind: figures.Kind = "count") -> list[Column]:
    counts = [Column(key=book, label=words(f"book.{book}"), kind=kind) for book in ("source", *BOOKS)]
    return [*counts, Column(key="share", label=words("book.share"), kind="share")]


def _totals_table(rows: Sequence[Row], words: Words, key: str = "totals", caption: str = "") -> Table:
    columns = [Column(key="level", label=words("word.level"), kind="level"), *_book_columns(words, "amount")]
    return Table(key=key, caption=caption or words("balance.totals"), columns=columns, rows=rows, static=True)


def _facilities(facts: Facts, words: Words) -> Table:
    by_facility: dict[str, list[Entry]] = defaultdict(list)
    for entry in facts.balance:
        if entry.level == "STUDY":
            by_facility[entry.facility].append(entry)
    rows = [(name or words("book.unknown"), *_books(summed(lines, level="STUDY"))) for name, lines in sorted(by_facility.items())]
    columns = [Column(key="facility", label=words("word.facility")), *_book_columns(words)]
    total = (words("book.total"), *_books(facts.total("STUDY")))
    caption, empty = words("balance.facilities"), words("balance.empty")
    return Table(key="facilities", caption=caption, columns=columns, rows=rows, total_row=total if rows else None, empty=empty)


def _modality_columns(words: Words) -> list[Column]:
    levels = [Column(key=level, label=words(f"level.{level}"), kind="count") for level in LEVELS[:-1]]
    size = Column(key="BYTES", label=words("level.BYTES"), kind="bytes")
    return [Column(key="modality", label=words("word.modality")), *levels, size]


def _modalities(facts: Facts) -> list[Row]:
    return [(h.key, h.studies, h.series, h.instances, h.size_bytes) for h in facts.held]


def _held_columns(words: Words) -> list[Column]:
    return [
        Column(key="name", label=words("word.name")),
        Column(key="uid", label=words("word.uid"), kind="code"),
        Column(key="instances", label=words("level.IMAGE"), kind="count"),
        Column(key="bytes", label=words("level.BYTES"), kind="bytes"),
    ]


def _kinds(held: Sequence[Held]) -> list[Row]:
    return [(h.name, h.key, h.instances, h.size_bytes) for h in held]


def _digests(facts: Facts, words: Words, key: str) -> Table:
    columns = [
        Column(key="table", label=words("word.table"), kind="code"),
        Column(key="files", label=words("word.files"), kind="count"),
        Column(key="rows", label=words("word.rows"), kind="count"),
        Column(key="digest", label=words("word.digest"), kind="code"),
    ]
    caption = words("certificate.digests") if key.startswith("certificate") else words("facts.digests")
    return _table(key, caption, columns, [(d.table, d.files, d.rows, d.xxh3) for d in facts.digests], "")


def _table(key: str, caption: str, columns: Sequence[Column], rows: Sequence[Row], empty: str, more: int = 0) -> Table:
    shown, left = rows[:MAX_PAGE_ROWS], max(len(rows) - MAX_PAGE_ROWS, 0)
    return Table(key=key, caption=caption, columns=columns, rows=shown, empty=empty, more_rows=more + left)


__all__ = ["SECTIONS", "SectionMaker", "Tone"]
