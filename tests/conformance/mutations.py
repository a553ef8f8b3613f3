"""One changed byte in every element of an object: which digest tells, what is exempt, and what is missed.

An object is digested again for each of its elements. One with thousands of elements would take minutes, so
there the element is digested in an object cut down to what it is read with: the sequences and items around it,
and at each level the character set and the private creators of its group. The bytes stay those of the file.
A sample of the same elements is changed in the whole object as well.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from migrate.dicom.dictionary import tag_path
from migrate.dicom.digest import Digested
from migrate.dicom.element import Element
from migrate.errors import IllegalDicom
from tests.dicom_kit import DEFLATED, EXPLICIT, dataset_of, digested

WHOLE_BELOW: Final = 1_000
SAMPLE: Final = 40
UNDEFINED: Final = 0xFFFFFFFF
_FIRST_GROUP: Final = 0x00080000
_CHARACTER_SET: Final = 0x00080005
# DIGESTS.md, under "Dataset"; written out again, so that nothing else is exempt by mistake.
_SKIPPED_EVERYWHERE: Final = {0x00080001, _CHARACTER_SET, 0xFFFCFFFC}
_SKIPPED_AT_TOP: Final = {0x00080015, 0x00420015, 0x04000561, 0x7FE00001, 0x7FE00002, 0x7FE00003}

Chain = tuple[tuple[Sequence[Element], Element], ...]
"""An element within its siblings, from the top level down to the one that is changed."""


@dataclass(kw_only=True)
class Mutated:
    """What became of every element. `told_by`, `exempt`: how many by reason; `missed`: file and tag."""

    elements: int = 0
    nested: int = 0
    in_a_part: int = 0
    in_both: int = 0
    told_by: Counter[str] = field(default_factory=Counter)
    exempt: Counter[str] = field(default_factory=Counter)
    missed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def tried(self) -> int:
        """Elements in which a byte was changed."""
        return self.elements - self.exempt.total()


class Mutable:
    """An object that is read, and what a changed byte does to its digests."""

    def __init__(self, path: Path) -> None:
        uid, content = dataset_of(path)
        self.name = path.name
        self._deflated = uid == DEFLATED
        self._content = zlib.decompress(content, -15) if self._deflated else content
        self._uid = uid
        self._plain_uid = EXPLICIT if self._deflated else uid
        self._digested = digested(content, uid)
        self.chains = list(_chains(tuple(self._digested.header.elements.values())))

    def told_in_whole(self, chain: Chain, position: int) -> str:
        """Which digest of the whole object tells that the byte there was changed, "" for none."""
        element = chain[-1][1]
        changed = bytearray(self._content)
        changed[element.value_offset + position] ^= 1
        packed = _deflated(changed) if self._deflated else bytes(changed)
        return _told(self._digested, packed, self._uid)

    def told_in_part(self, chain: Chain, position: int) -> str | None:
        """The same of the object cut down to the element; None where that is no object."""
        element = chain[-1][1]
        if any(each.vr != "SQ" for _, each in chain[:-1]):
            return None  # a sequence that is written as something else
        leaf = bytearray(self._content[element.offset : element.end])
        before = self._part(chain, bytes(leaf))
        leaf[element.value_offset - element.offset + position] ^= 1
        try:
            original = digested(before, self._plain_uid)
        except IllegalDicom:
            return None
        return _told(original, self._part(chain, bytes(leaf)), self._plain_uid)

    def _part(self, chain: Chain, leaf: bytes) -> bytes:
        """The leaf with what is around it."""
        inner = leaf
        for depth in range(len(chain) - 1, -1, -1):
            siblings, element = chain[depth]
            if depth < len(chain) - 1:
                inner = self._wrapped(element, inner)
            read_with = [each for each in siblings if each.tag < element.tag and _decides(each.tag, element.tag)]
            inner = b"".join(self._content[each.offset : each.end] for each in read_with) + inner
        return inner

    def _wrapped(self, element: Element, inner: bytes) -> bytes:
        syntax = self._digested.header.syntax
        order = "<" if syntax.little_endian else ">"
        tag = struct.pack(f"{order}HH", element.tag >> 16, element.tag & 0xFFFF)
        head = tag + (b"SQ\0\0" if syntax.explicit else b"") + struct.pack(f"{order}I", UNDEFINED)
        item, item_end, end = (
            struct.pack(f"{order}HHI", 0xFFFE, number, length)
            for number, length in ((0xE000, UNDEFINED), (0xE00D, 0), (0xE0DD, 0))
        )
        return head + item + inner + item_end + end


def _deflated(content: bytes | bytearray) -> bytes:
    deflater = zlib.compressobj(1, zlib.DEFLATED, -15)
    packed = deflater.compress(content) + deflater.flush()
    return packed + b"\0" * (len(packed) % 2)


def _decides(tag: int, of: int) -> bool:
    """Whether an element says how another one beside it is read."""
    is_creator = bool(tag & 0x10000) and 0x10 <= tag & 0xFFFF <= 0xFF
    return tag == _CHARACTER_SET or (is_creator and tag >> 16 == of >> 16)


def _told(original: Digested, changed: bytes, uid: str) -> str:
    try:
        after = digested(changed, uid).digests
    except IllegalDicom:
        return "refused"
    if after.dataset != original.digests.dataset:
        return "dataset"
    return "bulk" if after.bulk != original.digests.bulk else ""


def _chains(elements: Sequence[Element], above: Chain = ()) -> Iterator[Chain]:
    """Every element at every level that is no sequence with items."""
    for element in elements:
        chain = (*above, (elements, element))
        if not element.items:
            yield chain
        for item in element.items or ():
            yield from _chains(item.elements, chain)


def exemption(chain: Chain) -> str:
    """Why a change of this element need not be told, "" when it must."""
    top, element = chain[0][1].tag, chain[-1][1]
    if top < _FIRST_GROUP:
        return "groups before 0008"
    if element.tag & 0xFFFF == 0:
        return "group length"
    if any(each.tag in _SKIPPED_EVERYWHERE for _, each in chain):
        return "character set, Length to End, trailing padding"
    if top in _SKIPPED_AT_TOP:
        return "left out at the top level"
    return "" if element.length and element.items is None else "empty, nothing to change"


def mutate(path: Path, generator: random.Random, found: Mutated, limit: int | None = None) -> None:
    """Change a byte in every element of a file, or in `limit` of them, and file what tells.

    Raises:
        IllegalDicom: The file is refused as it is.
    """
    mutable = Mutable(path)
    chains = mutable.chains if limit is None else generator.sample(mutable.chains, min(limit, len(mutable.chains)))
    whole = len(chains) < WHOLE_BELOW
    sample = set(generator.sample(range(len(chains)), min(SAMPLE, len(chains))))
    for number, chain in enumerate(chains):
        found.elements += 1
        found.nested += len(chain) > 1
        if reason := exemption(chain):
            found.exempt[reason] += 1
            continue
        position = generator.randrange(_significant(chain[-1][1]))
        part = None if whole and number not in sample else mutable.told_in_part(chain, position)
        told = part if part is not None and number not in sample else mutable.told_in_whole(chain, position)
        found.in_a_part += not whole and number not in sample and part is not None
        found.in_both += part is not None and number in sample
        found.told_by[told] += bool(told)
        if not told or part == "":
            found.missed.append((mutable.name, tag_path(chain[-1][1].tag)))


def _significant(element: Element) -> int:
    """Bytes that are no padding; of bulk data, which may have more than its frames, the first half."""
    if element.value is None:
        return max(1, element.length // 2)
    return len(element.value.rstrip(b" \0")) or element.length
