"""The ledger: one row for every attribute that a rule changed, with its value before and after."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from itertools import zip_longest
from typing import NamedTuple

from migrate.dicom.dictionary import keyword_of, tag_path
from migrate.model import Change
from migrate.rules.draft import Charset, Draft, Item, Piece, charset_of, decoded
from migrate.rules.identifying import identifies
from migrate.rules.refusal import RuleRefused
from migrate.rules.ruleset import BoundRule
from migrate.rules.vr import LIMITS

_MOST_BYTES = 4096
_NO_ITEM: Item = {}
_keyword = lru_cache(maxsize=8192)(keyword_of)  # asked for every row of every instance


class Side(NamedTuple):
    """One element before or after, and the character set around it."""

    piece: Piece | None
    charset: Charset


class Ledger:
    """Collects the rows of one rule for one object.

    Args:
        draft: The object with the rule's edits in it.
        bound: The rule.
    """

    __slots__ = ("_draft", "_rule", "_uid", "rows")

    def __init__(self, draft: Draft, bound: BoundRule) -> None:
        self._draft = draft
        self._uid = draft.header.sop_instance_uid
        self._rule = bound.full_name, bound.pack, bound.pack_version
        self.rows: list[Change] = []

    def compare(self, tag: int, before: Side) -> None:
        """Add rows for what differs between a top-level element as it was and as it now is."""
        draft = self._draft
        self._element(tag_path(tag), tag, (before, Side(draft.piece(tag), draft.charset)))

    def _element(self, path: str, tag: int, sides: tuple[Side, Side]) -> None:
        before, after = sides
        if before.piece is not None and after.piece is not None and before.piece.raw == after.piece.raw:
            return
        old, new = self._items(tag, before), self._items(tag, after)
        if old or new:
            if len(old) != len(new):
                self._add(path, tag, (_count(before, old), _count(after, new)), identifying=False)
            self._sequence(path, (old, new), (before.charset, after.charset))
        else:
            self._add(path, tag, (_shown(before), _shown(after)), identifying=_identifies(tag, sides))

    def _sequence(self, path: str, sides: tuple[list[Item], list[Item]], around: tuple[Charset, Charset]) -> None:
        for number, (old, new) in enumerate(zip_longest(*sides, fillvalue=_NO_ITEM)):
            if old == new:
                continue
            charsets = charset_of(old, around[0]), charset_of(new, around[1])
            for tag in sorted(old.keys() | new.keys()):
                inner = (Side(old.get(tag), charsets[0]), Side(new.get(tag), charsets[1]))
                self._element(f"{path}[{number}].{tag_path(tag)}", tag, inner)

    def _items(self, tag: int, side: Side) -> list[Item]:
        if side.piece is None or side.piece.vr != "SQ":
            return []
        try:
            return self._draft.items_of(tag, side.piece)
        except RuleRefused:
            return []

    def _add(self, path: str, tag: int, values: tuple[str | None, str | None], *, identifying: bool) -> None:
        rule, pack, pack_version = self._rule
        self.rows.append(
            Change(
                sop_instance_uid=self._uid,
                path=path,
                keyword=_keyword(tag),
                before=values[0],
                after=values[1],
                identifying=identifying,
                rule=rule,
                pack=pack,
                pack_version=pack_version,
            )
        )


def merged(changes: Iterable[Change]) -> tuple[Change, ...]:
    """One row per path: the first value before, the last value after, the last rule."""
    net: dict[str, Change] = {}
    for change in changes:
        earlier = net.pop(change.path, None)
        net[change.path] = replace(change, before=earlier.before) if earlier else change
    return tuple([change for change in net.values() if change.before != change.after])


def _count(side: Side, items: list[Item]) -> str | None:
    return None if side.piece is None else f"{len(items)} item{'' if len(items) == 1 else 's'}"


def _shown(side: Side) -> str | None:
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


def _identifies(tag: int, sides: tuple[Side, Side]) -> bool:
    before, after = sides
    return (before.piece is not None and identifies(tag, before.piece.vr)) or (
        after.piece is not None and identifies(tag, after.piece.vr)
    )
