"""Differences put on purpose into what a destination holds: one in an object, of every kind that matters."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from migrate.dicom.digest import digest_of
from migrate.dicom.element import Element
from migrate.dicom.header import Header
from migrate.dicom.part10 import read_meta
from migrate.dicom.splice import joined, splice
from migrate.errors import IllegalDicom

TEXT_VRS = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UR", "UT"})
BINARY_VRS = frozenset({"AT", "FD", "FL", "SL", "SS", "UL", "US"})
# Identity, character set and bulk that must stay readable; and what the digests leave out by definition.
SPARED = frozenset({0x00080005, 0x00080016, 0x00080018, 0x0020000D, 0x0020000E, 0x00080001, 0x00080015, 0x04000561})
# A media directory (group 0004) is no composite object; without the image's shape no object can be read.
SPARED_GROUPS = frozenset({0x0004, 0x0028})
PIXEL_DATA, STUDY_COMMENTS = 0x7FE00010, 0x00324000
TURNED = bytes.maketrans(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"1234567890BCDEFGHIJKLMNOPQRSTUVWXYZA")


@dataclass(frozen=True, slots=True)
class Victim:
    """One file as bytes, its header, where its data set begins, and what draws by lot."""

    content: bytes
    header: Header
    offset: int
    lot: random.Random

    @property
    def dataset(self) -> bytes:
        """What follows the file meta information."""
        return self.content[self.offset :]

    def with_byte(self, at: int, value: int) -> bytes:
        """The file with one byte of the data set changed."""
        return self.content[: self.offset + at] + bytes([value]) + self.content[self.offset + at + 1 :]

    def with_edits(self, edits: dict[int, tuple[str, bytes] | None]) -> bytes:
        """The file with elements replaced, added or left out."""
        return self.content[: self.offset] + joined(splice(self.header, edits), self.dataset)


Injection = Callable[[Victim], bytes | None]


def victim(content: bytes, seed: str) -> Victim | None:
    """A file that can be altered byte by byte: one that we read and that is not deflated."""
    try:
        meta = read_meta(content)
        header = digest_of(content[meta.dataset_offset :], meta.transfer_syntax_uid).header
    except IllegalDicom:
        return None
    if header.syntax.deflated:
        return None
    return Victim(content, header, meta.dataset_offset, random.Random(seed))  # noqa: S311 - reproducible, no secret


def text_changed(one: Victim) -> bytes | None:
    """One character of one text value is another one."""
    return _turned(one, [e for e in _altered(one) if e.vr in TEXT_VRS])


def nested_text_changed(one: Victim) -> bytes | None:
    """The same inside a sequence."""
    return _turned(one, [e for e in _nested(one) if e.vr in TEXT_VRS and e.tag not in SPARED])


def private_value_changed(one: Victim) -> bytes | None:
    """One character of a private value is another one."""
    found = [e for e in _altered(one) if (e.tag >> 16) & 1 and e.tag & 0xFFFF > 0xFF and e.vr in TEXT_VRS]
    return _turned(one, found)


def binary_bit_flipped(one: Victim) -> bytes | None:
    """One bit of one number is another one."""
    found = [e for e in _altered(one) if e.vr in BINARY_VRS and e.value]
    if not found:
        return None
    element = one.lot.choice(found)
    return one.with_byte(element.value_offset, one.dataset[element.value_offset] ^ 1)


def pixel_bit_flipped(one: Victim) -> bytes | None:
    """One bit in the middle of the pixels is another one."""
    element = one.header.elements.get(PIXEL_DATA)
    if element is None or element.undefined or element.length < 16:
        return None
    at = element.value_offset + element.length // 2
    return one.with_byte(at, one.dataset[at] ^ 1)


def element_removed(one: Victim) -> bytes | None:
    """One element with a value is gone."""
    found = [e for e in _altered(one) if e.value and e.value.strip(b" \0") and e.vr in TEXT_VRS]
    return one.with_edits({one.lot.choice(found).tag: None}) if found else None


def element_added(one: Victim) -> bytes | None:
    """One element is there that was not."""
    return None if STUDY_COMMENTS in one.header.elements else one.with_edits({STUDY_COMMENTS: ("LT", b"INJECTED")})


INJECTIONS: dict[str, Injection] = {
    "text value": text_changed,
    "nested text value": nested_text_changed,
    "private value": private_value_changed,
    "binary value": binary_bit_flipped,
    "pixel bit": pixel_bit_flipped,
    "element removed": element_removed,
    "element added": element_added,
}


def _altered(one: Victim) -> list[Element]:
    return [e for e in one.header.elements.values() if _may_change(e) and e.tag & 0xFFFF and e.items is None]


def _may_change(element: Element) -> bool:
    return element.tag not in SPARED and element.tag >> 16 not in SPARED_GROUPS


def _nested(one: Victim) -> Iterator[Element]:
    waiting = [e for e in one.header.elements.values() if _may_change(e)]
    while waiting:
        for item in waiting.pop().items or ():
            for element in item.elements:
                waiting.append(element)
                if element.items is None:
                    yield element


def _turned(one: Victim, found: list[Element]) -> bytes | None:
    """The first digit or capital of a value drawn by lot becomes the next one; escapes are left alone."""
    able = [e for e in found if e.value and b"\x1b" not in e.value and e.value.translate(TURNED) != e.value]
    if not able:
        return None
    element = one.lot.choice(able)
    value = element.value or b""
    place = next(n for n, byte in enumerate(value) if bytes([byte]).translate(TURNED) != bytes([byte]))
    return one.with_byte(element.value_offset + place, TURNED[value[place]])
