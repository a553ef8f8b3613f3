"""Rejection notes: Key Object Selection documents that say which instances are not to be used (IHE RAD TF-3, IOCM).

The title says why; Current Requested Procedure Evidence Sequence names the instances (PS3.3 C.17.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from migrate.dicom.header import ElementSet, Header
from migrate.dicom.uid import KEY_OBJECT_SELECTION_DOCUMENT

#: Document titles (PS3.16 CID 7011) that reject what the document names.
TITLES: Final = {
    "113001": "Rejected for Quality Reasons",
    "113037": "Rejected for Patient Safety Reasons",
    "113038": "Incorrect Modality Worklist Entry",
    "113039": "Data Retention Policy Expired",
}

_CONCEPT_NAME_CODE_SEQUENCE: Final = 0x0040A043
_CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE: Final = 0x0040A375
_REFERENCED_SERIES_SEQUENCE: Final = 0x00081115
_REFERENCED_SOP_SEQUENCE: Final = 0x00081199
_REFERENCED_SOP_INSTANCE_UID: Final = 0x00081155
_CODE_VALUE: Final = 0x00080100
_CODING_SCHEME_DESIGNATOR: Final = 0x00080102
_STUDY_INSTANCE_UID: Final = 0x0020000D
_SERIES_INSTANCE_UID: Final = 0x0020000E
_SCHEME: Final = "DCM"


@dataclass(frozen=True, slots=True)
class Referenced:
    """One instance that a note names."""

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str


def rejection_code(header: Header) -> str | None:
    """The code of a rejection note's title; None for every other object, other key object selections included."""
    if header.sop_class_uid != KEY_OBJECT_SELECTION_DOCUMENT:
        return None
    for item in header.items(_CONCEPT_NAME_CODE_SEQUENCE):
        code, scheme = item.lenient_text(_CODE_VALUE), item.lenient_text(_CODING_SCHEME_DESIGNATOR)
        if scheme == _SCHEME and code in TITLES:
            return code
    return None


def referenced(header: Header) -> Iterator[Referenced]:
    """Every instance that a note names, each as often as it names it."""
    for study in header.items(_CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE):
        for series in study.items(_REFERENCED_SERIES_SEQUENCE):
            for instance in series.items(_REFERENCED_SOP_SEQUENCE):
                if uid := instance.uid(_REFERENCED_SOP_INSTANCE_UID):
                    yield Referenced(_uid(study, _STUDY_INSTANCE_UID), _uid(series, _SERIES_INSTANCE_UID), uid)


def _uid(elements: ElementSet, tag: int) -> str:
    return elements.uid(tag) or ""
