"""The DICOM file format (PS3.10 section 7): preamble and file meta information in front of a data set."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import Final

from migrate.dicom.element import Element
from migrate.dicom.syntax import EXPLICIT_VR_BIG_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from migrate.dicom.uid import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from migrate.dicom.walk import LONG_VRS, SHORT_VRS, Frame, ParseLimits, Walker, is_vr_code
from migrate.errors import IllegalDicom

PREAMBLE_BYTES: Final = 128
_PREFIX: Final = b"DICM"
_META_BYTES: Final = 1024 * 1024  # nobody writes more; private information may stand in group 0002
_USUAL_BYTES: Final = 4096
_GROUP_LENGTH: Final = b"\2\0\0\0UL\4\0"
_HEAD_BYTES: Final = 12  # the longest head of the element behind the group, which ends it
_META_GROUP: Final = 0x0002
_FIRST_GROUPS: Final = range(0x0004, 0x0020)  # where a data set without any preamble may start
_VRS: Final = frozenset(vr.encode() for vr in SHORT_VRS | LONG_VRS)

_MEDIA_STORAGE_SOP_CLASS_UID: Final = 0x00020002
_MEDIA_STORAGE_SOP_INSTANCE_UID: Final = 0x00020003
_TRANSFER_SYNTAX_UID: Final = 0x00020010


@dataclass(frozen=True, kw_only=True, slots=True)
class MetaFields:
    """What goes into the file meta information besides our own name.

    The AE titles say who produced the content's file (`source`) and between whom it travelled (`sending`,
    `receiving`); empty ones are left out.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    source_ae_title: str = ""
    sending_ae_title: str = ""
    receiving_ae_title: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class FileMeta:
    """What a file says about its data set, which starts at `dataset_offset`.

    The UIDs are "" where the file does not say. `deviations` names what was guessed.
    """

    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    dataset_offset: int
    deviations: tuple[str, ...] = ()


def preamble_and_meta(fields: MetaFields) -> bytes:
    """128 zero bytes, `DICM` and group 0002 in explicit VR little endian (PS3.10 7.1).

    The preamble is always zero: what another one holds may be executable.
    """
    elements = [
        _element(0x0001, "OB", b"\0\1"),
        _element(0x0002, "UI", fields.sop_class_uid.encode()),
        _element(0x0003, "UI", fields.sop_instance_uid.encode()),
        _element(0x0010, "UI", fields.transfer_syntax_uid.encode()),
        _element(0x0012, "UI", IMPLEMENTATION_CLASS_UID.encode()),
        _element(0x0013, "SH", IMPLEMENTATION_VERSION_NAME.encode()),
    ]
    titles = (fields.source_ae_title, fields.sending_ae_title, fields.receiving_ae_title)
    elements += [
        _element(0x0016 + position, "AE", title.encode("ascii", "replace"))
        for position, title in enumerate(titles)
        if title
    ]
    group = b"".join(elements)
    return bytes(PREAMBLE_BYTES) + _PREFIX + _element(0x0000, "UL", struct.pack("<I", len(group))) + group


def _element(element: int, vr: str, value: bytes) -> bytes:
    if len(value) & 1:
        value += b"\0" if vr in {"UI", "OB"} else b" "
    if vr in LONG_VRS:
        return struct.pack("<HH2sHI", _META_GROUP, element, vr.encode(), 0, len(value)) + value
    return struct.pack("<HH2sH", _META_GROUP, element, vr.encode(), len(value)) + value


def read_meta(file: int | bytes | memoryview) -> FileMeta:
    """Find the data set in a file, tolerant of a missing preamble or missing meta information.

    Args:
        file: An open file descriptor (its position is left alone) or the first mebibyte of a file.

    Raises:
        IllegalDicom: The file does not start like a DICOM file or data set.
    """
    start = os.pread(file, _USUAL_BYTES, 0) if isinstance(file, int) else bytes(file[:_META_BYTES])
    if isinstance(file, int) and not _holds_meta(start):
        start = os.pread(file, _META_BYTES, 0)
    behind = start[PREAMBLE_BYTES + 4 : PREAMBLE_BYTES + 6]
    if start[PREAMBLE_BYTES : PREAMBLE_BYTES + 4] == _PREFIX and (behind == b"\2\0" or not _starts_dataset(start)):
        return _with_meta(start, PREAMBLE_BYTES + 4, ())
    if start[:4] == _PREFIX:
        return _with_meta(start, 4, ("no preamble",))
    if start[:2] == b"\2\0":
        return _with_meta(start, 0, ("no preamble",))
    return _guessed(start, 0, ("no preamble", "no file meta information"))


def _holds_meta(start: bytes) -> bool:
    """Whether the whole of an ordinary meta group is there: preamble, prefix and (0002,0000) say so."""
    at = PREAMBLE_BYTES + 4
    if start[PREAMBLE_BYTES:at] != _PREFIX or start[at : at + 8] != _GROUP_LENGTH:
        return False
    return at + 12 + int.from_bytes(start[at + 8 : at + 12], "little") + _HEAD_BYTES <= len(start)


def _with_meta(start: bytes, pos: int, deviations: tuple[str, ...]) -> FileMeta:
    walker = Walker(ParseLimits())
    elements: dict[int, Element] = {}
    frame = Frame(len(start), bounded=True, explicit=is_vr_code(start[pos + 4 : pos + 6]), little=True, depth=0)
    while start[pos : pos + 2] == b"\2\0":
        head = walker.head(start, pos, frame)
        element = walker.body(start, pos, head, frame)
        elements[element.tag] = element
        pos = element.end
    uid = _uid(elements, _TRANSFER_SYNTAX_UID)
    if not uid:
        guessed = _guessed(start, pos, (*deviations, "no transfer syntax in the file meta information"))
        uid, deviations = guessed.transfer_syntax_uid, guessed.deviations
    return FileMeta(
        transfer_syntax_uid=uid,
        sop_class_uid=_uid(elements, _MEDIA_STORAGE_SOP_CLASS_UID),
        sop_instance_uid=_uid(elements, _MEDIA_STORAGE_SOP_INSTANCE_UID),
        dataset_offset=pos,
        deviations=deviations,
    )


def _uid(elements: dict[int, Element], tag: int) -> str:
    element = elements.get(tag)
    return (element.value or b"").decode("ascii", "replace").strip(" \0") if element else ""


def _guessed(start: bytes, pos: int, deviations: tuple[str, ...]) -> FileMeta:
    """The syntax that the first element shows: only native syntaxes can be told without meta information."""
    uid = _starts_dataset(start[pos : pos + 8])
    if not uid:
        raise IllegalDicom("the file is not DICOM: it starts with no preamble and no data element", offset=pos)
    return FileMeta(
        transfer_syntax_uid=uid, sop_class_uid="", sop_instance_uid="", dataset_offset=pos, deviations=deviations
    )


def _starts_dataset(start: bytes) -> str:
    """The native transfer syntax in which these bytes would be a first element, or ""."""
    explicit = start[4:6] in _VRS
    if int.from_bytes(start[:2], "little") in _FIRST_GROUPS:
        return EXPLICIT_VR_LITTLE_ENDIAN if explicit else IMPLICIT_VR_LITTLE_ENDIAN
    if int.from_bytes(start[:2], "big") in _FIRST_GROUPS and explicit:
        return EXPLICIT_VR_BIG_ENDIAN
    return ""
