"""Laws of the parser, the digests and the splice writer."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from migrate.dicom import charset
from migrate.dicom.digest import Digested, Digester, dataset_digest, differing_paths
from migrate.dicom.element import Element
from migrate.dicom.encode import encode_text
from migrate.dicom.header import Header
from migrate.dicom.splice import joined, splice
from migrate.dicom.uid import valid_uid
from migrate.errors import IllegalDicom
from tests.dicom_kit import (
    BIG,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG_LOSSLESS,
    digested,
    encapsulated_image,
    encode,
    image,
    parse,
    read_by_pydicom,
)

SYNTAXES = [IMPLICIT, EXPLICIT, BIG, DEFLATED, JPEG_LOSSLESS]
BITS_ALLOCATED = 0x00280100
FRAMES = [bytes(range(1, 41)), bytes(range(101, 151))]


@lru_cache
def sample(uid: str, *, undefined_lengths: bool = False) -> bytes:
    """One object in each syntax."""
    ds = encapsulated_image(FRAMES) if uid == JPEG_LOSSLESS else image()
    return encode(ds, uid, undefined_lengths=undefined_lengths)


@lru_cache
def whole(uid: str, *, undefined_lengths: bool = False) -> Digested:
    """What it is when it comes in one piece."""
    return digested(sample(uid, undefined_lengths=undefined_lengths), uid)


def pieces(content: bytes, cuts: list[int]) -> Iterator[memoryview]:
    bounds = [0, *sorted(cut % (len(content) + 1) for cut in cuts), len(content)]
    for start, stop in pairwise(bounds):
        yield memoryview(content)[start:stop]


@given(
    uid=st.sampled_from(SYNTAXES),
    undefined_lengths=st.booleans(),
    cuts=st.lists(st.integers(0, 5000), max_size=30),
)
def test_any_fragmentation_gives_the_same_header_and_digests(
    uid: str, undefined_lengths: bool, cuts: list[int]
) -> None:
    digester = Digester(uid)
    for piece in pieces(sample(uid, undefined_lengths=undefined_lengths), cuts):
        digester.feed(piece)
    result = digester.close()
    expected = whole(uid, undefined_lengths=undefined_lengths)
    assert result.digests == expected.digests
    assert result.header == expected.header


@pytest.mark.parametrize("uid", SYNTAXES)
@pytest.mark.parametrize("undefined_lengths", [False, True])
def test_every_cut_is_found(uid: str, undefined_lengths: bool) -> None:
    content = sample(uid, undefined_lengths=undefined_lengths)
    missed = [cut for cut in range(len(content)) if is_read(content[:cut], uid)]
    assert set(missed) <= smaller_data_sets(uid, undefined_lengths=undefined_lengths)


def is_read(content: bytes, uid: str) -> bool:
    try:
        parse(content, uid)
    except IllegalDicom:
        return False
    return True


def smaller_data_sets(uid: str, *, undefined_lengths: bool) -> set[int]:
    """Cuts that nobody can see: between two elements, before the header says that an image follows.

    What is missing then are identifiers that the receiver asks for. The padding of a deflated stream may go.
    """
    if uid == DEFLATED:
        content = sample(uid, undefined_lengths=undefined_lengths)
        return {len(content) - 1} if content[-1] == 0 else set()
    elements = whole(uid, undefined_lengths=undefined_lengths).header.elements.values()
    return {element.offset for element in elements if element.offset > 0 and element.tag <= BITS_ALLOCATED}


@given(uid=st.sampled_from([IMPLICIT, EXPLICIT, BIG]), undefined_lengths=st.booleans())
def test_a_splice_without_edits_is_the_identity(uid: str, undefined_lengths: bool) -> None:
    content = sample(uid, undefined_lengths=undefined_lengths)
    assert joined(splice(parse(content, uid), {}), content) == content


EDITABLE = {0x00080050: "SH", 0x00081030: "LO", 0x00100020: "LO", 0x00100021: "LO", 0x00200010: "SH", 0x00402001: "LO"}


@given(
    uid=st.sampled_from([IMPLICIT, EXPLICIT, BIG, JPEG_LOSSLESS]),
    undefined_lengths=st.booleans(),
    texts=st.dictionaries(
        st.sampled_from(sorted(EDITABLE)),
        st.none() | st.text("ABC xyz0123456789", min_size=1, max_size=16).map(str.strip),
        max_size=4,
    ),
)
@settings(max_examples=60)
def test_a_splice_differs_in_the_declared_elements_only(
    uid: str, undefined_lengths: bool, texts: dict[int, str | None]
) -> None:
    content = sample(uid, undefined_lengths=undefined_lengths)
    header = parse(content, uid)
    edits = {
        tag: None if text is None else (EDITABLE[tag], encode_text(EDITABLE[tag], text, header.charset))
        for tag, text in texts.items()
    }
    result = joined(splice(header, edits), content)
    again = digested(result, uid)
    assert again.digests.bulk == whole(uid).digests.bulk
    assert dataset_digest(again.header, frozenset(edits)) == dataset_digest(header, frozenset(edits))
    assert {int(path, 16) for path in differing_paths(header, again.header)} <= edits.keys()
    before, after = read_by_pydicom(content, uid), read_by_pydicom(result, uid)
    for tag, text in texts.items():
        assert (after[tag].value if tag in after else None) == (text or ("" if text == "" else None))
        for ds in (before, after):
            ds.pop(tag, None)
    assert before == after
    assert list(after.keys()) == sorted(after.keys())


def value_positions(header: Header) -> dict[int, int]:
    """Every byte of every kept value that counts -> its top level tag; padding at the end of values left out."""
    places: dict[int, int] = {}
    for element in header.elements.values():
        if element.tag != 0x00080005:
            _collect(element, element.tag, places)
    return places


def _collect(element: Element, top: int, places: dict[int, int]) -> None:
    for item in element.items or ():
        for inner in item.elements:
            _collect(inner, top, places)
    if element.items is None and element.value is not None:
        count = len(element.value.rstrip(b" \0")) or len(element.value)
        places.update({element.value_offset + position: top for position in range(count)})


@pytest.mark.parametrize("uid", [IMPLICIT, EXPLICIT, BIG])
def test_flipping_any_bit_of_any_value_changes_a_content_digest_and_is_named(uid: str) -> None:
    content = sample(uid, undefined_lengths=True)
    original = whole(uid, undefined_lengths=True)
    generator = random.Random(uid)
    missed = []
    for position, top in value_positions(original.header).items():
        changed = bytearray(content)
        changed[position] ^= 1 << generator.randrange(8)
        try:
            result = digested(bytes(changed), uid)
        except IllegalDicom:
            continue  # found even earlier: the lengths no longer fit
        paths = differing_paths(original.header, result.header)
        if result.digests.dataset == original.digests.dataset or not any(map(name_of(top).match, paths)):
            missed.append(position)
    assert missed == []


def name_of(tag: int) -> re.Pattern[str]:
    """A changed private creator renames its elements: then any of its group names the change."""
    return re.compile(f"{tag >> 16:04X}" if tag >> 16 & 1 else f"{tag:08X}")


@pytest.mark.parametrize("uid", [IMPLICIT, EXPLICIT, BIG, JPEG_LOSSLESS])
def test_flipping_any_bit_of_the_pixels_changes_the_bulk_digest(uid: str) -> None:
    content = sample(uid)
    original = whole(uid)
    payloads = FRAMES if uid == JPEG_LOSSLESS else [content[original.header.elements[0x7FE00010].value_offset :]]
    for payload in payloads:
        start = content.rindex(payload)
        for position in range(start, start + len(payload)):
            changed = bytearray(content)
            changed[position] ^= 1
            assert digested(bytes(changed), uid).digests.bulk != original.digests.bulk


MUTATIONS = (
    lambda generator: bytes((generator.randrange(256),)),
    lambda _: b"\xff\xff\xff\xff",
    lambda _: b"\xfe\xff\x00\xe0\xff\xff\xff\xff",
    lambda _: b"\xfe\xff\xdd\xe0\x00\x00\x00\x00",
    lambda _: b"\xfe\xff\x0d\xe0\x00\x00\x00\x00",
    lambda generator: generator.randbytes(generator.randrange(1, 9)),
)


def mutate(content: bytes, generator: random.Random) -> bytes:
    """Overwrite, insert and cut out bytes at a few places."""
    changed = bytearray(content)
    for _ in range(generator.randint(1, 6)):
        position = generator.randrange(len(changed)) if changed else 0
        piece = generator.choice(MUTATIONS)(generator)
        removed = generator.choice((0, len(piece), generator.randrange(9)))
        changed[position : position + removed] = piece if generator.random() < 0.8 else b""
    return bytes(changed)


def test_five_thousand_mutated_objects_are_read_or_refused_quickly() -> None:
    generator = random.Random(20261124)
    samples = [(uid, sample(uid, undefined_lengths=flag)) for uid in SYNTAXES for flag in (False, True)]
    started = time.process_time()
    refused = 0
    for _ in range(5_000):
        uid, content = generator.choice(samples)
        piece_bytes = generator.randint(1, 2000)
        try:
            result = digested(mutate(content, generator), uid, piece_bytes)
        except IllegalDicom:
            refused += 1
            continue
        for tag in result.header.elements:
            result.header.lenient_text(tag)
            result.header.items(tag)
    assert refused > 2_000
    assert time.process_time() - started < 60


@given(st.text("ABCxyz äöüß^=-.", max_size=40))
def test_converting_the_character_set_does_not_change_the_dataset_digest(text: str) -> None:
    latin, utf8 = (dataset_digest(parse(encode(described(text, term)))) for term in ("ISO_IR 100", "ISO_IR 192"))
    assert latin == utf8


def described(text: str, term: str) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = term
    ds.SOPInstanceUID = "1.2.3"
    ds.StudyDescription = text
    return ds


@given(
    st.text(st.characters(codec="iso2022_jp", exclude_categories=["Cc"]), max_size=20),
    st.sampled_from([("", "ISO 2022 IR 87"), ("ISO_IR 192",), ("GB18030",)]),
)
def test_what_can_be_encoded_can_be_decoded(text: str, terms: tuple[str, ...]) -> None:
    try:
        encoded = charset.encode(text, terms)
    except UnicodeEncodeError:
        assert terms != ("ISO_IR 192",)
        return
    assert charset.decode(encoded, terms) == text


@given(st.from_regex(r"[0-2](\.(0|[1-9][0-9]{0,5})){1,8}", fullmatch=True))
def test_a_well_formed_uid_is_valid_and_one_with_a_leading_zero_is_not(uid: str) -> None:
    assert valid_uid(uid)
    assert not valid_uid(uid + ".01")
