"""What radiologists miss first when it is gone, seen in one object's header.

Presentation states, key objects and structured reports are objects of their own; overlays, laterality,
burned-in and proprietary annotations are inside others. A source product may keep the latter outside
DICOM, so a count of zero at the source is a fact worth seeing as well.
"""

from __future__ import annotations

from typing import Final

from migrate.dicom.header import ElementSet, Header
from migrate.dicom.uid import KEY_OBJECT_SELECTION_DOCUMENT

KINDS: Final = (
    "presentation_state",
    "key_object",
    "structured_report",
    "annotation",
    "overlay",
    "burned_in",
    "private_annotation",
    "laterality",
)

_PRESENTATION_STATES: Final = "1.2.840.10008.5.1.4.1.1.11."  # PS3.4 B.5: GSPS and its relatives
_STRUCTURED_REPORTS: Final = "1.2.840.10008.5.1.4.1.1.88."
_OVERLAY_ROWS: Final = 0x60000010
_OVERLAY_GROUPS: Final = range(0x6000, 0x6020, 2)  # PS3.5 7.6
_BURNED_IN_ANNOTATION: Final = 0x00280301
_GRAPHIC_ANNOTATION_SEQUENCE: Final = 0x00700001
_LATERALITIES: Final = (0x00200060, 0x00200062)  # Laterality, Image Laterality
_FRAME_ANATOMY: Final = (0x52009229, 0x52009230, 0x00209071, 0x00209072)
# Private creators under which products keep marks that no other viewer shows; the first words suffice.
_VENDOR_MARKS: Final = (
    *("AGFA-AG_HPSTATE", "AMI ANNOTATIONS", "AMI SEQUENCE ANNOT", "AMICAS", "APPLICARE/RADWORKS", "CEMAX-ICON"),
    *("DLX_ANNOT", "DR SYSTEMS, INC.", "EMAGEON STUDY HOME", "GEIIS", "GEMS_3DSTATE", "GEMS_VXTLSTATE"),
    *("KINETDX_GRAPHICS", "MITRA MARKUP", "MITRA OBJECT DOCUMENT", "MITRA PRESENTATION", "SECTRA_OVERLAYINFO"),
    *("SIEMENS MEDCOM OOG", "SILHOUETTE ANNOT", "SILHOUETTE GRAPHICS", "STENTOR", "TOSHIBA COMAPL OOG"),
)


def census_of(header: Header) -> str:
    """The kinds that one object has, in the order of `KINDS`, a blank between; "" for none."""
    found = set()
    if header.sop_class_uid.startswith(_PRESENTATION_STATES):
        found.add("presentation_state")
    elif header.sop_class_uid.startswith(_STRUCTURED_REPORTS):
        is_selection = header.sop_class_uid == KEY_OBJECT_SELECTION_DOCUMENT
        found.add("key_object" if is_selection else "structured_report")
    if any((group << 16) | (_OVERLAY_ROWS & 0xFFFF) in header.elements for group in _OVERLAY_GROUPS):
        found.add("overlay")
    if (header.lenient_text(_BURNED_IN_ANNOTATION) or "").strip() == "YES":
        found.add("burned_in")
    if _GRAPHIC_ANNOTATION_SEQUENCE in header.elements and header.items(_GRAPHIC_ANNOTATION_SEQUENCE):
        found.add("annotation")
    if _has_laterality(header):
        found.add("laterality")
    if any(_is_vendor_mark(header, tag) for tag in header.elements):
        found.add("private_annotation")
    return " ".join(kind for kind in KINDS if kind in found)


def _has_laterality(header: Header) -> bool:
    if any(header.raw(tag) for tag in _LATERALITIES):
        return True
    shared, frames, anatomy, laterality = _FRAME_ANATOMY
    groups: list[ElementSet] = [*header.items(shared), *header.items(frames)[:1]]
    return any(item.raw(laterality) for group in groups for item in group.items(anatomy))


def _is_vendor_mark(header: Header, tag: int) -> bool:
    """Whether a private creator (gggg,0010-00FF) of an odd group is one of those known."""
    if not (tag >> 16) & 1 or not 0x10 <= tag & 0xFFFF <= 0xFF:
        return False
    creator = (header.lenient_text(tag) or "").strip().upper()
    return creator.startswith(_VENDOR_MARKS)
