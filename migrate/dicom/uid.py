"""Unique identifiers (PS3.5 section 9): what is valid, those we speak of, and our own."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

MAX_LENGTH: Final = 64

_VALID: Final = re.compile(r"[012](\.(0|[1-9][0-9]*))+")

VERIFICATION: Final = "1.2.840.10008.1.1"
PATIENT_ROOT_FIND: Final = "1.2.840.10008.5.1.4.1.2.1.1"
PATIENT_ROOT_MOVE: Final = "1.2.840.10008.5.1.4.1.2.1.2"
PATIENT_ROOT_GET: Final = "1.2.840.10008.5.1.4.1.2.1.3"
STUDY_ROOT_FIND: Final = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE: Final = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET: Final = "1.2.840.10008.5.1.4.1.2.2.3"
MODALITY_WORKLIST_FIND: Final = "1.2.840.10008.5.1.4.31"
REPOSITORY_QUERY: Final = "1.2.840.10008.5.1.4.1.1.201.6"
STORAGE_COMMITMENT_PUSH_MODEL: Final = "1.2.840.10008.1.20.1"
STORAGE_COMMITMENT_PUSH_MODEL_INSTANCE: Final = "1.2.840.10008.1.20.1.1"
INVENTORY_STORAGE: Final = "1.2.840.10008.5.1.4.1.1.201.1"
KEY_OBJECT_SELECTION_DOCUMENT: Final = "1.2.840.10008.5.1.4.1.1.88.59"
BASIC_TEXT_SR: Final = "1.2.840.10008.5.1.4.1.1.88.11"
ENCAPSULATED_PDF: Final = "1.2.840.10008.5.1.4.1.1.104.1"
ENCAPSULATED_CDA: Final = "1.2.840.10008.5.1.4.1.1.104.2"
SECONDARY_CAPTURE_IMAGE: Final = "1.2.840.10008.5.1.4.1.1.7"
DICOM_APPLICATION_CONTEXT: Final = "1.2.840.10008.3.1.1.1"

IMPLEMENTATION_CLASS_UID: Final = f"2.25.{UUID('4b4c2f0e-6a1c-4d1e-9d0c-8f4e1b7a5c31').int}"
"""Names this implementation in associations and files (PS3.7 D.3.3.2); a UUID derived UID (PS3.5 B.2)."""

IMPLEMENTATION_VERSION_NAME: Final = "CDI_MIGRATE_1"
"""At most 16 characters (PS3.7 D.3.3.2.3)."""


def valid_uid(text: str) -> bool:
    """Whether a text is a UID as PS3.5 9.1 says.

    Up to 64 characters, components without leading zeros, root 0, 1 or 2. Many archives hold others: an
    invalid UID is reported, not refused.
    """
    return len(text) <= MAX_LENGTH and _VALID.fullmatch(text) is not None
