"""Rules about one text element: set, map, copy, lengthen, remove."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from migrate.model import ExceptionClass
from migrate.rules.draft import Draft
from migrate.rules.parameters import Lookup, ReadableText, Text, Writable, check_fits, writable_text
from migrate.rules.refusal import RuleRefused
from migrate.rules.rule import Edit, Flag, RuleValues, RunFacts
from migrate.rules.vr import SINGLE_VALUED, Attribute, misfit_of_all


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


class SetValues(RuleValues):
    """`keyword` and the `value` (one text or a list) that it gets."""

    keyword: Text
    value: Annotated[list[str], BeforeValidator(_as_list)] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> SetValues:
        check_fits(self.keyword, self.value)
        return self

    @property
    def text(self) -> str:
        """All values as one text."""
        return "\\".join(self.value)


class MapValues(RuleValues):
    """`keyword` is looked up in `table`; the result goes back, or `into` another attribute."""

    keyword: ReadableText
    table: Lookup
    into: Text | None = None
    only_if_empty: bool = False
    unmapped: Literal["keep", "flag"] = "keep"

    @property
    def target(self) -> Attribute:
        """The attribute that gets the result."""
        return self.into or self.keyword

    @model_validator(mode="after")
    def _fits(self) -> MapValues:
        if self.into is None:
            writable_text(self.keyword.keyword)
            self._refuse_chains()
        for value in self.table.values():
            check_fits(self.target, value.split("\\"))
        return self

    def _refuse_chains(self) -> None:
        """A result that is itself a key would be mapped again the second time."""
        if any(self.table.get(value, value) != value for value in self.table.values()):
            raise ValueError("table has a result that is itself a key with another result")


class CopyValues(RuleValues):
    """`from` one attribute `to` another; only where that is empty, unless told otherwise."""

    source: ReadableText = Field(alias="from")
    to: Text
    only_if_empty: bool = True


class PartValues(RuleValues):
    """`keyword` and the `text` that its value must begin or end with."""

    keyword: Text
    text: str = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> PartValues:
        check_fits(self.keyword, [self.text.strip(" ")])  # a space may stand between the two parts
        return self


class RemoveValues(RuleValues):
    """`keyword` of the element that is left out."""

    keyword: Writable


def element_set(draft: Draft, values: SetValues, _: RunFacts) -> Iterable[Edit]:
    """The element has this value, whatever it had before."""
    return _written(draft, values.keyword, values.text)


def empty_element_set(draft: Draft, values: SetValues, _: RunFacts) -> Iterable[Edit]:
    """The element has this value where it was absent or empty."""
    if not draft.has_value(values.keyword.tag):
        yield from _written(draft, values.keyword, values.text)


def value_mapped(draft: Draft, values: MapValues, facts: RunFacts) -> Iterable[Edit | Flag]:
    """The value is what the table says for it; a value without an entry stays."""
    found = draft.text(values.keyword.tag)
    if not found:
        return
    mapped = values.table.get(found)
    if mapped is None:
        if values.unmapped == "flag" and any(values_unmapped(draft, values, facts)):
            yield Flag(ExceptionClass.UNMATCHED_ORDER, f"{values.keyword.keyword} has a value without a mapping")
    elif not (values.only_if_empty and draft.has_value(values.target.tag)):
        yield from _written(draft, values.target, mapped)


def values_unmapped(draft: Draft, values: MapValues, _: RunFacts) -> Iterable[tuple[int, str]]:
    """A value that is neither a key nor a result of the table."""
    found = draft.text(values.keyword.tag)
    done = values.into is None and found in values.table.values()
    if found and found not in values.table and not done:
        yield values.keyword.tag, found


def element_copied(draft: Draft, values: CopyValues, _: RunFacts) -> Iterable[Edit]:
    """The second element has the value of the first; refused where it does not fit."""
    found = draft.text(values.source.tag)
    if found and not (values.only_if_empty and draft.has_value(values.to.tag)):
        _refuse_misfit(values.to, found)
        yield from _written(draft, values.to, found)


def prefix_set(draft: Draft, values: PartValues, _: RunFacts) -> Iterable[Edit]:
    """The value begins with this text; refused where it would overflow, never cut."""
    found = draft.text(values.keyword.tag)
    if found and not found.startswith(values.text):
        yield from _lengthened(draft, values.keyword, values.text + found)


def suffix_set(draft: Draft, values: PartValues, _: RunFacts) -> Iterable[Edit]:
    """The value ends with this text; refused where it would overflow, never cut."""
    found = draft.text(values.keyword.tag)
    if found and not found.endswith(values.text):
        yield from _lengthened(draft, values.keyword, found + values.text)


def element_removed(draft: Draft, values: RemoveValues, _: RunFacts) -> Iterable[Edit]:
    """The element is absent; its value stands in Original Attributes."""
    if draft.has(values.keyword.tag):
        yield Edit(values.keyword.tag, draft.vr(values.keyword.tag), None)


def _written(draft: Draft, attribute: Attribute, text: str) -> Iterable[Edit]:
    if draft.text(attribute.tag) != text:
        yield Edit(attribute.tag, attribute.vr, draft.encoded(attribute.vr, text))


def _lengthened(draft: Draft, attribute: Attribute, longer: str) -> Iterable[Edit]:
    if "\\" in longer and attribute.vr not in SINGLE_VALUED:
        raise RuleRefused(f"{attribute.keyword} has several values")
    _refuse_misfit(attribute, longer)
    return _written(draft, attribute, longer)


def _refuse_misfit(attribute: Attribute, text: str) -> None:
    if wrong := misfit_of_all(attribute, text.split("\\")):
        raise RuleRefused(f"{attribute.keyword}: {wrong}")
