"""Digests of what a data set holds (xxh3_128, hex): wire, bulk and dataset; the only user of xxhash.

`manifests/DIGESTS.md` defines them. They prove integrity against accident, not against a forger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from sys import maxsize
from typing import BinaryIO, Final

import xxhash

from migrate.dicom.bulk import ENCAPSULATED_DOCUMENT, ENCAPSULATED_DOCUMENT_LENGTH, PIXEL_ELEMENTS
from migrate.dicom.canonical import (
    Learnt,
    Reading,
    Record,
    item_records,
    path_of,
    private_keys,
    record_order,
    swap,
    top_records,
    word_bytes,
)
from migrate.dicom.dictionary import tag_path
from migrate.dicom.element import Element
from migrate.dicom.header import Header
from migrate.dicom.stream import DEFAULT_LIMITS, Tokenizer
from migrate.dicom.walk import UNDEFINED, Head, ParseLimits
from migrate.errors import IllegalDicom
from migrate.model import Digests

NO_SKIP: Final[frozenset[int]] = frozenset()
_BLOCK_BYTES: Final = 262_144
_NOTHING_LEARNT: Final[Learnt] = {}
_NOTHING_INSTEAD: Final[Mapping[int, str]] = {}
_EXACT: Final = PIXEL_ELEMENTS | {ENCAPSULATED_DOCUMENT}  # their true length is known from other elements


def xxh3(content: bytes | memoryview) -> str:
    """xxh3_128 of some bytes, 32 hex digits."""
    return xxhash.xxh3_128_hexdigest(content)


class Xxh3:
    """xxh3_128 of bytes that come in pieces."""

    __slots__ = ("_state", "update")

    def __init__(self, content: bytes | memoryview = b"") -> None:
        self._state = xxhash.xxh3_128(content)
        self.update: Callable[[bytes | bytearray | memoryview], None] = self._state.update

    def hexdigest(self) -> str:
        """32 hex digits for what was fed so far."""
        return self._state.hexdigest()


class _BulkDigester:
    """Hashes each bulk value; see `passing.BulkSink`.

    The last byte is held back until the value ends: it may be the padding of an encapsulated document, whose
    true length comes later (PS3.3 C.24.2).
    """

    def __init__(self) -> None:
        self.digests: dict[int, str] = {}
        self.without_last_byte: str | None = None
        self._tag = 0
        self._word = 1
        self._carry = b""
        self._pads = True
        self._length = 0
        self._left = 0
        self._state = Xxh3()

    def begin(self, head: Head, *, little_endian: bool, significant: int | None) -> None:
        """A bulk value starts."""
        self._tag = head.tag
        self._word = 1 if little_endian else word_bytes(head.vr)
        self._carry = b""
        self._pads = head.length != UNDEFINED and head.tag not in _EXACT
        self._length = 0
        self._left = maxsize if significant is None else significant
        self._state = Xxh3()

    def update(self, view: memoryview) -> None:
        """Hash the next bytes as little endian words."""
        self._length += len(view)
        if self._tag == ENCAPSULATED_DOCUMENT:
            pending = self._carry + bytes(view)
            self._state.update(pending[:-1])
            self._carry = pending[-1:]
        elif self._word == 1:
            self._add(view)
        else:
            pending = self._carry + bytes(view)
            whole = len(pending) - len(pending) % self._word
            self._add(swap(pending[:whole], self._word))
            self._carry = pending[whole:]

    def _add(self, piece: bytes | memoryview) -> None:
        """Hash what is no padding, which can be told apart only after the words were turned round."""
        self._state.update(piece[: self._left])
        self._left -= min(self._left, len(piece))

    def end(self) -> None:
        """File the digest; an odd value counts with the zero byte it should have been padded with."""
        if self._tag == ENCAPSULATED_DOCUMENT:
            self.without_last_byte = self._state.hexdigest()
        self._add(self._carry)
        if self._pads and self._length & 1:
            self._state.update(b"\0")
        self.digests[self._tag] = self._state.hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Digested:
    """What one object turned out to be. `size_bytes` are the bytes that came over the wire.

    `records` is what the dataset digest was made from; empty where it was not computed.
    """

    digests: Digests
    header: Header
    size_bytes: int
    records: tuple[Record, ...] = ()

    def with_dataset(self, skip: frozenset[int] = NO_SKIP) -> Digested:
        """With the dataset digest computed, for one that was closed without."""
        return replace(self, digests=replace(self.digests, dataset=dataset_digest(self.header, skip)))


class Digester:
    """Digests one data set while it arrives and checks its structure in the same pass.

    `feed` never raises: a broken object is hashed to its end, so that its wire digest is known, and refused
    by `close`.
    """

    def __init__(self, transfer_syntax_uid: str, limits: ParseLimits = DEFAULT_LIMITS) -> None:
        self._wire = xxhash.xxh3_128()
        self._bulk = _BulkDigester()
        self._tokenizer = Tokenizer(transfer_syntax_uid, limits, self._bulk)
        self._size = 0
        self._illegal: IllegalDicom | None = None

    @property
    def illegal(self) -> bool:
        """Whether the bytes so far cannot become a valid data set."""
        return self._illegal is not None

    def feed(self, view: bytes | memoryview) -> None:
        """Take the next bytes of the data set, as they came over the wire."""
        self._wire.update(view)
        self._size += len(view)
        if self._illegal is None:
            try:
                self._tokenizer.feed(memoryview(view))
            except IllegalDicom as illegal:
                self._illegal = illegal

    def wire(self) -> str:
        """The wire digest of what was fed so far, whatever it is."""
        return self._wire.hexdigest()

    @property
    def size_bytes(self) -> int:
        """How many bytes were fed."""
        return self._size

    def close(self, *, dataset: bool = True) -> Digested:
        """End the data set.

        Args:
            dataset: Compute the dataset digest; without, it is "" until `Digested.with_dataset`.

        Raises:
            IllegalDicom: The bytes are no complete data set in this syntax.
        """
        if self._illegal is not None:
            raise self._illegal
        header = self._tokenizer.close(self._bulk.digests)
        self._settle_document(header)
        found = tuple(_records(header, NO_SKIP)) if dataset else ()
        digests = Digests(
            wire=self.wire(),
            bulk=combined_bulk(header),
            dataset=_digest_of_records(found) if dataset else "",
        )
        return Digested(digests=digests, header=header, size_bytes=self._size, records=found)

    def _settle_document(self, header: Header) -> None:
        """Now that its true length is known, a document counts without the byte that pads it."""
        document = header.elements.get(ENCAPSULATED_DOCUMENT)
        without = self._bulk.without_last_byte
        if document and without and header.number(ENCAPSULATED_DOCUMENT_LENGTH) == document.length - 1:
            self._bulk.digests[ENCAPSULATED_DOCUMENT] = without


def digest_of(content: bytes | memoryview, transfer_syntax_uid: str) -> Digested:
    """The digests of a data set that is in memory as a whole.

    Raises:
        IllegalDicom: The bytes are no complete data set in this syntax.
    """
    digester = Digester(transfer_syntax_uid)
    digester.feed(content)
    return digester.close()


def digest_file(file: BinaryIO, dataset_offset: int, transfer_syntax_uid: str) -> Digested:
    """The digests of a data set in a file that is open for reading, from `dataset_offset` to its end.

    Raises:
        IllegalDicom: The bytes are no complete data set in this syntax.
        OSError: It cannot be read.
    """
    digester = Digester(transfer_syntax_uid)
    file.seek(dataset_offset)
    buffer = memoryview(bytearray(_BLOCK_BYTES))
    while count := file.readinto(buffer):  # type: ignore[attr-defined]  # every binary file has it
        digester.feed(buffer[:count])
    return digester.close()


def combined_bulk(header: Header, instead: Mapping[int, str] = _NOTHING_INSTEAD) -> str | None:
    """One digest for all bulk values: over canonical key and digest of each, by key. None without any.

    Args:
        header: From a `Digester`.
        instead: Digests by tag that stand in the place of its own.
    """
    if not header.bulk_xxh3:
        return None
    parts = sorted((key, instead.get(tag, digest)) for key, tag, digest in _bulk_parts(header))
    return xxh3(b"".join(key + bytes.fromhex(digest) for key, digest in parts))


def _bulk_parts(header: Header) -> Iterator[tuple[bytes, int, str]]:
    """Canonical key, tag and digest of each bulk value."""
    private: dict[int, bytes] = {}
    if any(tag & 0x10000 for tag in header.bulk_xxh3):
        private = {element.tag: key for key, element in private_keys(_privates(header), _reading(header))}
    for tag, digest in header.bulk_xxh3.items():
        yield private.get(tag, tag.to_bytes(4, "big")), tag, digest


def _privates(header: Header) -> list[Element]:
    return [element for tag, element in header.elements.items() if tag & 0x10000]


def _reading(header: Header, learnt: Learnt = _NOTHING_LEARNT) -> Reading:
    return Reading(charset=header.charset, little_endian=header.little_endian, learnt=learnt)


def _records(header: Header, skip: frozenset[int], learnt: Learnt = _NOTHING_LEARNT) -> list[Record]:
    return top_records(header.elements.values(), _reading(header, learnt), skip)


def dataset_digest(header: Header, skip: frozenset[int] = NO_SKIP, learnt: Learnt = _NOTHING_LEARNT) -> str:
    """The digest of everything but bulk data, whatever the encoding.

    Args:
        header: A parsed data set.
        skip: Top level tags that may differ (what a rule or the destination declares).
        learnt: VRs of private elements from an explicit encoding of the same object, see `private_vrs`.
    """
    return _digest_of_records(_records(header, skip, learnt))


def dataset_digest_after(received: Digested, header: Header) -> str:
    """The dataset digest of a header that edits have made from the one received: only what they touch is read again.

    Private elements are named by their creators, and texts are read in the character set: where one of these
    differs, everything is read again.
    """
    before = received.header.elements
    same = {tag for tag, element in header.elements.items() if before.get(tag) is element}
    differs = before.keys() ^ same | header.elements.keys() ^ same
    if not received.records or header.charset != received.header.charset or any(tag & 0x10000 for tag in differs):
        return dataset_digest(header)
    changed = [element for tag, element in header.elements.items() if tag not in same]
    kept = [record for record in received.records if record[2].tag in same]
    return _digest_of_records(sorted([*kept, *top_records(changed, _reading(header), NO_SKIP)], key=record_order))


def _digest_of_records(records: Iterable[Record]) -> str:
    return xxh3(b"".join([record[1] for record in records]))


def tag_digests(header: Header, skip: frozenset[int] = NO_SKIP) -> dict[str, str]:
    """A digest for each top level element that counts, by tag path; bulk elements included."""
    found = {path_of(record): xxh3(record[1]) for record in _records(header, skip)}
    found.update({tag_path(tag): digest for tag, digest in header.bulk_xxh3.items() if tag not in skip})
    return found


def private_vrs(header: Header) -> Learnt:
    """The VRs that an explicit encoding gives its private elements, at every level, by canonical key."""
    learnt: dict[bytes, str] = {}
    _learn(header.elements.values(), _reading(header), learnt)
    return learnt


def _learn(elements: Iterable[Element], reading: Reading, learnt: dict[bytes, str]) -> None:
    elements = tuple(elements)
    private = [element for element in elements if element.tag & 0x10000]
    learnt.update({key: element.vr for key, element in private_keys(private, reading) if element.vr != "UN"})
    for element in elements:
        for item in element.items or ():
            _learn(item.elements, reading, learnt)


def differing_paths(a: Header, b: Header, skip: frozenset[int] = NO_SKIP) -> tuple[str, ...]:
    """The tags in which two data sets differ; empty when their content is the same.

    Bulk data is compared where both headers come from a `Digester`, which hashed it.

    A difference inside a sequence with as many items on both sides is named with its item path
    (`00400275[0].00080050`). Private elements of unknown VR are read with the VR the other side gives.
    """
    learnt = {**private_vrs(a), **private_vrs(b)}
    paths = _differences(
        _records(a, skip, learnt), _records(b, skip, learnt), (_reading(a, learnt), _reading(b, learnt))
    )
    if _has_bulk_digests(a) and _has_bulk_digests(b):
        paths += _bulk_differences(a, b, skip)
    return tuple(sorted(dict.fromkeys(paths)))


def _has_bulk_digests(header: Header) -> bool:
    return bool(header.bulk_xxh3) or all(element.value is not None for element in header.elements.values())


def _bulk_differences(a: Header, b: Header, skip: frozenset[int]) -> Iterator[str]:
    parts_a, parts_b = ({key: (tag, digest) for key, tag, digest in _bulk_parts(side)} for side in (a, b))
    for key in parts_a.keys() | parts_b.keys():
        here, there = parts_a.get(key), parts_b.get(key)
        tag = (here or there or (0, ""))[0]
        if tag not in skip and (here is None or there is None or here[1] != there[1]):
            yield tag_path(tag)


def _differences(a: list[Record], b: list[Record], readings: tuple[Reading, Reading]) -> list[str]:
    mine, theirs = _by_key(a), _by_key(b)
    paths: list[str] = []
    for key in mine.keys() | theirs.keys():
        here, there = mine.get(key, []), theirs.get(key, [])
        if [record[1] for record in here] == [record[1] for record in there]:
            continue
        path = path_of((here or there)[0])
        paths += [f"{path}{inner}" for inner in _inside(here, there, readings)]
    return paths


def _by_key(records: list[Record]) -> dict[bytes, list[Record]]:
    found: dict[bytes, list[Record]] = {}
    for record in records:
        found.setdefault(record[0], []).append(record)
    return found


def _inside(here: list[Record], there: list[Record], readings: tuple[Reading, Reading]) -> list[str]:
    """What to add to the path: item paths where both sides have the same number of items, else nothing."""
    if len(here) != 1 or len(there) != 1:
        return [""]
    mine, theirs = here[0][2].items, there[0][2].items
    if mine is None or theirs is None or len(mine) != len(theirs):
        return [""]
    paths: list[str] = []
    for position, (left, right) in enumerate(zip(mine, theirs, strict=True)):
        inner = _differences(item_records(left, readings[0]), item_records(right, readings[1]), readings)
        paths += [f"[{position}].{path}" for path in inner]
    return paths or [""]
