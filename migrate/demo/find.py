"""C-FIND as provider (PS3.4 C.4.1), Study Root and Patient Root."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from pydicom.datadict import dictionary_VR, keyword_for_tag
from pynetdicom.dsutils import decode

from migrate.demo.core import Call
from migrate.demo.question import CANCEL, ClosedInMidAnswer, End, Question
from migrate.demo.rows import Row
from migrate.demo.text import identifier_bytes, row_of

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
PATIENT_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.1.1"

_C_FIND_RSP = 0x8020


def serve_find(call: Call) -> None:
    """Answer one C-FIND, misbehaving as ordered. Raises AssociationLost."""
    orders = call.core.orders.find
    if orders.silence:
        call.keep_silent()
        return
    answers = call.core.answerer.answers(question_of(call))
    try:
        while not call.cancelled():
            status, row = next(answers)
            _respond(call, status, row)
        _finish(call, End(CANCEL))
    except StopIteration as stop:
        _finish(call, stop.value)
    except ClosedInMidAnswer:
        call.association.abort()


def question_of(call: Call) -> Question:
    """The question in a C-FIND, C-MOVE or C-GET identifier; keys that no peer knows are kept empty."""
    values = identifier_of(call)
    level = values.pop("QueryRetrieveLevel", "")
    values.pop("SpecificCharacterSet", None)
    root = "PATIENT" if ".5.1.4.1.2.1." in str(call.context.abstract_syntax) else "STUDY"
    return Question(level, values, root)


def identifier_of(call: Call) -> dict[str, str]:
    """The request's identifier as text by keyword; sequences and private elements are left out."""
    dataset = decode(call.request.Identifier or BytesIO(), call.implicit_vr, True, False)  # noqa: FBT003 - pynetdicom
    named = (keyword_for_tag(tag) for tag in dataset.keys())  # noqa: SIM118 - a Dataset iterates over elements
    keywords = [keyword for keyword in named if keyword and dictionary_VR(keyword) != "SQ"]
    return dict(row_of(dataset, keywords).values)


def _respond(call: Call, status: int, row: Row) -> None:
    identifier = identifier_bytes(row, implicit_vr=call.implicit_vr)
    call.respond(_command(call, status), [identifier])


def _finish(call: Call, end: End) -> None:
    call.respond({**_command(call, end.status), "ErrorComment": end.comment or None})


def _command(call: Call, status: int) -> dict[str, Any]:
    return {
        "AffectedSOPClassUID": call.request.AffectedSOPClassUID,
        "CommandField": _C_FIND_RSP,
        "Status": status,
    }
