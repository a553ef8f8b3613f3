"""The splice writer: only what is edited changes, in the object's own syntax."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from migrate.dicom.encode import encode_element, encode_numbers, encode_sequence, encode_text
from migrate.dicom.splice import Edits, Part, Span, deflated, joined, size_bytes, splice
from migrate.dicom.syntax import syntax_of
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

NATIVE = [IMPLICIT, EXPLICIT, BIG]
PATIENT_ID = 0x00100020
ISSUER = 0x00100021
STATION = 0x00081010


def spliced(content: bytes, uid: str, edits: Edits) -> bytes:
    return joined(splice(parse(content, uid), edits), content)


@pytest.mark.parametrize("uid", NATIVE)
def test_without_edits_the_result_is_one_range_over_everything(uid: str) -> None:
    content = encode(image(), uid)
    assert splice(parse(content, uid), {}) == (Span(0, len(content)),)
    assert spliced(content, uid, {}) == content


@pytest.mark.parametrize("uid", NATIVE)
def test_only_the_edited_elements_differ(uid: str) -> None:
    content = encode(image(), uid, undefined_lengths=True)
    items = [[(0x00080104, "LO", b"new"), (0x00080100, "SH", b"N1")]]
    edits: Edits = {
        PATIENT_ID: ("LO", b"NEW ID"),
        ISSUER: ("LO", b"FHA "),
        STATION: None,
        0x00080050: None,
        0x00321064: ("SQ", encode_sequence(items, syntax_of(uid))),
        0xFFFAFFFA: None,
    }
    result = read_by_pydicom(spliced(content, uid, edits), uid)
    expected = read_by_pydicom(content, uid)
    del expected.AccessionNumber
    expected.PatientID = "NEW ID"
    expected.IssuerOfPatientID = "FHA"
    code = Dataset()
    code.CodeValue = "N1"
    code.CodeMeaning = "new"
    expected.RequestedProcedureCodeSequence = Sequence([code])
    assert list(result.keys()) == sorted(expected.keys())
    assert result == expected


@pytest.mark.parametrize("uid", NATIVE)
def test_an_unedited_range_is_copied_from_the_original(uid: str) -> None:
    content = encode(image(), uid)
    parts = splice(parse(content, uid), {PATIENT_ID: ("LO", b"X ")})
    before, edited, behind = parts
    assert isinstance(before, Span)
    assert isinstance(edited, bytes)
    assert isinstance(behind, Span)
    assert behind.offset + behind.length == len(content)
    assert size_bytes(parts) == len(joined(parts, content))


def test_neighbouring_edits_become_one_piece() -> None:
    content = encode(image())
    parts = splice(parse(content), {PATIENT_ID: ("LO", b"X "), ISSUER: ("LO", b"Y "), 0x00100022: ("CS", b"TEXT")})
    assert len(parts) == 3


def test_fragments_are_copied_as_they_are() -> None:
    content = encode(encapsulated_image([b"frame 1 ", b"frame 2 "]), JPEG_LOSSLESS)
    result = spliced(content, JPEG_LOSSLESS, {PATIENT_ID: ("LO", b"X ")})
    assert digested(result, JPEG_LOSSLESS).digests.bulk == digested(content, JPEG_LOSSLESS).digests.bulk
    assert result[-60:] == content[-60:]


def test_a_group_length_goes_with_the_first_edit_of_its_group() -> None:
    content = with_group_lengths(encode(image()))
    result = parse(spliced(content, EXPLICIT, {PATIENT_ID: ("LO", b"X ")}))
    assert 0x00100000 not in result.elements
    assert 0x00080001 not in result.elements
    assert 0x00200000 in result.elements


def with_group_lengths(content: bytes) -> bytes:
    """With the group lengths that pydicom leaves out put back in front of their groups."""
    header = parse(content)
    fresh = {tag: ("UL", (100).to_bytes(4, "little")) for tag in (0x00080000, 0x00080001, 0x00100000, 0x00200000)}
    return joined(splice(header, fresh), content)


def test_an_edit_that_takes_away_what_is_not_there_changes_nothing() -> None:
    content = encode(image())
    assert splice(parse(content), {STATION: None}) == (Span(0, len(content)),)


def test_an_element_out_of_order_is_replaced_where_it_stands() -> None:
    tail = encode_element(0x00080070, "LO", b"MAKER ", syntax_of(EXPLICIT))
    content = encode(image()) + tail
    result = spliced(content, EXPLICIT, {0x00080070: ("LO", b"OTHER ")})
    assert result == content[: -len(tail)] + encode_element(0x00080070, "LO", b"OTHER ", syntax_of(EXPLICIT))


def test_a_deflated_object_is_deflated_again_the_same_way_each_time() -> None:
    content = encode(image(), DEFLATED)
    parts = splice(parse(content, DEFLATED), {PATIENT_ID: ("LO", b"X ")})
    once, twice = (b"".join(deflated(parts, pieces(content, size))) for size in (7, 4096))
    assert once == twice
    assert len(once) % 2 == 0
    result, expected = read_by_pydicom(once, DEFLATED), read_by_pydicom(content, DEFLATED)
    expected.PatientID = "X"
    assert result == expected


def test_a_deflated_object_without_edits_keeps_its_bytes() -> None:
    content = encode(image(), DEFLATED)
    parts: tuple[Part, ...] = splice(parse(content, DEFLATED), {})
    assert b"".join(deflated(parts, pieces(content, 11))) == content


def pieces(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


def test_a_value_too_long_for_its_vr_is_written_as_un() -> None:
    encoded = encode_element(PATIENT_ID, "LO", bytes(70_000), syntax_of(EXPLICIT))
    assert encoded[4:8] == b"UN\0\0"
    assert int.from_bytes(encoded[8:12], "little") == 70_000


@pytest.mark.parametrize(
    ("vr", "text", "charset", "value"),
    [
        ("LO", "abc", ("",), b"abc "),
        ("UI", "1.2", ("",), b"1.2\0"),
        ("PN", "Müller", ("ISO_IR 100",), b"M\xfcller"),
        ("PN", "Müller", ("ISO_IR 192",), b"M\xc3\xbcller "),
        ("PN", "Yamada^Tarou=山田^太郎", ("", "ISO 2022 IR 87"), b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"),
    ],
)
def test_text_is_encoded_in_the_character_set_and_padded(
    vr: str, text: str, charset: tuple[str, ...], value: bytes
) -> None:
    assert encode_text(vr, text, charset) == value + b" " * (len(value) % 2)


def test_text_that_the_character_set_cannot_hold_is_an_error() -> None:
    with pytest.raises(UnicodeEncodeError):
        encode_text("LO", "山田", ("ISO_IR 100",))


@pytest.mark.parametrize(("uid", "value"), [(EXPLICIT, b"\x01\x00\x02\x00"), (BIG, b"\x00\x01\x00\x02")])
def test_numbers_are_encoded_in_the_byte_order_of_the_object(uid: str, value: bytes) -> None:
    assert encode_numbers("US", [1, 2], syntax_of(uid)) == value
