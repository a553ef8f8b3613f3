"""The words that rules are written in: an edit, a flag, what a run knows, and a rule itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from migrate.model import ExceptionClass
from migrate.rules.draft import Draft

Reason = Literal["COERCE", "CORRECT"]
"""PS3.3 C.12.1.1.9: reconciled with another system, or an error put right."""


class RuleValues(BaseModel):
    """The parameters of one kind of rule, checked when its pack is loaded."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, populate_by_name=True)


@dataclass(frozen=True, slots=True)
class Edit:
    """One top-level element to be written: complete value bytes in the object's own syntax.

    `value` None leaves the element out.
    """

    tag: int
    vr: str
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Flag:
    """Something a person should know about this object; it changes nothing. Never shows a value."""

    exception_class: ExceptionClass
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFacts:
    """What rules may know besides the object: all of it fixed when the plan was made.

    Args:
        source: `run.source`.
        facility: The manifest's facility of this study, or "".
        modifying_system: Goes into Original Attributes (LO, at most 64 characters).
        modified_at: ISO 8601 with an offset, fixed by the plan; no clock is read here.
        source_of_previous_values: Goes into Original Attributes (LO); may be empty.
        uid_map: Invalid UID -> its replacement, for the whole run; for the `uids` pack alone.
        crosswalk: (PatientID, issuer or "") -> PHN, looked up before the run.
    """

    source: str
    modifying_system: str
    modified_at: str
    facility: str = ""
    source_of_previous_values: str = ""
    uid_map: Mapping[str, str] = field(default_factory=dict)
    crosswalk: Mapping[tuple[str, str], str] = field(default_factory=dict)


V = TypeVar("V", bound=RuleValues)


@dataclass(frozen=True, kw_only=True)  # no slots: Python 3.11 cannot make a slotted frozen Generic
class Rule(Generic[V]):
    """One kind of rule.

    Args:
        values: The model of its parameters.
        edits: Pure: the same object, values and facts give the same edits; on its own result
            it gives none.
        sentence: What it does, for people.
        sets: Tag -> what it is set to. Two rules that may meet and differ here are a conflict.
        touches: Every top-level tag it may change; None when only the object can tell.
        reads: Tags whose value decides what it writes.
        reason: For Original Attributes, unless the pack says otherwise.
        unmapped: Values that its table has no entry for, with their tag (0: not from the header).
    """

    values: type[V]
    edits: Callable[[Draft, V, RunFacts], Iterable[Edit | Flag]]
    sentence: Callable[[V], str]
    sets: Callable[[V], Mapping[int, str]]
    touches: Callable[[V], frozenset[int] | None]
    reads: Callable[[V], frozenset[int]] = lambda _: frozenset()
    reason: Reason = "COERCE"
    unmapped: Callable[[Draft, V, RunFacts], Iterable[tuple[int, str]]] = lambda _, __, ___: ()


AnyRule = Rule[Any]
