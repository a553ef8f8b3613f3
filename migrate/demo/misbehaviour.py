"""What a peer may be ordered to do wrong: frozen values, all off by default.

Every field is one sin that real archives commit (or that a test needs). `0`, `None`, `False` and
`()` mean "behaves". `*_every = n` means the n-th, 2n-th, … of its kind. Orders are loadable from
JSON or TOML: one table per service (`[find]`, `[move]`, `[store]`, `[commitment]`,
`[association]`), keys as the fields here.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from migrate.errors import ConfigError

#: How a capped C-FIND shows itself: `FE00` and `silent` (0000) after the first n rows, `C000` and
#: `A700` instead of any row (PS3.4 C.4.1.1.4 knows none of these for a cap).
CAP_SIGNALS = ("FE00", "silent", "C000", "A700")
#: What an archive does with a SOP Instance UID it already holds with other content.
SAME_UID_POLICIES = ("keep_both", "keep_old", "overwrite", "refuse")


@dataclass(frozen=True, kw_only=True, slots=True)
class FindMisbehaviours:
    """Sins of C-FIND. Rows are altered in the order of `answers.ALTERATIONS`, capped last."""

    result_cap: int | None = None
    cap_signal: str = "FE00"
    cap_levels: tuple[str, ...] = ("STUDY",)
    no_optional_keys: bool = False
    flags_unsupported_keys: bool = False
    drop_keys: tuple[str, ...] = ()
    empty_keys: tuple[str, ...] = ()
    hide_undated_from_ranges: bool = True
    no_wildcards: bool = False
    no_uid_lists: bool = False
    ignores_time: bool = False
    one_interval: bool = False
    relational: bool = False
    wrong_counts: int = 0
    duplicate_every: int = 0
    duplicates_differ: bool = False
    per_instance_rows: bool = False
    foreign_rows: int = 0
    extra_rows_without_uid: int = 0
    empty_shells: int = 0
    uid_dropped_every: int = 0
    wrong_parent_every: int = 0
    wrong_level_every: int = 0
    illegal_dates_every: int = 0
    undecodable_every: int = 0
    endless: bool = False
    close_after_rows: int | None = None
    close_first_n: int | None = None
    fails_first_n: int = 0
    fails_every: int = 0
    fail_status: int = 0xA700
    slow_answers_s: float = 0.0
    slow_rows_s: float = 0.0
    silence: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveMisbehaviours:
    """Sins of C-MOVE and C-GET.

    `offline` names studies whose every sub-operation fails; `new_uids_every` sends an object under a
    SOP Instance UID that it never had, another one each time.
    """

    success_nothing_sent: bool = False
    success_nothing_sent_for: tuple[str, ...] = ()
    lose_every: int = 0
    lose_only_first_time: bool = False
    fail_silently: bool = True
    late_sending_s: float | None = None
    unasked_objects: int = 0
    truncate_every: int = 0
    flip_bit_every: int = 0
    new_uids_every: int = 0
    offline: tuple[str, ...] = ()
    stop_at_first_failure: bool = False
    abort_after_objects: int | None = None
    refuse_get: bool = False
    refuse_move: bool = False
    slow_objects_s: float = 0.0
    no_pending: bool = False
    silence: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreMisbehaviours:
    """Sins of C-STORE at a destination; the first six lie with status 0000."""

    same_uid: str = "keep_both"
    coerce: Mapping[str, str] = field(default_factory=dict)
    evict_above: int | None = None
    flip_bit_every: int = 0
    drop_every: int = 0
    delete_on_repeat: bool = False
    warns_of_coercion: bool = False
    out_of_resources_first_n: int = 0
    out_of_resources_for_s: float = 0.0
    out_of_resources_always: bool = False
    processing_failure_first_n: int = 0
    refuse_sop_classes: tuple[str, ...] = ()
    refuse_transfer_syntaxes: tuple[str, ...] = ()
    unauthorised_sop_classes: tuple[str, ...] = ()
    answer_lost_every: int = 0
    kept_after_loss_s: float = 0.0
    slow_answers_s: float = 0.0
    silence: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class CommitmentMisbehaviours:
    """Sins of storage commitment (PS3.4 J.3)."""

    refuse: bool = False
    late_s: float = 0.0
    lost: bool = False
    twice: bool = False
    wrong_transaction: bool = False
    same_association: bool = False
    lies: bool = False
    stranger: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class AssociationMisbehaviours:
    """Sins of the association itself. `reject_first_n` is the transient local limit (2, 3, 2)."""

    abort_after_pdus: int | None = None
    reject_first_n: int = 0
    silence: bool = False
    maximum_associations: int = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Misbehaviours:
    """All orders for one peer."""

    find: FindMisbehaviours = FindMisbehaviours()
    move: MoveMisbehaviours = MoveMisbehaviours()
    store: StoreMisbehaviours = field(default_factory=StoreMisbehaviours)
    commitment: CommitmentMisbehaviours = CommitmentMisbehaviours()
    association: AssociationMisbehaviours = AssociationMisbehaviours()

    @classmethod
    def from_mapping(cls, orders: Mapping[str, Mapping[str, Any]]) -> Misbehaviours:
        """Read orders: service -> field -> value. Raises ConfigError on an unknown word."""
        unknown = sorted(set(orders) - set(_SERVICES))
        if unknown:
            raise _unknown("service", unknown, _SERVICES)
        made = {name: _built(kind, orders.get(name, {})) for name, kind in _SERVICES.items()}
        return cls(**made)

    @classmethod
    def load(cls, path: Path) -> Misbehaviours:
        """Read a .json or .toml file of orders. Raises ConfigError."""
        try:
            text = path.read_text(encoding="utf-8")
            parsed = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
        except (OSError, ValueError) as error:
            raise ConfigError("the orders cannot be read", path=path, why=error) from error
        return cls.from_mapping(parsed)

    def to_mapping(self) -> dict[str, dict[str, Any]]:
        """The orders as plain values that `from_mapping` and JSON take."""
        return {name: _plain(getattr(self, name)) for name in _SERVICES}


_SERVICES: dict[str, type[Any]] = {
    "find": FindMisbehaviours,
    "move": MoveMisbehaviours,
    "store": StoreMisbehaviours,
    "commitment": CommitmentMisbehaviours,
    "association": AssociationMisbehaviours,
}
_CHOICES = {"cap_signal": CAP_SIGNALS, "same_uid": SAME_UID_POLICIES}
_Orders = TypeVar("_Orders")


def _plain(orders: Any) -> dict[str, Any]:
    values = {name.name: getattr(orders, name.name) for name in fields(orders)}
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}


def _built(kind: type[_Orders], orders: Mapping[str, Any]) -> _Orders:
    known = [each.name for each in fields(kind)]  # type: ignore[arg-type]
    unknown = sorted(set(orders) - set(known))
    if unknown:
        raise _unknown("misbehaviour", unknown, known)
    for name, allowed in _CHOICES.items():
        if name in orders and orders[name] not in allowed:
            raise _unknown(name, [str(orders[name])], allowed)
    return kind(**{name: _frozen(value) for name, value in orders.items()})


def _frozen(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _unknown(what: str, unknown: list[str], known: Any) -> ConfigError:
    return ConfigError(f"unknown {what} ordered", f"known: {', '.join(known)}", unknown=", ".join(unknown))
