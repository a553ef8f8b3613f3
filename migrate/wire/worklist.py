"""Who is booked: C-FIND on a Modality Worklist (PS3.4 K), one question a day so that answers stay small."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final

from migrate.dicom.uid import MODALITY_WORKLIST_FIND
from migrate.errors import PeerRefused
from migrate.peers import Match
from migrate.wire.dimse.elements import Syntax, encode_element, encode_item
from migrate.wire.dimse.endpoint import Context, Endpoint
from migrate.wire.dimse.identifier import decode
from migrate.wire.dimse.scu import Association

_SYNTAXES: Final = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
_PATIENT_ID: Final = 0x00100020
_ISSUER: Final = 0x00100021
_STEPS: Final = 0x00400100  # Scheduled Procedure Step Sequence
# One item with the keys that every SCP must match (PS3.4 Table K.6-1); only the day has a value.
_MODALITY: Final = 0x00080060
_STATION: Final = 0x00400001
_START_DATE: Final = 0x00400002
_START_TIME: Final = 0x00400003
_WANTED: Final = frozenset({_PATIENT_ID, _ISSUER})


def booked_patients(endpoint: Endpoint, days: Iterable[date]) -> Iterator[tuple[str, str]]:
    """(Patient ID, its issuer or "") of every scheduled procedure step of these days; repeats included.

    Raises:
        PeerUnavailable: No connection, or no final response: what came before is no whole list.
        PeerRefused: No association, no worklist there, or an answer other than success.
        PeerError: An answer cannot be read.
    """
    with Association.open(endpoint, [Context(MODALITY_WORKLIST_FIND, _SYNTAXES)]) as association:
        for day in days:
            yield from _of_day(association, endpoint.ae_title, day)


def _of_day(association: Association, ae_title: str, day: date) -> list[tuple[str, str]]:
    found: list[Match] = []

    def answer(_status: int, identifier: bytes, transfer_syntax_uid: str) -> None:
        found.append(decode(identifier, transfer_syntax_uid, _WANTED))

    syntax = association.transfer_syntax(MODALITY_WORKLIST_FIND)
    end = association.find(MODALITY_WORKLIST_FIND, question(day, syntax), answer)
    if end.status:
        hint = "the worklist was not given whole; its administrator's log says why"
        raise PeerRefused("the worklist query failed", hint, peer=ae_title, status=f"{end.status:04X}", day=day)
    values = (match.values for match in found)
    return [(one.get("PatientID", "").strip(), one.get("IssuerOfPatientID", "").strip()) for one in values]


def question(day: date, transfer_syntax_uid: str) -> bytes:
    """The identifier: everything that is scheduled on a day, wherever and for whatever modality (PS3.4 K.4.1.1.3)."""
    syntax = Syntax.of(transfer_syntax_uid)
    keys = ((_MODALITY, "CS", b""), (_STATION, "AE", b""), (_START_DATE, "DA", f"{day:%Y%m%d}".encode()))
    step = b"".join(encode_element(*key, syntax) for key in (*keys, (_START_TIME, "TM", b"")))
    patient = b"".join(encode_element(tag, "LO", b"", syntax) for tag in (_PATIENT_ID, _ISSUER))
    return patient + encode_element(_STEPS, "SQ", encode_item(step, syntax), syntax)
