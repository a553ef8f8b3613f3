"""Normalization of one object: every rule in order, then the record of what changed.

A pure function of header, rules and facts: a repeat gives the same bytes, and on its own result it changes
nothing. What a rule cannot do without guessing is refused for this object alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from migrate.dicom.dictionary import keyword_of, tag_path
from migrate.dicom.header import Header
from migrate.model import Change, Defect, ExceptionClass, Level
from migrate.rules.draft import Draft, Piece
from migrate.rules.ledger import Ledger, Side, merged
from migrate.rules.original_attributes import (
    INSTANCE_COERCION_DATE_TIME,
    ORIGINAL_ATTRIBUTES_SEQUENCE,
    dicom_date_time,
    event_item,
)
from migrate.rules.refusal import RuleRefused
from migrate.rules.rule import Edit, Flag, Reason, RunFacts
from migrate.rules.ruleset import BoundRule, RuleSet

MAC_PARAMETERS_SEQUENCE = 0x4FFE0001
DIGITAL_SIGNATURES_SEQUENCE = 0xFFFAFFFA
_NESTED_SIGNATURES = (b"\xfa\xff\xfa\xff", b"\xff\xfa\xff\xfa")

Edits = Mapping[int, tuple[str, bytes] | None]
"""Top-level tag -> VR and complete value bytes; None = leave the element out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Normalized:
    """What becomes of one object.

    Args:
        edits: What to write; empty: the object goes out as it came.
        changes: The ledger rows.
        refused: Rules that could not do their work on this object; their edits are not made.
        flags: What a person should know; nothing was changed because of it.
    """

    edits: Edits = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    refused: tuple[Defect, ...] = ()
    flags: tuple[Defect, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What one rule did to one object."""

    bound: BoundRule
    edits: tuple[Edit, ...] = ()
    flags: tuple[Flag, ...] = ()
    refused: str = ""
    changes: tuple[Change, ...] = ()


def normalize(header: Header, rules: RuleSet, facts: RunFacts) -> Normalized:
    """Apply the rules to one object.

    Args:
        header: The object as received; it is not changed.
        rules: From `packs.load`.
        facts: What the run knows, fixed by the plan.
    """
    draft = Draft(header)
    steps = list(steps_of(draft, rules, facts))
    refused = [_defect(header, step, ExceptionClass.ILLEGAL_DICOM, step.refused) for step in steps if step.refused]
    flags = tuple(_defect(header, step, flag.exception_class, flag.detail) for step in steps for flag in step.flags)
    writers = [step for step in steps if step.edits]
    changed = _changed(draft) if writers else {}
    if not changed:
        return Normalized(refused=tuple(refused), flags=flags)
    try:
        record, own_rows = _record(draft, changed, writers, facts)
    except RuleRefused as refusal:
        refused.append(_defect(header, writers[-1], ExceptionClass.ILLEGAL_DICOM, f"Original Attributes: {refusal}"))
        return Normalized(refused=tuple(refused), flags=flags)
    edits = {**{tag: draft.edits[tag] for tag in changed}, **record}
    changes = (*merged([change for step in writers for change in step.changes]), *own_rows)
    return Normalized(edits=dict(sorted(edits.items())), changes=changes, refused=tuple(refused), flags=flags)


def steps_of(draft: Draft, rules: RuleSet, facts: RunFacts) -> Iterator[Step]:
    """Apply the rules one after the other to `draft`; only rules that had something to say are reported."""
    for bound in rules.rules:
        step = _step(draft, bound, facts)
        if step is not None:
            yield step


def is_signed(header: Header) -> bool:
    """Whether the object, as far as the header goes, carries digital signatures (PS3.3 C.12.1.1.3).

    The signatures stand behind the pixels; what announces them, MAC Parameters, stands before.
    """
    return MAC_PARAMETERS_SEQUENCE in header.elements or DIGITAL_SIGNATURES_SEQUENCE in header.elements


def _step(draft: Draft, bound: BoundRule, facts: RunFacts) -> Step | None:
    try:
        if bound.condition.holds(draft, facts) is False:  # None: a crawled row cannot tell, so it might
            return None
        found = list(bound.rule.edits(draft, bound.values, facts))
        edits = tuple(one for one in found if isinstance(one, Edit))
        _refuse_bulk(draft, edits)
    except RuleRefused as refusal:
        return Step(bound=bound, refused=str(refusal))
    flags = tuple(one for one in found if isinstance(one, Flag))
    if edits and not bound.on_signed and any(_signature_holds(draft, edit.tag) for edit in edits):
        signed = Flag(ExceptionClass.EXCLUDED_BY_POLICY, "not applied, the object has digital signatures")
        return Step(bound=bound, flags=(*flags, signed))
    changes = _write(draft, bound, edits)
    return Step(bound=bound, edits=edits, flags=flags, changes=changes) if found else None


def _write(draft: Draft, bound: BoundRule, edits: tuple[Edit, ...]) -> tuple[Change, ...]:
    """Put all edits of a rule in before any is compared: one may change the character set of the others."""
    charset = draft.charset
    before = {edit.tag: draft.piece(edit.tag) for edit in edits}
    for edit in edits:
        draft.write(edit.tag, edit.vr, edit.value)
    ledger = Ledger(draft, bound)
    for tag, piece in before.items():
        ledger.compare(tag, Side(piece, charset))
    return tuple(ledger.rows)


def _refuse_bulk(draft: Draft, edits: tuple[Edit, ...]) -> None:
    for edit in edits:
        element = draft.header.elements.get(edit.tag)
        if element is not None and element.value is None:
            raise RuleRefused(f"{tag_path(edit.tag)} is bulk data")


def _signature_holds(draft: Draft, tag: int) -> bool:
    raw = draft.header.raw(tag)
    return is_signed(draft.header) or (raw is not None and any(mark in raw for mark in _NESTED_SIGNATURES))


def _defect(header: Header, step: Step, kind: ExceptionClass, detail: str) -> Defect:
    text = f"rule {step.bound.full_name}: {detail}"
    return Defect(exception_class=kind, level=Level.IMAGE, uid=header.sop_instance_uid, detail=text)


def _changed(draft: Draft) -> dict[int, Piece | None]:
    """The elements that the rules leave other than they were, as they were."""
    received = Draft(draft.header)
    before = {tag: received.piece(tag) for tag in sorted(draft.edits)}
    return {tag: piece for tag, piece in before.items() if not _same(piece, draft.piece(tag))}


def _same(before: Piece | None, after: Piece | None) -> bool:
    if before is None or after is None:
        return before is after
    return before.raw == after.raw


def _record(
    draft: Draft, changed: Mapping[int, Piece | None], writers: list[Step], facts: RunFacts
) -> tuple[Edits, list[Change]]:
    """Original Attributes and Instance Coercion DateTime, with their own rows in the ledger."""
    events = _events(changed, writers)
    moment = dicom_date_time(facts.modified_at)
    first = len(draft.items(ORIGINAL_ATTRIBUTES_SEQUENCE))
    items = [event_item(draft, events[reason], reason, facts) for reason in sorted(events)]
    own: dict[str, tuple[str | None, str]] = {
        f"{tag_path(ORIGINAL_ATTRIBUTES_SEQUENCE)}[{number}]": (None, f"{facts.modifying_system} {moment} {reason}")
        for number, reason in enumerate(sorted(events), first)
    }
    own[tag_path(INSTANCE_COERCION_DATE_TIME)] = (draft.text(INSTANCE_COERCION_DATE_TIME), moment)
    edits: Edits = {
        INSTANCE_COERCION_DATE_TIME: ("DT", draft.encoded("DT", moment)),
        ORIGINAL_ATTRIBUTES_SEQUENCE: ("SQ", draft.with_items(ORIGINAL_ATTRIBUTES_SEQUENCE, items)),
    }
    return edits, [_own_row(draft, writers[-1].bound, path, values) for path, values in own.items()]


def _events(changed: Mapping[int, Piece | None], writers: list[Step]) -> dict[Reason, dict[int, Piece | None]]:
    """What was changed for which reason; text that only changed its encoding says the same as before."""
    said = {int(change.path[:8], 16) for step in writers for change in step.changes if change.before != change.after}
    reasons: dict[int, Reason] = {}
    for step in writers:
        for edit in step.edits:
            reasons.setdefault(edit.tag, step.bound.reason)
    events: dict[Reason, dict[int, Piece | None]] = {}
    for tag in sorted(said & changed.keys()):
        events.setdefault(reasons[tag], {})[tag] = changed[tag]
    return events


def _own_row(draft: Draft, bound: BoundRule, path: str, values: tuple[str | None, str]) -> Change:
    return Change(
        sop_instance_uid=draft.header.sop_instance_uid,
        path=path,
        keyword=keyword_of(int(path[:8], 16)),
        before=values[0],
        after=values[1],
        identifying=False,
        rule="original_attributes",
        pack=bound.pack,
        pack_version=bound.pack_version,
    )
