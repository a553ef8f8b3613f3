"""The digests: what they do not depend on, and what they do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import xxhash
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from migrate.dicom.digest import (
    Digester,
    dataset_digest,
    differing_paths,
    digest_of,
    private_vrs,
    tag_digests,
    xxh3,
)
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
)

REFERENCE = digested(encode(image()))
ODD_AND_EVEN = ((b"\x03\0\0\0", b""), (b"\x04\0\0\0", b"\0"))


def document(size_bytes: int, *, padded: bool) -> Dataset:
    """An encapsulated document that says its true length."""
    ds = Dataset()
    ds.SOPInstanceUID = "1.2.3"
    content = b"%PDF" + bytes(range(size_bytes - 4))
    ds.add_new(0x00420011, "OB", content + b"\0" * padded)
    ds.add_new(0x00420015, "UL", size_bytes)
    return ds


@pytest.mark.parametrize("uid", [IMPLICIT, EXPLICIT, BIG, DEFLATED])
@pytest.mark.parametrize("undefined_lengths", [False, True])
def test_content_digests_do_not_depend_on_the_encoding(uid: str, undefined_lengths: bool) -> None:
    other = digested(encode(image(), uid, undefined_lengths=undefined_lengths), uid)
    assert other.digests.dataset == REFERENCE.digests.dataset
    assert other.digests.bulk == REFERENCE.digests.bulk
    assert differing_paths(REFERENCE.header, other.header) == ()


def in_utf8() -> Dataset:
    ds = image()
    ds.decode()
    ds.SpecificCharacterSet = "ISO_IR 192"
    return ds


def with_group_lengths() -> Dataset:
    ds = image()
    ds.add_new(0x00100000, "UL", 10)
    ds.add_new(0x00080001, "UL", 10)
    ds.add_new(0xFFFCFFFC, "OB", bytes(10))
    return ds


def in_another_private_block() -> Dataset:
    ds = image()
    for number in (0x10, 0x1010, 0x1011, 0x1012):
        del ds[0x0029, number]
    ds.add_new(0x00290042, "LO", "ACME 1.0")
    ds.add_new(0x00294210, "LO", "private text")
    ds.add_new(0x00294211, "US", 4660)
    ds.add_new(0x00294212, "OB", b"\x01\x02\x03\x04")
    return ds


def with_unknown_vrs() -> Dataset:
    ds = image()
    ds[0x0029, 0x1011].VR = "UN"
    ds[0x0029, 0x1011].value = (4660).to_bytes(2, "little")
    ds[0x0029, 0x1010].VR = "UN"
    ds[0x0029, 0x1010].value = b"private text"
    return ds


SAME = {
    "in UTF-8": in_utf8,
    "with lengths and trailing padding": with_group_lengths,
    "in another private block": in_another_private_block,
    "private VRs lost": with_unknown_vrs,
    "padded decimal": lambda: image(SliceThickness=" 1.50 "),
    "padded name": lambda: image(PatientName="Test^One^^^="),
    "coerced before": lambda: image(InstanceCoercionDateTime="20240101"),
    "with original attributes": lambda: image(OriginalAttributesSequence=Sequence([Dataset()])),
}


@pytest.mark.parametrize("other", SAME.values(), ids=SAME.keys())
def test_what_may_differ_does_not_change_the_dataset_digest(other: Callable[[], Dataset]) -> None:
    header = parse(encode(other()))
    assert differing_paths(REFERENCE.header, header) == ()
    assert dataset_digest(header) == REFERENCE.digests.dataset


def with_nested_change() -> Dataset:
    ds = image()
    ds.ReferencedImageSequence[0].PurposeOfReferenceCodeSequence[0].CodeMeaning = "Grosse"
    return ds


def with_swapped_items() -> Dataset:
    ds = image()
    ds.ReferencedImageSequence = Sequence(reversed(ds.ReferencedImageSequence))
    return ds


def with_another_creator() -> Dataset:
    ds = image()
    ds[0x0029, 0x0010].value = "ACME 2.0"
    return ds


DIFFERENT = {
    "value": (lambda: image(PatientID="ID 2"), ("00100020",)),
    "trailing zero of a number": (lambda: image(SliceThickness="1.5"), ("00180050",)),
    "number of values": (lambda: image(ImageType=["ORIGINAL", "PRIMARY", ""]), ("00080008",)),
    "new element": (lambda: image(StationName="A"), ("00081010",)),
    "binary": (lambda: image(HighBit=14), ("00280102",)),
    "nested": (with_nested_change, ("00081140[0].0040A170[0].00080104",)),
    "order of items": (with_swapped_items, ("00081140[0].00081150", "00081140[1].00081150")),
    "private creator": (with_another_creator, ("00290010", "00291010", "00291011", "00291012")),
}


@pytest.mark.parametrize(("other", "paths"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_a_difference_is_found_and_named(other: Callable[[], Dataset], paths: tuple[str, ...]) -> None:
    header = parse(encode(other()))
    assert dataset_digest(header) != REFERENCE.digests.dataset
    found = differing_paths(REFERENCE.header, header)
    assert set(paths) <= set(found)
    assert {path[:8] for path in found} == {path[:8] for path in paths}


def test_a_skipped_tag_does_not_count() -> None:
    header = parse(encode(image(PatientID="ID 2")))
    skip = frozenset({0x00100020})
    assert dataset_digest(header, skip) == dataset_digest(REFERENCE.header, skip)
    assert differing_paths(REFERENCE.header, header, skip) == ()


def test_an_empty_element_is_not_a_missing_one() -> None:
    without = image()
    del without.AccessionNumber
    assert dataset_digest(parse(encode(without))) != dataset_digest(parse(encode(image(AccessionNumber=""))))


def test_a_sequence_without_items_is_an_empty_value() -> None:
    ds = image(ReferencedImageSequence=[])
    implicit_private = parse(encode(ds, IMPLICIT), IMPLICIT)
    assert dataset_digest(implicit_private) == dataset_digest(parse(encode(ds)))


def test_a_binary_value_of_odd_length_counts_as_if_it_were_padded() -> None:
    start = encode(image(PixelData=bytes(70)))
    odd, even = (start + b"\xe1\x7f\x10\x10OB\0\0" + length + b"abc" + pad for length, pad in ODD_AND_EVEN)
    assert dataset_digest(parse(odd)) == dataset_digest(parse(even))


def test_undecodable_text_counts_with_its_character_set() -> None:
    wrong = encode(image()).replace(b"ISO_IR 100", b"ISO_IR 192")
    other = encode(image()).replace(b"ISO_IR 100", b"ISO_IR 6  ")
    digests = {dataset_digest(parse(content)) for content in (wrong, other, encode(image()))}
    assert len(digests) == 3


def test_bulk_digest_is_computable_by_hand_for_pixels_alone() -> None:
    ds = image()
    del ds[0x6000, 0x3000]
    payload = xxhash.xxh3_128_digest(bytes(range(70)))
    assert digested(encode(ds)).digests.bulk == xxhash.xxh3_128_hexdigest(b"\x7f\xe0\x00\x10" + payload)


def test_an_object_without_bulk_data_has_no_bulk_digest() -> None:
    ds = Dataset()
    ds.SOPInstanceUID = "1.2.3"
    assert digested(encode(ds)).digests.bulk is None


@pytest.mark.parametrize("uid", [EXPLICIT, BIG])
def test_the_padding_of_odd_pixel_data_does_not_count(uid: str) -> None:
    one = image(BitsAllocated=8, PixelData=bytes(range(35)) + b"\0")
    two = image(BitsAllocated=8, PixelData=bytes(range(35)) + b"\x20")
    assert digested(encode(one, uid), uid).digests.bulk == digested(encode(two)).digests.bulk


def test_the_padding_of_a_document_does_not_count() -> None:
    padded, bare = (digested(encode(document(9, padded=padded))) for padded in (True, False))
    assert padded.digests.bulk == bare.digests.bulk
    assert padded.digests.dataset == bare.digests.dataset


def test_a_document_of_even_length_counts_whole() -> None:
    assert (
        digested(encode(document(10, padded=False))).digests.bulk
        != digested(encode(document(9, padded=True))).digests.bulk
    )


FRAME = bytes(range(1, 101))


@pytest.mark.parametrize("has_bot", [True, False])
def test_the_offset_table_does_not_count(has_bot: bool) -> None:
    other = digested(encode(encapsulated_image([FRAME, FRAME], has_bot=has_bot), JPEG_LOSSLESS), JPEG_LOSSLESS)
    together = digested(encode(encapsulated_image([FRAME + FRAME]), JPEG_LOSSLESS), JPEG_LOSSLESS)
    assert other.digests.bulk == together.digests.bulk
    assert other.digests.dataset == together.digests.dataset


def test_a_first_fragment_that_is_no_offset_table_counts() -> None:
    content = encode(encapsulated_image([FRAME]), JPEG_LOSSLESS)
    table = content.index(b"\xfe\xff\x00\xe0\x04\x00\x00\x00", content.index(b"\xe0\x7f\x10\x00OB"))
    without = content[:table] + content[table + 12 :]
    found = digested(without, JPEG_LOSSLESS)
    assert found.digests.bulk == digested(content, JPEG_LOSSLESS).digests.bulk
    assert "encapsulated data without an offset table" in found.header.deviations


def test_a_changed_pixel_changes_the_bulk_digest_alone() -> None:
    other = digested(encode(image(PixelData=bytes(69) + b"\x01")))
    assert other.digests.bulk != REFERENCE.digests.bulk
    assert other.digests.dataset == REFERENCE.digests.dataset
    assert differing_paths(REFERENCE.header, other.header) == ("7FE00010",)


def test_a_large_private_value_is_bulk_in_every_encoding() -> None:
    ds = image()
    ds.add_new(0x00291020, "OB", bytes(range(256)) * 4096)
    explicit, implicit = digested(encode(ds)), digested(encode(ds, IMPLICIT), IMPLICIT)
    assert explicit.header.elements[0x00291020].value is None
    assert explicit.digests.bulk == implicit.digests.bulk != REFERENCE.digests.bulk


def test_a_large_private_sequence_is_no_bulk_data() -> None:
    inner = Dataset()
    inner.add_new(0x0040A160, "UT", "a" * 8000)
    ds = image()
    ds.add_new(0x00291020, "SQ", Sequence([inner] * 150))
    explicit, implicit = digested(encode(ds)), digested(encode(ds, IMPLICIT), IMPLICIT)
    assert explicit.digests.dataset == implicit.digests.dataset


def test_learnt_vrs_make_overpadded_private_text_equal() -> None:
    ds = image()
    ds.add_new(0x00291013, "LO", "text   ")
    explicit, implicit = parse(encode(ds)), parse(encode(ds, IMPLICIT), IMPLICIT)
    assert dataset_digest(explicit) != dataset_digest(implicit)
    assert dataset_digest(implicit, learnt=private_vrs(explicit)) == dataset_digest(explicit)
    assert differing_paths(explicit, implicit) == ()


def test_tag_digests_name_every_element_that_counts() -> None:
    digests = tag_digests(REFERENCE.header)
    assert {"00100020", "00081140", "7FE00010", "60003000", "00291010"} <= digests.keys()
    assert "00080005" not in digests


def test_the_wire_digest_is_over_the_bytes_as_they_came() -> None:
    content = encode(image(), DEFLATED)
    assert digested(content, DEFLATED).digests.wire == xxh3(content)


def test_a_broken_object_is_hashed_to_its_end_and_refused_when_closed() -> None:
    content = encode(image()) + b"nothing that DICOM knows" * 10
    digester = Digester(EXPLICIT)
    for start in range(0, len(content), 7):
        digester.feed(content[start : start + 7])
    assert digester.wire() == xxh3(content)
    assert digester.size_bytes == len(content)
    with pytest.raises(IllegalDicom):
        digester.close()


def test_the_dataset_digest_can_wait() -> None:
    digester = Digester(EXPLICIT)
    digester.feed(encode(image()))
    deferred = digester.close(dataset=False)
    assert deferred.digests.dataset == ""
    assert deferred.with_dataset().digests == REFERENCE.digests == digest_of(encode(image()), EXPLICIT).digests
