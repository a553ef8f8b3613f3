"""How bytes are spoilt: overwritten, cut out, repeated, grafted from others, cut short, and plain noise."""

from __future__ import annotations

import itertools
import random
import struct
from collections.abc import Callable, Iterator, Sequence

_LENGTHS = (0, 1, 2, 3, 5, 7, 8, 0x7F, 0x80, 0xFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_ENDS = (
    b"\xfe\xff\x00\xe0\xff\xff\xff\xff",
    b"\xfe\xff\x0d\xe0\x00\x00\x00\x00",
    b"\xfe\xff\xdd\xe0\x00\x00\x00\x00",
    b"\x00\x29\x00\x10SQ\x00\x00\xff\xff\xff\xff",
    b"\x29\x00\x10\x00UN\x00\x00\xff\xff\xff\xff",
)
Change = Callable[[bytearray, int, random.Random], None]


def _bit(content: bytearray, at: int, chance: random.Random) -> None:
    content[at] ^= 1 << chance.randrange(8)


def _byte(content: bytearray, at: int, chance: random.Random) -> None:
    content[at] = chance.choice((0, 1, 2, 3, 4, 5, 6, 7, 0x10, 0x20, 0x7F, 0x80, 0xFF, chance.randrange(256)))


def _length(content: bytearray, at: int, chance: random.Random) -> None:
    """A number where a length may stand, in either order and width."""
    value = chance.choice(_LENGTHS)
    layout = chance.choice(("<I", ">I", "<H", ">H"))
    packed = struct.pack(layout, value & (0xFFFF if layout[1] == "H" else 0xFFFFFFFF))
    content[at : at + len(packed)] = packed


def _remove(content: bytearray, at: int, chance: random.Random) -> None:
    del content[at : at + chance.randint(1, 16)]


def _repeat(content: bytearray, at: int, chance: random.Random) -> None:
    content[at:at] = content[at : at + chance.randint(1, 64)] * chance.randint(1, 4)


def _noise(content: bytearray, at: int, chance: random.Random) -> None:
    content[at:at] = chance.randbytes(chance.randint(1, 8))


def _structure(content: bytearray, at: int, chance: random.Random) -> None:
    content[at:at] = chance.choice(_ENDS) * chance.choice((1, 1, 1, 2, 70))


_CHANGES: Sequence[Change] = (_bit, _byte, _byte, _length, _length, _remove, _repeat, _noise, _structure)


def spoilt(content: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    """`content` with up to six changes; now and then joined to the end of another, or cut short."""
    changed = bytearray(content)
    for _ in range(chance.randint(0, 6)):
        if changed:
            chance.choice(_CHANGES)(changed, chance.randrange(len(changed)), chance)
    if chance.random() < 0.1:
        other = chance.choice(others)
        changed[chance.randrange(len(changed) + 1) :] = other[chance.randrange(len(other)) :]
    if chance.random() < 0.2:
        del changed[chance.randrange(len(changed) + 1) :]
    return bytes(changed)


def noise(chance: random.Random) -> bytes:
    """Bytes out of nowhere; half of them begin as a PDU does."""
    body = chance.randbytes(chance.randrange(400))
    if chance.random() < 0.5:
        return body
    length = chance.choice((len(body), chance.choice(_LENGTHS)))
    return struct.pack(">BBI", chance.randrange(9), chance.randrange(2), length) + body


def segments(content: bytes, chance: random.Random) -> Iterator[memoryview]:
    """`content` in as many pieces as TCP might make of it."""
    view = memoryview(content)
    cuts = sorted(chance.randrange(len(content) + 1) for _ in range(chance.choice((0, 0, 1, 2, 5))))
    for start, end in itertools.pairwise((0, *cuts, len(content))):
        yield view[start:end]
