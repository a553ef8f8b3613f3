"""Storage commitment data sets, final responses and transfer syntaxes, in bytes made by pydicom."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from migrate.wire.dimse.command import CommandSet
from migrate.wire.dimse.commitment import SopReference, decode_result, encode_request
from migrate.wire.dimse.negotiation import LOSSY, Acceptance, choose
from migrate.wire.dimse.pdu import ProposedContext
from migrate.wire.dimse.retrieval import end_of
from tests.unit.test_wire_identifier import SYNTAXES, read

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
REFERENCES = [SopReference(CT, "1.2.3"), SopReference(CT, "1.2.34")]


def written(data_set: Dataset, syntax: str) -> bytes:
    out = DicomBytesIO()
    out.is_implicit_VR, out.is_little_endian = syntax == SYNTAXES[0], syntax != SYNTAXES[2]
    write_dataset(out, data_set)
    return out.getvalue()


def reference(uid: str, reason: int | None = None) -> Dataset:
    one = Dataset()
    one.ReferencedSOPClassUID, one.ReferencedSOPInstanceUID = CT, uid
    if reason is not None:
        one.FailureReason = reason
    return one


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_request_names_its_transaction_and_every_instance(syntax: str) -> None:
    asked = read(encode_request("1.2.3.4", REFERENCES, syntax), syntax)
    assert asked.TransactionUID == "1.2.3.4"
    assert [one.ReferencedSOPInstanceUID for one in asked.ReferencedSOPSequence] == ["1.2.3", "1.2.34"]
    assert {one.ReferencedSOPClassUID for one in asked.ReferencedSOPSequence} == {CT}


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_result_with_failures_names_both_lists_and_the_reasons(syntax: str) -> None:
    told = Dataset()
    told.TransactionUID, told.RetrieveAETitle = "1.2.3.4", "ARCHIVE"
    told.ReferencedSOPSequence = [reference("1.2.3")]
    told.FailedSOPSequence = [reference("1.2.34", 0x0119)]
    result = decode_result(written(told, syntax), syntax)
    assert (result.transaction_uid, result.retrieve_ae_title) == ("1.2.3.4", "ARCHIVE")
    assert (result.committed, result.failed) == ((REFERENCES[0],), ((REFERENCES[1], 0x0119),))


@pytest.mark.parametrize("value", [b"", b"\x08\x00\x95\x11UI\xff\x00", written(reference("1.2"), EXPLICIT)])
def test_a_result_without_a_transaction_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match=r"1195|longer"):
        decode_result(value, EXPLICIT)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("uids", [[], ["1.2.3"], ["1.2.3", "1.2.34", "1.2.345"]])
def test_the_failed_instances_of_a_final_response_are_listed(syntax: str, uids: list[str]) -> None:
    told = Dataset()
    told.FailedSOPInstanceUIDList = uids
    command = CommandSet(command_field=0x8021, status=0xB000, number_of_failed_suboperations=len(uids))
    end = end_of(command, written(told, syntax), syntax)
    assert (end.status, end.failed, end.failed_sop_instance_uids) == (0xB000, len(uids), tuple(uids))
    assert (end.remaining, end.completed, end.warning) == (None, None, None)


def test_a_damaged_list_of_failed_instances_is_an_empty_one() -> None:
    command = CommandSet(command_field=0x8021, status=0xC000)
    assert end_of(command, b"\x08\x00\x58\x00UI\xff\xff", EXPLICIT).failed_sop_instance_uids == ()


@pytest.mark.parametrize(
    ("lossy_sop_classes", "chosen"), [(frozenset(), EXPLICIT), (frozenset({CT}), LOSSY[0])], ids=["unknown", "lossy"]
)
def test_a_lossy_syntax_wins_only_where_the_source_is_known_to_store_lossy(
    lossy_sop_classes: frozenset[str], chosen: str
) -> None:
    proposed = ProposedContext(1, CT, (EXPLICIT, LOSSY[0]))
    assert choose(proposed, Acceptance(lossy_sop_classes=lossy_sop_classes)) == chosen
