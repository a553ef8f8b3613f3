"""The ledger: one row for every attribute that a rule changed, with its value before and after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest
from typing import NamedTuple

from migrate.dicom.dictionary import keyword_of, tag_path
from migrate.model import Change
from migrate.rules.draft import Draft, Item, Piece, decoded
from migrate.rules.identifying import identifies
from migrate.rules.refusal import RuleRefused
from migrate.rules.ruleset import BoundRule
from migrate.rules.vr import LIMITS

_MOST_BYTES = 4096
_NO_ITEM: Item = {}


class Difference(NamedTuple):
    """One attribute that differs: path, keyword, value before and after (None = absent)."""

    path: str
    keyword: str
    before: str | None
    after: str | None
    identifying: bool


class _Side(NamedTuple):
    """One element before or after, and the character set around it."""

    piece: Piece | None
    charset: tuple[str, ...]


def differences(draft: Draft, tag: int, before: Piece | None, after: Piece | None) -> Iterator[Difference]:
    """What differs between two states of one top-level element, down to the leaves."""
    sides = (_Side(before, draft.header.charset), _Side(after, draft.charset))
    yield from _element(draft, tag_path(tag), tag, sides)


def rows(bound: BoundRule, sop_instance_uid: str, found: Iterator[Difference]) -> Iterator[Change]:
    """Ledger rows of one rule."""
    for difference in found:
        yield Change(
            sop_instance_uid=sop_instance_uid,
            path=difference.path,
            keyword=difference.keyword,
            before=difference.before,
            after=difference.after,
            identifying=difference.identifying,
            rule=bound.full_name,
            pack=bound.pack,
            pack_version=bound.pack_version,
        )


def merged(changes: list[Change]) -> tuple[Change, ...]:
    """One row per path: the first value before, the last value after, the last rule."""
    net: dict[str, Change] = {}
    for change in changes:
        earlier = net.pop(change.path, None)
        net[change.path] = replace(change, before=earlier.before) if earlier else change
    return tuple(change for change in net.values() if change.before != change.after)


def _element(draft: Draft, path: str, tag: int, sides: tuple[_Side, _Side]) -> Iterator[Difference]:
    before, after = sides
    if before.piece is not None and after.piece is not None and before.piece.raw == after.piece.raw:
        return
    items = [_items(draft, tag, side) for side in sides]
    if any(items):
        if len(items[0]) != len(items[1]):
            counts = _count(before, items[0]), _count(after, items[1])
            yield Difference(path, keyword_of(tag), *counts, identifying=False)
        yield from _sequence(draft, path, items)
    else:
        values = _shown(before), _shown(after)
        yield Difference(path, keyword_of(tag), *values, identifying=_identifies(tag, sides))


def _sequence(draft: Draft, path: str, sides: list[list[Item]]) -> Iterator[Difference]:
    for number, (old, new) in enumerate(zip_longest(*sides, fillvalue=_NO_ITEM)):
        if old == new:
            continue
        for tag in sorted(old.keys() | new.keys()):
            inner = (_Side(old.get(tag), draft.charset_in(old)), _Side(new.get(tag), draft.charset_in(new)))
            yield from _element(draft, f"{path}[{number}].{tag_path(tag)}", tag, inner)


def _count(side: _Side, items: list[Item]) -> str | None:
    return None if side.piece is None else f"{len(items)} item{'' if len(items) == 1 else 's'}"


def _items(draft: Draft, tag: int, side: _Side) -> list[Item]:
    if side.piece is None or side.piece.vr != "SQ":
        return []
    try:
        return draft.items_of(tag, side.piece)
    except RuleRefused:
        return []


def _shown(side: _Side) -> str | None:
    """Text for people: bytes that no text can show are hex; None = absent."""
    if side.piece is None:
        return None
    raw = side.piece.raw
    if side.piece.vr in LIMITS or not raw:
        try:
            return decoded(raw, side.charset)
        except ValueError:
            pass
    return raw[:_MOST_BYTES].hex()


def _identifies(tag: int, sides: tuple[_Side, _Side]) -> bool:
    return any(identifies(tag, side.piece.vr) for side in sides if side.piece is not None)
