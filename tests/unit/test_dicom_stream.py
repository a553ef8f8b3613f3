"""The push parser: what it reads, what it tolerates, what it refuses and how long it takes to refuse."""

from __future__ import annotations

import struct
import time
import zlib

import pytest
from pydicom.dataset import Dataset

from migrate.dicom.stream import Tokenizer
from migrate.dicom.walk import ParseLimits
from migrate.errors import IllegalDicom
from tests.dicom_kit import (
    BIG,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG_LOSSLESS,
    encapsulated_image,
    encode,
    image,
    parse,
    read_by_pydicom,
)

LONG = {b"SQ", b"OB", b"OW", b"UN", b"UT"}
UNDEFINED = 0xFFFFFFFF
ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, UNDEFINED)
ITEM_END = struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
SEQUENCE_END = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
START = struct.pack("<HH2sH", 0x0008, 0x0018, b"UI", 8) + b"1.2.3.4\0"


def element(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    """One explicit VR little endian element, with a length that may lie."""
    said = len(value) if length is None else length
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    return head + (struct.pack("<HI", 0, said) if vr in LONG else struct.pack("<H", said)) + value


@pytest.mark.parametrize("uid", [IMPLICIT, EXPLICIT, BIG, DEFLATED])
@pytest.mark.parametrize("undefined_lengths", [False, True])
def test_every_element_has_the_value_that_pydicom_reads(uid: str, undefined_lengths: bool) -> None:
    content = encode(image(), uid, undefined_lengths=undefined_lengths)
    header = parse(content, uid)
    expected = read_by_pydicom(content, uid)
    assert list(header.elements) == [int(tag) for tag in expected.keys()]  # noqa: SIM118 - keys without conversion
    assert header.study_instance_uid == expected.StudyInstanceUID
    assert header.text(0x00080090) == "Müller^Jörg"
    assert header.number(0x00280010) == 5
    (first, second) = header.items(0x00081140)
    assert first.uid(0x00081155) == "1.2.3.99"
    assert first.items(0x0040A170)[0].text(0x00080104) == "Größe"
    assert not second.elements
    assert header.deviations == ()


def test_offsets_point_at_the_bytes_of_each_element() -> None:
    content = encode(image())
    for element_ in parse(content).elements.values():
        assert content[element_.offset : element_.offset + 2] == struct.pack("<H", element_.tag >> 16)
        if element_.value is not None:
            assert content[element_.value_offset : element_.end] == element_.value


def test_bulk_values_are_not_kept() -> None:
    header = parse(encode(image()))
    assert header.elements[0x7FE00010].value is None
    assert header.elements[0x60003000].value is None
    assert header.elements[0x7FE00010].length == 70


def test_fragments_end_where_the_delimiter_ends() -> None:
    content = encode(encapsulated_image([b"abcd", b"efgh"]), JPEG_LOSSLESS)
    header = parse(content, JPEG_LOSSLESS)
    pixels = header.elements[0x7FE00010]
    assert pixels.undefined
    assert pixels.end == len(content) == header.size_bytes


CASES_TOLERATED = {
    "odd length": (START + element(0x00100020, b"LO", b"abc"), "odd length of (0010,0020)"),
    "unknown VR": (START + element(0x00100020, b"ZZ", b"abcd"), "unknown VR in (0010,0020)"),
    "descending tags": (
        START + element(0x00200011, b"IS", b"1 ") + element(0x00100020, b"LO", b"ab"),
        "order of tags at (0010,0020)",
    ),
    "group 0002": (element(0x00020010, b"UI", b"1.2\0") + START, "group 0002 inside the data set"),
    "implicit element": (
        START + struct.pack("<HHI", 0x0010, 0x0020, 4) + b"abcd",
        "implicit VR element (0010,0020) in an explicit VR data set",
    ),
    "order in an item": (
        START
        + element(
            0x00081140,
            b"SQ",
            ITEM + element(0x00081155, b"UI", b"1.2\0") + element(0x00081150, b"UI", b"1.2\0") + ITEM_END,
        ),
        "order of tags inside an item at (0008,1150)",
    ),
}


@pytest.mark.parametrize(("content", "deviation"), CASES_TOLERATED.values(), ids=CASES_TOLERATED.keys())
def test_a_tolerated_deviation_is_recorded(content: bytes, deviation: str) -> None:
    assert deviation in parse(content).deviations


@pytest.mark.parametrize(("written", "declared"), [(IMPLICIT, EXPLICIT), (EXPLICIT, IMPLICIT)])
def test_the_other_vr_encoding_than_declared_is_read_and_recorded(written: str, declared: str) -> None:
    header = parse(encode(image(), written), declared)
    assert header.uid(0x0020000D) == "1.2.3.4"
    assert header.syntax.explicit == (written == EXPLICIT)
    assert header.deviations


def test_a_tag_that_comes_twice_is_refused() -> None:
    content = START + element(0x00100020, b"LO", b"ab") + element(0x00100020, b"LO", b"cd")
    with pytest.raises(IllegalDicom, match="twice"):
        parse(content)


def test_a_tag_that_comes_twice_after_disorder_is_refused() -> None:
    disorder = element(0x00300010, b"LO", b"ab") + element(0x00200011, b"IS", b"1 ")
    with pytest.raises(IllegalDicom, match="twice"):
        parse(START + disorder + element(0x00300010, b"LO", b"cd"))


NESTED_UNDEFINED = (element(0x00081140, b"SQ", b"", UNDEFINED) + ITEM) * 10_000


def nested_defined(depth: int) -> bytes:
    """Sequences of defined length inside one another."""
    inner = b""
    for _ in range(depth):
        inner = element(0x00081140, b"SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(inner)) + inner)
    return inner


EMPTY_ITEMS = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * (2 * 1024 * 1024)
MANY_ELEMENTS = b"".join(element(0x00090000 + number, b"LO", b"") for number in range(0x1000, 0x10000))
CASES_REFUSED = {
    "empty": b"",
    "half a head": START[:5],
    "deep, undefined": START + NESTED_UNDEFINED,
    "deep, defined": START + nested_defined(10_000),
    "empty items, undefined": START + element(0x00081140, b"SQ", EMPTY_ITEMS, UNDEFINED) + SEQUENCE_END,
    "empty items, defined": START + element(0x00081140, b"SQ", EMPTY_ITEMS),
    "empty fragments": START + element(0x7FE00010, b"OB", EMPTY_ITEMS, UNDEFINED) + SEQUENCE_END,
    "length beyond the file": START + element(0x00100020, b"UT", b"abc", 0x7FFFFFFF),
    "length beyond the limit": START + element(0x00091010, b"UT", b"abc", 0x10000001),
    "bulk length beyond the file": START + element(0x7FE00010, b"OW", b"abc", 0xFFFFFFFE),
    "item beyond its sequence": START + element(0x00081140, b"SQ", struct.pack("<HHI", 0xFFFE, 0xE000, 99) + b"ab"),
    "no item in a sequence": START + element(0x00081140, b"SQ", b"garbage!"),
    "no fragment": START + element(0x7FE00010, b"OB", b"garbage!garbage!", UNDEFINED),
    "no end of fragments": START + element(0x7FE00010, b"OB", struct.pack("<HHI", 0xFFFE, 0xE000, 0), UNDEFINED),
    "undefined length of text": START + element(0x00100020, b"UT", b"", UNDEFINED),
    "item at the top": START + struct.pack("<HHI", 0xFFFE, 0xE000, 0),
    "zero bytes behind": START + bytes(32),
    "text behind": START + b"<html>nothing to see here</html>",
}


@pytest.mark.parametrize("content", CASES_REFUSED.values(), ids=CASES_REFUSED.keys())
@pytest.mark.parametrize("piece_bytes", [999, 1 << 17])
def test_a_broken_or_hostile_object_is_refused_within_a_second(content: bytes, piece_bytes: int) -> None:
    tokenizer = Tokenizer(EXPLICIT)
    started = time.process_time()
    with pytest.raises(IllegalDicom):
        feed_all(tokenizer, content, piece_bytes)
    assert time.process_time() - started < 1


def feed_all(tokenizer: Tokenizer, content: bytes, piece_bytes: int) -> None:
    for start in range(0, len(content), piece_bytes):
        tokenizer.feed(memoryview(content)[start : start + piece_bytes])
    tokenizer.close()


def test_more_elements_than_the_limit_are_refused() -> None:
    tokenizer = Tokenizer(EXPLICIT, ParseLimits(elements=50_000))
    with pytest.raises(IllegalDicom, match="too many elements"):
        feed_all(tokenizer, START + MANY_ELEMENTS, 1 << 16)


@pytest.mark.parametrize("tag", [0x7FE00010, 0x00091010])
def test_a_deflate_bomb_is_stopped_before_it_fills_the_memory(tag: int) -> None:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflater.compress(START + element(tag, b"OW", b"", 0x0FF00000))
    bomb += b"".join(deflater.compress(bytes(1 << 20)) for _ in range(40)) + deflater.flush()
    with pytest.raises(IllegalDicom, match="inflates beyond"):
        parse(bomb, DEFLATED)


def test_a_deflated_data_set_that_is_cut_off_is_refused() -> None:
    content = encode(image(), DEFLATED)
    with pytest.raises(IllegalDicom, match="cut off"):
        parse(content[:-20], DEFLATED)


def test_what_is_not_deflated_is_refused() -> None:
    with pytest.raises(IllegalDicom, match="not deflated"):
        parse(encode(image(), EXPLICIT), DEFLATED)


def test_pixel_data_shorter_than_the_image_is_refused() -> None:
    with pytest.raises(IllegalDicom, match="shorter than the image"):
        parse(encode(image(PixelData=bytes(68))))


def test_pixel_data_is_not_measured_when_the_header_does_not_say_how_long_it_is() -> None:
    ds = image(PixelData=bytes(68))
    del ds.BitsAllocated
    assert parse(encode(ds)).elements[0x7FE00010].length == 68


def test_an_image_without_its_pixels_is_refused() -> None:
    ds = image()
    del ds.PixelData
    with pytest.raises(IllegalDicom, match="no pixel data follows"):
        parse(encode(ds))


def test_un_with_undefined_length_holds_implicit_items() -> None:
    inner = struct.pack("<HHI", 0x0008, 0x0104, 4) + b"abcd"
    content = START + element(0x00091010, b"UN", ITEM + inner + ITEM_END + SEQUENCE_END, UNDEFINED)
    assert parse(content).items(0x00091010)[0].text(0x00080104) == "abcd"


def test_a_refusal_says_where_and_never_what() -> None:
    content = START + element(0x00100010, b"PN", b"SECRET^NAME", 12) + element(0x00100010, b"PN", b"SECRET^NAME2")
    with pytest.raises(IllegalDicom) as refusal:
        parse(content)
    assert "SECRET" not in str(refusal.value)
    assert "offset" in refusal.value.facts


def test_an_item_without_a_character_set_has_the_one_around_it() -> None:
    own = Dataset()
    own.SpecificCharacterSet = "ISO_IR 192"
    own.CodeMeaning = "Größe"
    header = parse(encode(image(ReferencedImageSequence=[own])))
    assert header.charset == ("ISO_IR 100",)
    assert header.items(0x00081140)[0].text(0x00080104) == "Größe"


def test_text_in_another_character_set_than_declared_is_refused_by_name_only() -> None:
    content = START + element(0x00080005, b"CS", b"ISO_IR 192") + element(0x00100010, b"PN", b"M\xfcller")
    header = parse(content)
    with pytest.raises(IllegalDicom, match="not in the declared character set") as refusal:
        header.text(0x00100010)
    assert "ller" not in str(refusal.value)
    assert header.lenient_text(0x00100010) == "M\ufffdller"


def test_attempts_that_found_too_little_are_not_counted() -> None:
    content = START + element(0x00081140, b"SQ", (ITEM + START + ITEM_END) * 20 + SEQUENCE_END, UNDEFINED)
    tokenizer = Tokenizer(EXPLICIT, ParseLimits(items=20, elements=22))
    feed_all(tokenizer, content, 1)
