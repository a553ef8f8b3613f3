"""Tables and small words of the Standard: UIDs, syntaxes, classes, statuses, identifiers, levels."""

from __future__ import annotations

import pytest
from pydicom._uid_dict import UID_dictionary
from pydicom.uid import UID

from migrate.dicom.dictionary import is_private, is_private_creator, keyword_of, tag_of, tag_path, tag_text, vr_of
from migrate.dicom.identifiers import Issuer, PhnState, phn_state
from migrate.dicom.level import keys_above
from migrate.dicom.sop_classes import STORAGE_SOP_CLASSES, is_storage, name_of
from migrate.dicom.status import (
    FIND_STATUSES,
    MOVE_STATUSES,
    STORE_STATUSES,
    FindClass,
    MoveClass,
    StoreClass,
    find_class,
    find_text,
    move_class,
    move_text,
    store_class,
    store_text,
)
from migrate.dicom.syntax import RECEIVE_PREFERENCE, SYNTAXES, syntax_of
from migrate.dicom.uid import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, valid_uid
from migrate.model import Level


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("1.2.840.10008.1.1", True),
        ("0.0", True),
        ("2.25.0", True),
        ("1." + "2" * 62, True),
        ("1." + "2" * 63, False),
        ("1.02", False),
        ("3.1", False),
        ("1", False),
        ("", False),
        ("1.2.", False),
        ("1..2", False),
        ("1.2\n", False),
        ("1.2/../x", False),
        ("1.٢", False),
    ],
)
def test_a_uid_is_valid_as_the_standard_says(text: str, valid: bool) -> None:
    assert valid_uid(text) is valid


def test_our_own_names_keep_their_limits() -> None:
    assert valid_uid(IMPLEMENTATION_CLASS_UID)
    assert len(IMPLEMENTATION_VERSION_NAME) <= 16


def test_every_transfer_syntax_of_the_dictionary_is_in_the_table() -> None:
    known = {uid for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"}
    assert known - SYNTAXES.keys() <= {uid for uid in known if "6." in uid[-4:]}


# Not video over IP, MIME and XML: nothing of ours travels in them.
FILE_SYNTAXES = [
    uid
    for uid in SYNTAXES
    if UID(uid).is_transfer_syntax
    and not uid.startswith(("1.2.840.10008.1.2.6", "1.2.840.10008.1.2.7", "1.2.840.10008.1.20"))
]


@pytest.mark.parametrize("uid", FILE_SYNTAXES)
def test_encapsulation_is_what_pydicom_says_except_for_jpip(uid: str) -> None:
    jpip = uid.rsplit(".", 1)[-1] in {"94", "95", "204", "205"}
    assert syntax_of(uid).encapsulated == (UID(uid).is_encapsulated and not jpip)


@pytest.mark.parametrize(
    ("uid", "lossy"),
    [
        ("1.2.840.10008.1.2.4.50", True),
        ("1.2.840.10008.1.2.4.70", False),
        ("1.2.840.10008.1.2.4.80", False),
        ("1.2.840.10008.1.2.4.81", True),
        ("1.2.840.10008.1.2.4.90", False),
        ("1.2.840.10008.1.2.4.91", True),
        ("1.2.840.10008.1.2.4.102.1", True),
        ("1.2.840.10008.1.2.4.110", False),
        ("1.2.840.10008.1.2.4.203", True),
        ("1.2.840.10008.1.2.5", False),
        ("1.2.840.10008.1.2.1.98", False),
        ("1.2.840.10008.1.2.8.1", False),
    ],
)
def test_lossy_is_told_from_lossless(uid: str, lossy: bool) -> None:
    assert syntax_of(uid).known
    assert syntax_of(uid).lossy is lossy


def test_an_unknown_syntax_counts_as_explicit_with_fragments() -> None:
    unknown = syntax_of("1.2.3.4")
    assert (unknown.explicit, unknown.little_endian, unknown.encapsulated, unknown.known) == (True, True, True, False)


def test_the_receiver_prefers_lossless_then_lossy_then_native() -> None:
    order = {uid: position for position, uid in enumerate(RECEIVE_PREFERENCE)}
    assert len(order) == len(RECEIVE_PREFERENCE)
    assert order["1.2.840.10008.1.2.4.70"] < order["1.2.840.10008.1.2.5"] < order["1.2.840.10008.1.2.4.50"]
    assert order["1.2.840.10008.1.2.4.108"] < order["1.2.840.10008.1.2.1"] < order["1.2.840.10008.1.2"]
    assert RECEIVE_PREFERENCE[-2:] == ("1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99")


@pytest.mark.parametrize(
    ("uid", "storage"),
    [
        ("1.2.840.10008.5.1.4.1.1.2", True),
        ("1.2.840.10008.5.1.4.1.1.88.59", True),
        ("1.2.840.10008.5.1.4.1.1.201.1", True),
        ("1.2.840.10008.5.1.4.1.1.99999", True),
        ("1.3.46.670589.11.0.0.12.1", True),
        ("1.2.840.10008.1.20.1", False),
        ("1.2.840.10008.1.3.10", False),
        ("1.2.840.10008.5.1.4.1.2.2.1", False),
        ("1.2.840.10008.5.1.4.1.1.201.6", False),
        ("1.2.3", False),
    ],
)
def test_storage_classes_are_told_from_others(uid: str, storage: bool) -> None:
    assert is_storage(uid) is storage


def test_names_come_from_the_dictionary_or_stay_the_uid() -> None:
    assert (
        name_of("1.2.840.10008.5.1.4.1.1.2") == STORAGE_SOP_CLASSES["1.2.840.10008.5.1.4.1.1.2"] == "CT Image Storage"
    )
    assert name_of("1.2.3") == "1.2.3"


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (0x0000, StoreClass.STORED),
        (0xB000, StoreClass.STORED_CHANGED),
        (0xB006, StoreClass.STORED_CHANGED),
        (0xB007, StoreClass.STORED_CHANGED),
        (0xA700, StoreClass.TRANSIENT),
        (0xA771, StoreClass.PERMANENT),
        (0xA777, StoreClass.PERMANENT),
        (0xA77A, StoreClass.TRANSIENT),
        (0xA900, StoreClass.PERMANENT),
        (0xC123, StoreClass.PERMANENT),
        (0xC122, StoreClass.CONFIG),
        (0x0110, StoreClass.TRANSIENT),
        (0x0111, StoreClass.DUPLICATE),
        (0x0117, StoreClass.PERMANENT),
        (0x0122, StoreClass.CONFIG),
        (0x0124, StoreClass.CONFIG),
        (0x0213, StoreClass.TRANSIENT),
        (0x1234, StoreClass.PERMANENT),
        (None, StoreClass.UNKNOWN),
    ],
)
def test_a_store_status_says_what_to_do_next(status: int | None, meaning: StoreClass) -> None:
    assert store_class(status) is meaning


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (0xFF00, FindClass.MATCH),
        (0xFF01, FindClass.MATCH),
        (0x0000, FindClass.DONE),
        (0xFE00, FindClass.TRUNCATED),
        (0xB001, FindClass.TRUNCATED),
        (0xA700, FindClass.TRUNCATED),
        (0xA900, FindClass.CONFIG),
        (0xC000, FindClass.FAILED),
        (None, FindClass.UNKNOWN),
    ],
)
def test_a_find_status_says_whether_the_window_is_complete(status: int | None, meaning: FindClass) -> None:
    assert find_class(status) is meaning


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (0xFF00, MoveClass.PENDING),
        (0x0000, MoveClass.DONE),
        (0xB000, MoveClass.PARTIAL),
        (0xA702, MoveClass.BUSY),
        (0xA801, MoveClass.CONFIG),
        (0xC000, MoveClass.FAILED),
        (None, MoveClass.UNKNOWN),
    ],
)
def test_a_move_status_says_how_to_go_on(status: int | None, meaning: MoveClass) -> None:
    assert move_class(status) is meaning


@pytest.mark.parametrize(
    ("table", "text"), [(STORE_STATUSES, store_text), (FIND_STATUSES, find_text), (MOVE_STATUSES, move_text)]
)
def test_every_status_row_names_its_source_and_can_be_reached(table: tuple[object, ...], text: object) -> None:
    assert callable(text)
    for row in table:
        assert row.source  # type: ignore[attr-defined]
        if row.mask:  # type: ignore[attr-defined]
            assert text(row.code)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("9698658215", PhnState.VALID),
        ("9698 658 215", PhnState.VALID),
        ("9260784079", PhnState.VALID),
        ("9012372173", PhnState.VALID),
        ("9879835895", PhnState.VALID),
        ("9872205077", PhnState.VALID),
        ("9698648215", PhnState.INVALID),
        ("9123456789", PhnState.INVALID),
        ("9888888888", PhnState.INVALID),
        ("8698658215", PhnState.NOT_A_PHN),
        ("969865821", PhnState.NOT_A_PHN),
        ("96986582155", PhnState.NOT_A_PHN),
        ("969865821X", PhnState.NOT_A_PHN),
        ("٩698658215", PhnState.NOT_A_PHN),
        ("", PhnState.NOT_A_PHN),
    ],
)
def test_a_personal_health_number_is_checked_by_its_digit(text: str, state: PhnState) -> None:
    assert phn_state(text) is state


def test_a_body_whose_check_would_be_ten_was_never_issued() -> None:
    bodies = [f"9{number:08d}" for number in range(200)]
    never = [body for body in bodies if all(phn_state(body + digit) is PhnState.INVALID for digit in "0123456789")]
    assert 0.05 < len(never) / len(bodies) < 0.13


@pytest.mark.parametrize("hd", ["FHA", "FHA&2.16.840.1.113883.3.1&ISO", "&2.16.840.1.113883.3.1&ISO"])
def test_an_issuer_survives_as_hl7_text(hd: str) -> None:
    assert Issuer.from_hd(hd).hd == hd


def test_issuers_are_the_same_by_universal_id_before_namespace() -> None:
    one = Issuer(namespace="FHA", universal_id="1.2.3", universal_id_type="ISO")
    assert one.same_as(Issuer(namespace="other", universal_id="1.2.3", universal_id_type="ISO"))
    assert one.same_as(Issuer(namespace="FHA"))
    assert not one.same_as(Issuer(namespace="FHA", universal_id="1.2.4", universal_id_type="ISO"))
    assert not Issuer().same_as(Issuer())


def test_levels_name_the_keys_above_them() -> None:
    assert keys_above(Level.IMAGE) == ("StudyInstanceUID", "SeriesInstanceUID")
    assert keys_above(Level.STUDY) == ()


@pytest.mark.parametrize(
    ("tag", "vr"),
    [
        (0x00100010, "PN"),
        (0x00280106, "US"),
        (0x7FE00010, "OW"),
        (0x60023000, "OW"),
        (0x00100000, "UL"),
        (0x00290010, "LO"),
        (0x00291010, "UN"),
        (0x00100999, "UN"),
    ],
)
def test_the_dictionary_gives_one_vr_for_each_tag(tag: int, vr: str) -> None:
    assert vr_of(tag) == vr


def test_tags_are_written_and_named() -> None:
    assert (tag_text(0x00100010), tag_path(0x7FE00010)) == ("(0010,0010)", "7FE00010")
    assert (keyword_of(0x00100010), tag_of("PatientName"), tag_of("NoSuchThing")) == ("PatientName", 0x00100010, None)
    assert is_private(0x00291010)
    assert is_private_creator(0x00290010)
    assert not is_private_creator(0x00291010)
