"""The types that rule parameters have: each checks itself when a pack is loaded.

Messages never show a value, only what is wrong with it; keywords are shown.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from migrate.dicom.uid import valid_uid
from migrate.rules import tables
from migrate.rules.tables import Code, Folder
from migrate.rules.vr import LIMITS, Attribute, attribute, misfit, misfit_of_all

NEVER_CHANGED = frozenset(
    {
        "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID",
        "SpecificCharacterSet", "OriginalAttributesSequence", "InstanceCoercionDateTime",
        "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
        "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "NumberOfFrames", "PixelSpacing",
        "ImagerPixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "SliceThickness",
        "RescaleIntercept", "RescaleSlope", "RescaleType", "WindowCenter", "WindowWidth",
        "ModalityLUTSequence", "VOILUTSequence", "LossyImageCompression", "LossyImageCompressionRatio",
        "LossyImageCompressionMethod", "ContentSequence", "PerFrameFunctionalGroupsSequence",
        "SharedFunctionalGroupsSequence",
    }
)  # fmt: skip
"""What no ordinary rule may write: pixels and their interpretation, UIDs, the structured content."""


def known(name: object) -> Attribute:
    """The attribute of a keyword that a rule may read."""
    found = attribute(name) if isinstance(name, str) else None
    if found is None:
        raise ValueError(f"{str(name)[:64]} is not a keyword of the data dictionary")
    return found


def writable(name: object) -> Attribute:
    """The attribute of a keyword that a rule may write."""
    found = known(name)
    group = found.tag >> 16
    if found.keyword in NEVER_CHANGED or group in (0x0002, 0x0028, 0x7FE0) or group & 1:
        raise ValueError(f"{found.keyword} is not for rules to change")
    return found


def writable_text(name: object) -> Attribute:
    """The attribute of a keyword that a rule may write and whose value is text."""
    found = writable(name)
    if found.vr not in LIMITS:
        raise ValueError(f"{found.keyword} has VR {found.vr}; this rule writes text")
    return found


def _readable_text(name: object) -> Attribute:
    found = known(name)
    if found.vr not in LIMITS:
        raise ValueError(f"{found.keyword} has VR {found.vr}; this rule reads text")
    return found


def _sequence(name: object) -> Attribute:
    found = writable(name)
    if found.vr != "SQ":
        raise ValueError(f"{found.keyword} has VR {found.vr}; this rule writes a sequence")
    return found


Known = Annotated[Attribute, BeforeValidator(known)]
Writable = Annotated[Attribute, BeforeValidator(writable)]
Text = Annotated[Attribute, BeforeValidator(writable_text)]
ReadableText = Annotated[Attribute, BeforeValidator(_readable_text)]
SequenceOf = Annotated[Attribute, BeforeValidator(_sequence)]


def check_fits(attribute: Attribute, values: list[str]) -> None:
    """Raise ValueError when the values do not fit the attribute."""
    if wrong := misfit_of_all(attribute, values):
        raise ValueError(f"{attribute.keyword}: {wrong}")


def _fits(vr: str) -> AfterValidator:
    def check(value: str) -> str:
        if not value:
            raise ValueError("an empty value")
        if wrong := misfit(vr, value):
            raise ValueError(wrong)
        return value

    return AfterValidator(check)


def _oid(value: str) -> str:
    if not valid_uid(value):
        raise ValueError("not an OID")
    return value


Lo = Annotated[str, _fits("LO")]
Sh = Annotated[str, _fits("SH")]
Cs = Annotated[str, _fits("CS")]
Ut = Annotated[str, _fits("UT")]
Oid = Annotated[str, AfterValidator(_oid)]


def folder_of(info: ValidationInfo) -> Folder:
    """Where the pack that is being loaded keeps its tables."""
    context: Any = info.context
    if not isinstance(context, Folder):
        raise TypeError("tables need the folder of their pack")
    return context


def _lookup(value: object, info: ValidationInfo) -> dict[str, str]:
    if isinstance(value, str):
        return tables.lookup(value, folder_of(info))
    if isinstance(value, dict) and value and all(isinstance(one, str) for one in value.values()):
        return {str(key): one for key, one in value.items()}
    raise ValueError("needs the name of a CSV file with columns from, to, or a table of texts")


def _codes(value: object, info: ValidationInfo) -> dict[str, Code]:
    if isinstance(value, str):
        return tables.codes(value, folder_of(info))
    if isinstance(value, dict) and value:
        return {str(key): _code(parts) for key, parts in value.items()}
    raise ValueError("needs the name of a CSV file, or a table: key = [code value, scheme, meaning]")


def _code(parts: object) -> Code:
    if not isinstance(parts, list) or len(parts) != 3 or not all(isinstance(part, str) for part in parts):
        raise ValueError("a code is a list: [code value, scheme, meaning]")
    code = Code(*parts)
    if wrong := tables.misfit_of_code(code):
        raise ValueError(wrong)
    return code


def _crosswalk(value: object, info: ValidationInfo) -> dict[str, str]:
    if not isinstance(value, str):
        raise ValueError("needs the name of a CSV file with columns patient_id, phn")
    return tables.lookup(value, folder_of(info), ("patient_id", "phn"))


Lookup = Annotated[dict[str, str], BeforeValidator(_lookup)]
Codes = Annotated[dict[str, Code], BeforeValidator(_codes)]
Crosswalk = Annotated[dict[str, str], BeforeValidator(_crosswalk)]
