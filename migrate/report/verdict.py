"""Where the run stands, in one word, and what speaks for or against it.

An unbalanced migration, or one whose crawl is not closed, can never be called complete.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from migrate.report import figures
from migrate.report.blocks import Tone
from migrate.report.facts import Facts
from migrate.report.texts import Words

Standing = Literal["no_balance", "unbalanced", "stale", "open_crawl", "in_progress", "exceptions", "complete"]


SIGNABLE: frozenset[Standing] = frozenset({"complete", "exceptions"})


def standing(facts: Facts) -> tuple[Tone, Standing]:
    """The worst thing that is true of the run; `complete` only when none is."""
    study = facts.total("STUDY")
    ladder: tuple[tuple[bool, Tone, Standing], ...] = (
        (not facts.balance, "bad", "no_balance"),
        (not facts.balanced, "bad", "unbalanced"),
        (facts.stale, "bad", "stale"),
        (not facts.crawl.closed, "bad", "open_crawl"),
        (study.pending > 0 or facts.total("IMAGE").pending > 0, "calm", "in_progress"),
        (study.failed > 0, "warn", "exceptions"),
    )
    return next(((tone, key) for true, tone, key in ladder if true), ("good", "complete"))


def reasons(facts: Facts, words: Words) -> list[tuple[Tone, str]]:
    """The facts behind the verdict, the books first."""
    if not facts.balance:
        return [("bad", words("reason.no_balance"))]
    return [*_of_the_books(facts, words), *_of_the_crawl(facts, words), *_of_the_content(facts, words)]


def _of_the_books(facts: Facts, words: Words) -> Iterator[tuple[Tone, str]]:
    study, language = facts.total("STUDY"), words.language
    wrong = sum(not entry.balances for entry in facts.balance)
    if wrong:
        yield "bad", words("reason.unbalanced", lines=figures.count(wrong, language))
    else:
        yield "good", words("reason.balanced", lines=figures.count(len(facts.balance), language))
    if facts.stale:
        yield "bad", words("reason.stale")
    if study.pending:
        yield "calm", words("reason.pending", studies=figures.count(study.pending, language))
    if study.failed:
        yield "warn", words("reason.failed", studies=figures.count(study.failed, language))
    else:
        yield "good", words("reason.none_failed")
    if study.excluded:
        yield "calm", words("reason.excluded", studies=figures.count(study.excluded, language))


def _of_the_crawl(facts: Facts, words: Words) -> Iterator[tuple[Tone, str]]:
    windows = sum(axis.windows for axis in facts.crawl.axes)
    if facts.crawl.closed:
        yield "good", words("reason.closed", windows=figures.count(windows, words.language))
    elif windows:
        left = windows - sum(axis.closed for axis in facts.crawl.axes)
        yield "bad", words("reason.not_closed", windows=figures.count(left, words.language))
    else:
        yield "bad", words("reason.not_crawled")


def _of_the_content(facts: Facts, words: Words) -> Iterator[tuple[Tone, str]]:
    proven = facts.fidelity.proven
    differs = facts.fidelity.with_outcome("differs")
    if proven:
        yield "good", words("reason.content", instances=figures.count(proven, words.language))
    if differs:
        yield "warn", words("reason.differs", instances=figures.count(differs, words.language))
