"""Query identifiers: what goes out, and what is read of the answers."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.charset import encode_string
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from migrate.errors import ConfigError, PeerError
from migrate.model import Level
from migrate.wire.dimse.charset import Undecodable, codecs_of, decode_text
from migrate.wire.dimse.identifier import decode, encode, tags_of

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
SYNTAXES = [IMPLICIT, EXPLICIT, BIG_ENDIAN]


def written(data_set: Dataset, syntax: str) -> bytes:
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = syntax == IMPLICIT, syntax != BIG_ENDIAN
    write_dataset(out, data_set)
    return out.getvalue()


def read(value: bytes, syntax: str) -> Dataset:
    return read_dataset(BytesIO(value), syntax == IMPLICIT, syntax != BIG_ENDIAN)


# ---- encoding


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_keys_are_written_in_order_with_their_level(syntax: str) -> None:
    keys = {
        "StudyInstanceUID": "1.2.3",
        "PatientName": "A*",
        "Rows": "512",
        "IssuerOfAccessionNumberSequence": "",
        "StudyDate": "20200101-",
    }
    asked = read(encode(Level.IMAGE, keys, syntax), syntax)
    assert list(asked.keys()) == sorted(asked.keys())
    assert (asked.QueryRetrieveLevel, asked.StudyInstanceUID, asked.PatientName) == ("IMAGE", "1.2.3", "A*")
    assert (asked.Rows, asked.StudyDate, len(asked.IssuerOfAccessionNumberSequence)) == (512, "20200101-", 0)
    assert "SpecificCharacterSet" not in asked


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_character_set_is_declared_only_when_it_is_needed(syntax: str) -> None:
    asked = read(encode(Level.STUDY, {"PatientName": "Müller^*", "SpecificCharacterSet": ""}, syntax), syntax)
    assert (asked.SpecificCharacterSet, str(asked.PatientName)) == ("ISO_IR 192", "Müller^*")


@pytest.mark.parametrize(
    ("keys", "fact"),
    [
        ({"PatientsName": ""}, "no such DICOM keyword"),
        ({"Rows": "many"}, "cannot have this value"),
        ({"Rows": "70000"}, "cannot have this value"),
        ({"RequestAttributesSequence": "x"}, "cannot have this value"),
    ],
)
def test_a_key_that_cannot_be_asked_is_a_configuration_error(keys: dict[str, str], fact: str) -> None:
    with pytest.raises(ConfigError, match=fact):
        encode(Level.STUDY, keys)


# ---- decoding

WANTED = tags_of(
    [
        "StudyInstanceUID",
        "PatientName",
        "PatientID",
        "StudyDescription",
        "ModalitiesInStudy",
        "NumberOfStudyRelatedInstances",
        "Rows",
        "RequestAttributesSequence",
        "IssuerOfPatientID",
        "SimpleFrameList",
        "OffendingElement",
        "ReferencedSamplePositions",
    ]
)


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_absent_empty_and_filled_keys_are_told_apart(syntax: str) -> None:
    answer = Dataset()
    answer.StudyInstanceUID = "1.2.3"
    answer.PatientID = ""
    answer.ModalitiesInStudy = ["CT", "SR"]
    answer.NumberOfStudyRelatedInstances = 12
    answer.Rows = 512
    answer.Columns = 512
    match = decode(written(answer, syntax), syntax, WANTED)
    assert match.values == {
        "StudyInstanceUID": "1.2.3",
        "PatientID": "",
        "ModalitiesInStudy": "CT\\SR",
        "NumberOfStudyRelatedInstances": "12",
        "Rows": "512",
    }
    assert match.raw == {}


@pytest.mark.parametrize("undefined", [False, True], ids=["defined length", "undefined length"])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_sequence_is_returned_with_the_values_of_its_items(syntax: str, undefined: bool) -> None:
    code, item, answer = Dataset(), Dataset(), Dataset()
    code.CodeValue, code.CodeMeaning = "X", "Übung"
    item.ScheduledProcedureStepID = "STEP 1"
    item.ScheduledProtocolCodeSequence = Sequence([code])
    answer.SpecificCharacterSet = "ISO_IR 100"
    answer.StudyInstanceUID = "1.2"
    answer.RequestAttributesSequence = Sequence([item, item])
    for sequence in (answer["RequestAttributesSequence"], item["ScheduledProtocolCodeSequence"]):
        sequence.is_undefined_length = undefined
    item.is_undefined_length_sequence_item = code.is_undefined_length_sequence_item = undefined
    values = decode(written(answer, syntax), syntax, WANTED).values
    assert values["RequestAttributesSequence"] == ""
    for index in (0, 1):
        assert values[f"RequestAttributesSequence[{index}].ScheduledProcedureStepID"] == "STEP 1"
        inner = f"RequestAttributesSequence[{index}].ScheduledProtocolCodeSequence[0].CodeMeaning"
        assert values[inner] == "Übung"


def test_only_wanted_keys_are_decoded() -> None:
    answer = Dataset()
    answer.PatientName, answer.StudyInstanceUID = "A", "1.2"
    assert decode(written(answer, EXPLICIT), EXPLICIT, tags_of(["StudyInstanceUID"])).values == {
        "StudyInstanceUID": "1.2"
    }


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("ISO_IR 100", "Müller^Jürgen"),
        ("ISO_IR 101", "Wałęsa"),
        ("ISO_IR 109", "Ĥoraĉo"),
        ("ISO_IR 110", "Kārlis"),
        ("ISO_IR 144", "Люксембург"),
        ("ISO_IR 126", "Διονυσιος"),
        ("ISO_IR 127", "قباني^لنزار"),
        ("ISO_IR 138", "שרון^דבורה"),
        ("ISO_IR 148", "Çavuşoğlu"),
        ("ISO_IR 166", "นามสกุล"),
        ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
        ("ISO_IR 192", "Wang^XiaoDong=王^小東"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
        ("GBK", "王^小东"),
        ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("ISO 2022 IR 13\\ISO 2022 IR 87", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
        ("\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동"),
        ("ISO 2022 IR 100\\ISO 2022 IR 144", "Buc^Jérôme=Люксембург"),
    ],
)
def test_every_character_set_is_decoded(charset: str, text: str) -> None:
    # pydicom encodes, we decode: two implementations of the same tables.
    answer = Dataset()
    answer.SpecificCharacterSet = charset.split("\\")
    answer.PatientName = text
    match = decode(written(answer, EXPLICIT), EXPLICIT, WANTED)
    assert match.values["PatientName"] == text
    assert match.raw == {}


@pytest.mark.parametrize(
    ("charset", "value"),
    [
        (b"", b"M\xfcller"),
        (b"ISO_IR 6 ", b"M\xfcller"),
        (b"ISO_IR 192", b"M\xfcller"),
        (b"SOMETHING", b"M\xfcller"),
        (b"ISO_IR 192", b"\xc3"),
        (b"\\ISO 2022 IR 87", b"A\x1b$B\x7e\x7e\x1b(B"),
        (b"\\ISO 2022 IR 87", b"A\x1b$Q!!"),
        (b"\\ISO 2022 IR 149", b"\xfb\xf3^\xd1\xce"),
        (b"ISO_IR 192\\ISO 2022 IR 149", b"\x1b$)C\xfb\xf3^\xd1\xce"),
    ],
)
def test_what_cannot_be_decoded_is_kept_as_bytes_and_marked_in_the_text(charset: bytes, value: bytes) -> None:
    padded = value + b" " * (len(value) % 2)
    charset += b" " * (len(charset) % 2)
    answer = b"\x08\x00\x05\x00CS" + struct.pack("<H", len(charset)) + charset
    answer += b"\x10\x00\x10\x00PN" + struct.pack("<H", len(padded)) + padded
    match = decode(answer, EXPLICIT, WANTED)
    assert match.raw["PatientName"] == padded
    assert "PatientName" in match.values


@pytest.mark.parametrize("term", ["ISO_IR 100", "ISO IR 100", "ISO-IR 100", "ISO_IR_100", "iso_ir 100"])
def test_loose_spellings_of_a_character_set_are_understood(term: str) -> None:
    assert decode_text(b"M\xfcller", term.encode()) == "Müller"


def test_utf8_is_understood_by_its_common_name() -> None:
    assert codecs_of(b"UTF-8") == codecs_of(b"ISO_IR 192")


def test_an_identifier_with_other_bytes_is_the_text_of_no_patient() -> None:
    with pytest.raises(Undecodable) as failed:
        decode_text(b"CANARY\xff", b"")
    assert "CANARY" not in str(failed.value)


@pytest.mark.parametrize(
    "value",
    [
        b"\x10",
        b"\x10\x00\x10\x00PN\xff\x00abc",
        b"\x40\x00\x75\x02SQ\x00\x00\xff\xff\xff\xff",
        b"\x40\x00\x75\x02SQ\x00\x00\x08\x00\x00\x00\xfe\xff\x00\xe0\xff\x00\x00\x00",
    ],
    ids=["cut header", "long value", "endless sequence", "long item"],
)
def test_a_damaged_answer_is_an_error_of_the_peer(value: bytes) -> None:
    with pytest.raises(PeerError, match="cannot be read"):
        decode(value, EXPLICIT, WANTED)


@given(value=st.binary(max_size=120), syntax=st.sampled_from(SYNTAXES))
def test_any_bytes_are_an_answer_or_an_error_of_the_peer(value: bytes, syntax: str) -> None:
    try:
        decode(value, syntax, WANTED)
    except PeerError:
        return


@given(
    values=st.dictionaries(
        st.sampled_from(["PatientID", "StudyDescription", "IssuerOfPatientID", "AccessionNumber"]),
        st.text(st.characters(codec="utf-8", exclude_characters="\\\0\x1b", categories=("L", "N", "P")), max_size=20),
    ),
    syntax=st.sampled_from(SYNTAXES),
)
def test_what_is_asked_is_what_is_read(values: dict[str, str], syntax: str) -> None:
    wanted = tags_of([*values, "QueryRetrieveLevel"])
    assert decode(encode(Level.SERIES, values, syntax), syntax, wanted).values == {
        **values,
        "QueryRetrieveLevel": "SERIES",
    }


@pytest.mark.parametrize("again", [b"\x1b$)A", b""], ids=["repeated", "not repeated"])
def test_chinese_is_decoded_whether_or_not_the_escape_sequence_is_repeated(again: bytes) -> None:
    # PS3.5 K.3; pydicom writes no escape sequence for this set at all.
    value = b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^" + again + b"\xd0\xa1\xb6\xab"
    assert decode_text(value, b"\\ISO 2022 IR 58", is_name=True) == "Zhang^XiaoDong=张^小东"


def test_pydicom_and_we_encode_the_same_japanese() -> None:
    encoded = encode_string("山田", ["iso2022_jp"])
    assert decode_text(encoded, b"\\ISO 2022 IR 87") == "山田"
