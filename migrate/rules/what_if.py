"""What the rules would do, before a byte moves: over crawled rows, or over headers at hand.

Over rows it is an estimate from above: an attribute that was not crawled counts as absent, and studies where
that decided are counted in `undecided` too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import combinations

from migrate.dicom.dictionary import keyword_of, tag_path, vr_of
from migrate.dicom.element import Element
from migrate.dicom.header import Header
from migrate.dicom.published import KEYWORDS
from migrate.dicom.syntax import EXPLICIT_VR_LITTLE_ENDIAN, syntax_of
from migrate.rules.apply import Normalized, Step, steps_of
from migrate.rules.draft import Draft
from migrate.rules.identifying import IDENTIFYING, identifies
from migrate.rules.rule import RunFacts
from migrate.rules.ruleset import BoundRule, Inactive, RuleSet

MASK = "•••"
MOST_UNMAPPED = 10_000
MODALITY = 0x00080060
MODALITIES_IN_STUDY = 0x00080061


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """One study as known so far. `known` None: the header is whole; else only these tags were asked for."""

    study_instance_uid: str
    header: Header
    facility: str = ""
    known: frozenset[int] | None = None

    def draft(self) -> Draft:
        """What rules look at."""
        return Draft(self.header, self.known)


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleEffect:
    """What one rule would do.

    Args:
        rule: `pack.name`.
        pack_version: The pack's version.
        sentence: What it does.
        studies: It would change something in these.
        undecided: Of those, studies where an attribute that was not crawled may decide otherwise.
        refused: Studies where it could not do its work.
        flagged: Studies where it would report something.
        facilities: Facility -> studies.
    """

    rule: str
    pack_version: str
    sentence: str
    studies: int
    undecided: int
    refused: int
    flagged: int
    facilities: Mapping[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Unmapped:
    """A value that a table has no entry for; identifying values are masked."""

    rule: str
    keyword: str
    value: str
    studies: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlap:
    """Two rules that would write one attribute of one study; the later one is meant to build on the first."""

    first: str
    second: str
    keyword: str
    studies: int


@dataclass(frozen=True, kw_only=True, slots=True)
class WhatIf:
    """The whole answer."""

    studies: int
    effects: tuple[RuleEffect, ...]
    inactive: tuple[Inactive, ...]
    overlaps: tuple[Overlap, ...]
    unmapped: tuple[Unmapped, ...]


@dataclass(slots=True)
class _Counts:
    studies: int = 0
    touched: Counter[str] = field(default_factory=Counter)
    undecided: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    flagged: Counter[str] = field(default_factory=Counter)
    facilities: dict[str, Counter[str]] = field(default_factory=dict)
    overlaps: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    unmapped: Counter[tuple[str, int, str]] = field(default_factory=Counter)


def what_if(seen: Iterable[Seen], rules: RuleSet, facts: RunFacts, *, top: int = 20) -> WhatIf:
    """Run the rules over studies without writing anything.

    Args:
        seen: One for each study (for headers: one representative of each study).
        rules: From `packs.load`.
        facts: As for `normalize`; the facility comes from `seen`.
        top: How many values without a mapping to list for all rules together.
    """
    counts = _Counts()
    for study in seen:
        _count(counts, study, rules, replace(facts, facility=study.facility))
    return WhatIf(
        studies=counts.studies,
        effects=tuple(_effect(counts, bound) for bound in rules.rules),
        inactive=rules.inactive,
        overlaps=tuple(_overlaps(counts)),
        unmapped=tuple(_unmapped(counts, top)),
    )


def seen_in_rows(rows: Iterable[Mapping[str, object]]) -> Iterator[Seen]:
    """Crawled rows as what is known of each study.

    Columns are DICOM keywords in snake case (`study_date`, `accession_number`, …), and `facility`. None
    means not known; "" means known to be empty.
    """
    for row in rows:
        known = {tag: value for name, value in row.items() if value is not None and (tag := _tag_of(name))}
        if MODALITY not in known and MODALITIES_IN_STUDY in known:
            known[MODALITY] = known[MODALITIES_IN_STUDY]
        yield Seen(
            study_instance_uid=str(row.get("study_instance_uid") or ""),
            header=_header(known),
            facility=str(row.get("facility") or ""),
            known=frozenset(known),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class DiffRow:
    """One line of a side-by-side view: `=` same, `+` added, `-` left out, `*` changed."""

    sign: str
    path: str
    keyword: str
    before: str | None
    after: str | None
    rule: str = ""


def diff(header: Header, normalized: Normalized, *, show_identifying: bool = False) -> list[DiffRow]:
    """One object before and after, in the order of its tags.

    Args:
        header: As received.
        normalized: From `apply.normalize`.
        show_identifying: Also show a patient's numbers, names and dates; masked otherwise.
    """
    rows = [
        DiffRow(
            sign="+" if change.before is None else "-" if change.after is None else "*",
            path=change.path,
            keyword=change.keyword,
            before=_masked(change.before, hide=change.identifying and not show_identifying),
            after=_masked(change.after, hide=change.identifying and not show_identifying),
            rule=change.rule,
        )
        for change in normalized.changes
    ]
    changed = {row.path[:8] for row in rows}
    same = (_same_row(header, tag, show_identifying) for tag in header.elements if tag_path(tag) not in changed)
    return sorted([*rows, *same], key=lambda row: row.path)


def _same_row(header: Header, tag: int, show: bool) -> DiffRow:  # noqa: FBT001 - as asked by the caller
    element = header.elements[tag]
    if element.items is not None:
        text: str | None = f"{len(element.items)} item{'' if len(element.items) == 1 else 's'}"
    elif element.value is None:
        text = "bulk data"
    else:
        text = header.lenient_text(tag) if element.vr not in _BINARY else f"{len(element.value)} bytes"
    hidden = _masked(text, hide=not show and (identifies(tag, element.vr)))
    return DiffRow(sign="=", path=tag_path(tag), keyword=keyword_of(tag), before=hidden, after=hidden)


_BINARY = frozenset({"AT", "FD", "FL", "OB", "OD", "OF", "OL", "OV", "OW", "SL", "SS", "SV", "UL", "UN", "US", "UV"})


def _masked(text: str | None, *, hide: bool) -> str | None:
    return MASK if hide and text else text


def _count(counts: _Counts, study: Seen, rules: RuleSet, facts: RunFacts) -> None:
    counts.studies += 1
    steps = list(steps_of(study.draft(), rules, facts))
    for step in steps:
        _count_step(counts, study, step)
    for first, second in combinations([step for step in steps if step.edits], 2):
        for tag in {edit.tag for edit in first.edits} & {edit.tag for edit in second.edits}:
            counts.overlaps[first.bound.full_name, second.bound.full_name, tag] += 1
    received = study.draft()
    for bound in rules.rules:
        if bound.condition.holds(received, facts) is not False:
            _count_unmapped(counts, bound, received, facts)


def _count_step(counts: _Counts, study: Seen, step: Step) -> None:
    name = step.bound.full_name
    counts.refused[name] += bool(step.refused)
    counts.flagged[name] += bool(step.flags)
    if step.edits:
        counts.touched[name] += 1
        counts.facilities.setdefault(name, Counter())[study.facility] += 1
        counts.undecided[name] += _is_undecided(study, step.bound)


def _is_undecided(study: Seen, bound: BoundRule) -> bool:
    if study.known is None:
        return False
    touched = bound.rule.touches(bound.values) or frozenset()
    return bool((touched | bound.condition.reads() | bound.rule.reads(bound.values)) - study.known)


def _count_unmapped(counts: _Counts, bound: BoundRule, draft: Draft, facts: RunFacts) -> None:
    for tag, value in bound.rule.unmapped(draft, bound.values, facts):
        key = bound.full_name, tag, value
        if key in counts.unmapped or len(counts.unmapped) < MOST_UNMAPPED:
            counts.unmapped[key] += 1


def _effect(counts: _Counts, bound: BoundRule) -> RuleEffect:
    name = bound.full_name
    return RuleEffect(
        rule=name,
        pack_version=bound.pack_version,
        sentence=bound.sentence,
        studies=counts.touched[name],
        undecided=counts.undecided[name],
        refused=counts.refused[name],
        flagged=counts.flagged[name],
        facilities=dict(counts.facilities.get(name, {})),
    )


def _overlaps(counts: _Counts) -> Iterator[Overlap]:
    for (first, second, tag), studies in counts.overlaps.most_common():
        yield Overlap(first=first, second=second, keyword=keyword_of(tag), studies=studies)


def _unmapped(counts: _Counts, top: int) -> Iterator[Unmapped]:
    for (rule, tag, value), studies in counts.unmapped.most_common(top):
        shown = MASK if tag in IDENTIFYING else value
        yield Unmapped(rule=rule, keyword=keyword_of(tag) if tag else "facility", value=shown, studies=studies)


@lru_cache(maxsize=4096)
def _tag_of(column: str) -> int:
    return _by_column().get(column.replace("_", ""), 0)


@lru_cache(maxsize=1)
def _by_column() -> dict[str, int]:
    return {keyword.lower(): tag for keyword, tag in KEYWORDS.items()}


def _header(known: Mapping[int, object]) -> Header:
    elements = {tag: _element(tag, value) for tag, value in sorted(known.items())}
    syntax = syntax_of(EXPLICIT_VR_LITTLE_ENDIAN)
    return Header(
        elements=elements, charset=("ISO_IR 192",), transfer_syntax_uid=syntax.uid, syntax=syntax, size_bytes=0
    )


def _element(tag: int, value: object) -> Element:
    values = value if isinstance(value, list | tuple) else [value]
    raw = "\\".join(str(one).replace("-", "") if vr_of(tag) == "DA" else str(one) for one in values).encode()
    return Element(tag, vr_of(tag), 0, 0, len(raw), undefined=False, value=raw, items=None)
