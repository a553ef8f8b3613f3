"""The words of audit messages (PS3.15 A.5.3, PS3.16 CID 400 to 405, RFC 3881)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """One coded value; its meaning is the Standard's own text."""

    value: str
    meaning: str
    system: str = "DCM"


@dataclass(frozen=True, slots=True)
class EventKind:
    """What happened, and whether that creates, reads, deletes or executes something (C R D E)."""

    code: Code
    action: str
    type: Code | None = None


APPLICATION = Code("110100", "Application Activity")
START = EventKind(APPLICATION, "E", Code("110120", "Application Start"))
STOP = EventKind(APPLICATION, "E", Code("110121", "Application Stop"))
BEGIN_TRANSFER = EventKind(Code("110102", "Begin Transferring DICOM Instances"), "E")
TRANSFERRED = EventKind(Code("110104", "DICOM Instances Transferred"), "C")
STUDY_DELETED = EventKind(Code("110105", "DICOM Study Deleted"), "D")
EXPORT = EventKind(Code("110106", "Export"), "R")
QUERY = EventKind(Code("110112", "Query"), "E")

APPLICATION_ROLE = Code("110150", "Application")
LAUNCHER = Code("110151", "Application Launcher")
DESTINATION = Code("110152", "Destination Role ID")
SOURCE = Code("110153", "Source Role ID")
DESTINATION_MEDIA = Code("110154", "Destination Media")
URI_MEDIA = Code("110037", "URI")

STUDY_ID = Code("110180", "Study Instance UID")
SOP_CLASS_ID = Code("110181", "SOP Class UID")
PATIENT_NUMBER = Code("2", "Patient Number", "RFC-3881")
URI = Code("12", "URI", "RFC-3881")

SUCCESS, MINOR_FAILURE, SERIOUS_FAILURE = "0", "4", "8"
