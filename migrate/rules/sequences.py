"""Rules about sequences: an item more, an element moved inside, a code beside a local name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import Field, model_validator

from migrate.model import ExceptionClass
from migrate.rules.draft import Content, Draft, Item
from migrate.rules.parameters import Codes, ReadableText, SequenceOf, Writable, check_fits, known
from migrate.rules.rule import Edit, Flag, RuleValues, RunFacts
from migrate.rules.tables import Code
from migrate.rules.vr import attribute

INSTITUTION_CODE_SEQUENCE = 0x00080082
PROCEDURE_CODE_SEQUENCE = 0x00081032
CODE_VALUE = 0x00080100
CODING_SCHEME_DESIGNATOR = 0x00080102
CODE_MEANING = 0x00080104


class ItemValues(RuleValues):
    """`sequence` and the `item` (keyword = text) that it must hold."""

    sequence: SequenceOf
    item: dict[str, str] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> ItemValues:
        for keyword, value in self.item.items():
            check_fits(known(keyword), [value])
        return self

    @property
    def content(self) -> dict[int, str]:
        """Tag -> text."""
        return {known(keyword).tag: value for keyword, value in self.item.items()}


class MoveValues(RuleValues):
    """The element `keyword` becomes an item of its own in `sequence`."""

    keyword: Writable
    sequence: SequenceOf


class InstitutionValues(RuleValues):
    """Codes for what stands in `by`: an attribute, or `facility` (the manifest's)."""

    table: Codes
    by: Literal["InstitutionName", "StationName", "InstitutionalDepartmentName", "facility"] = "InstitutionName"
    unmapped: Literal["keep", "flag"] = "keep"


class ProcedureValues(RuleValues):
    """Codes for what stands in `by`; `local_scheme` reads the code of that scheme instead."""

    table: Codes
    by: ReadableText | None = None
    local_scheme: str = ""
    unmapped: Literal["keep", "flag"] = "keep"

    @model_validator(mode="after")
    def _one_key(self) -> ProcedureValues:
        if (self.by is None) == (not self.local_scheme):
            raise ValueError("the rule needs either by or local_scheme")
        if self.local_scheme and any(c.coding_scheme_designator == self.local_scheme for c in self.table.values()):
            raise ValueError("table has a code of the local scheme as a result")
        return self


def sequence_item_added(draft: Draft, values: ItemValues, _: RunFacts) -> Iterable[Edit]:
    """The sequence holds an item with these values; items that are there stay as they are."""
    items = draft.items(values.sequence.tag)
    if not any(_holds(draft, item, values.content) for item in items):
        yield _appended(draft, values.sequence.tag, values.content)


def element_moved_into_sequence(draft: Draft, values: MoveValues, _: RunFacts) -> Iterable[Edit]:
    """The element stands in an item of the sequence and no longer at the top, bytes unchanged."""
    tag = values.keyword.tag
    piece = draft.piece(tag)
    if piece is None:
        return
    if piece.raw:
        items = draft.items(values.sequence.tag)
        if not any(tag in item and item[tag].raw == piece.raw for item in items):
            yield Edit(values.sequence.tag, "SQ", draft.with_items(values.sequence.tag, [{tag: piece}]))
    yield Edit(tag, piece.vr, None)


def institution_code_added(draft: Draft, values: InstitutionValues, facts: RunFacts) -> Iterable[Edit | Flag]:
    """The acquiring institution has a code; its name is never overwritten (standards: C.7.5.1)."""
    if draft.has_value(INSTITUTION_CODE_SEQUENCE):
        return
    found = facts.facility if values.by == "facility" else _text_of(draft, values.by)
    if code := values.table.get(found):
        yield _appended(draft, INSTITUTION_CODE_SEQUENCE, code_content(code))
    elif found and values.unmapped == "flag":
        yield Flag(ExceptionClass.UNMATCHED_ORDER, f"{values.by} has a value without an institution code")


def institutions_unmapped(draft: Draft, values: InstitutionValues, facts: RunFacts) -> Iterable[tuple[int, str]]:
    """An institution or facility without a code."""
    source = attribute(values.by)
    found = facts.facility if source is None else draft.text(source.tag)
    if found and found not in values.table and not draft.has_value(INSTITUTION_CODE_SEQUENCE):
        yield (source.tag if source else 0), found


def procedures_unmapped(draft: Draft, values: ProcedureValues, _: RunFacts) -> Iterable[tuple[int, str]]:
    """Local codes or descriptions without a code of the standard list."""
    tag = values.by.tag if values.by else PROCEDURE_CODE_SEQUENCE
    return [(tag, key) for key in procedure_keys(draft, values) if key not in values.table]


def procedure_code_added(draft: Draft, values: ProcedureValues, _: RunFacts) -> Iterable[Edit | Flag]:
    """The procedure has a code of the standard list beside the local one, which stays."""
    keys = procedure_keys(draft, values)
    held = draft.items(PROCEDURE_CODE_SEQUENCE)
    wanted = {code.code_value: code for key in keys if (code := values.table.get(key))}
    missing = [code for code in wanted.values() if not any(_has_code(draft, item, code) for item in held)]
    if missing:
        new = [draft.item(code_content(code)) for code in missing]
        yield Edit(PROCEDURE_CODE_SEQUENCE, "SQ", draft.with_items(PROCEDURE_CODE_SEQUENCE, new))
    if values.unmapped == "flag" and keys and not wanted:
        yield Flag(ExceptionClass.UNMATCHED_ORDER, "the procedure has a local code without a mapping")


def procedure_keys(draft: Draft, values: ProcedureValues) -> list[str]:
    """What is looked up: the text of `by`, or every code value of the local scheme."""
    if values.by is not None:
        return [text] if (text := draft.text(values.by.tag)) else []
    items = draft.items(PROCEDURE_CODE_SEQUENCE)
    local = [item for item in items if draft.text_in(item, CODING_SCHEME_DESIGNATOR) == values.local_scheme]
    return [text for item in local if (text := draft.text_in(item, CODE_VALUE))]


def code_content(code: Code) -> Content:
    """The three attributes of a coded concept (PS3.3 table 8.8-1)."""
    return {
        CODE_VALUE: code.code_value,
        CODING_SCHEME_DESIGNATOR: code.coding_scheme_designator,
        CODE_MEANING: code.code_meaning,
    }


def _has_code(draft: Draft, item: Item, code: Code) -> bool:
    parts = {CODE_VALUE: code.code_value, CODING_SCHEME_DESIGNATOR: code.coding_scheme_designator}
    return _holds(draft, item, parts)


def _holds(draft: Draft, item: Item, content: Mapping[int, str]) -> bool:
    return all(draft.text_in(item, tag) == text for tag, text in content.items())


def _appended(draft: Draft, tag: int, content: Content) -> Edit:
    return Edit(tag, "SQ", draft.with_items(tag, [draft.item(content)]))


def _text_of(draft: Draft, keyword: str) -> str:
    found = attribute(keyword)
    return (draft.text(found.tag) or "") if found else ""
