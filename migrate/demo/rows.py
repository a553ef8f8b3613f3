"""One line of an archive's catalogue, and what a catalogue must do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from migrate.demo.matching import Dialect

#: The unique key of each level (PS3.4 C.6.2.1, and C.6.1.1 for PATIENT).
UNIQUE_KEYS = {
    "PATIENT": "PatientID",
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}
#: Levels from the top of Patient Root down.
LEVELS = ("PATIENT", "STUDY", "SERIES", "IMAGE")

#: The unique and required keys of each level; a peer without optional keys knows no more.
REQUIRED_KEYS = {
    "PATIENT": frozenset({"PatientID", "PatientName"}),
    "STUDY": frozenset(
        {"StudyInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "PatientName", "PatientID", "StudyID"}
    ),
    "SERIES": frozenset({"SeriesInstanceUID", "Modality", "SeriesNumber"}),
    "IMAGE": frozenset({"SOPInstanceUID", "InstanceNumber"}),
}
#: What the embedded peers also return when asked (PS3.4 C.6.2.1 optional keys, and InstitutionName,
#: which is no Query/Retrieve attribute and which many archives return).
OPTIONAL_KEYS = {
    "PATIENT": ("PatientBirthDate", "PatientSex", "IssuerOfPatientID", "NumberOfPatientRelatedStudies"),
    "STUDY": (
        "PatientBirthDate",
        "PatientSex",
        "IssuerOfPatientID",
        "StudyDescription",
        "ReferringPhysicianName",
        "InstitutionName",
        "ModalitiesInStudy",
        "NumberOfStudyRelatedSeries",
        "NumberOfStudyRelatedInstances",
        "InstanceAvailability",
        "RetrieveAETitle",
    ),
    "SERIES": (
        "SeriesDescription",
        "SeriesDate",
        "SeriesTime",
        "BodyPartExamined",
        "StationName",
        "InstitutionName",
        "NumberOfSeriesRelatedInstances",
        "InstanceAvailability",
    ),
    "IMAGE": (
        "SOPClassUID",
        "Rows",
        "Columns",
        "BitsAllocated",
        "NumberOfFrames",
        "InstanceAvailability",
        "AvailableTransferSyntaxUID",
    ),
}
#: Counts, which `wrong_counts` falsifies and which `no_optional_keys` takes away.
COUNT_KEYS = frozenset(
    {
        "NumberOfPatientRelatedStudies",
        "NumberOfStudyRelatedSeries",
        "NumberOfStudyRelatedInstances",
        "NumberOfSeriesRelatedInstances",
    }
)

_SUPPORTED = {
    level: REQUIRED_KEYS[level]
    | frozenset(OPTIONAL_KEYS[level])
    | frozenset(UNIQUE_KEYS[above] for above in LEVELS[: LEVELS.index(level)])
    for level in LEVELS
}


def supported_keys(level: str, *, optional: bool = True) -> frozenset[str]:
    """The keys that a peer answers at `level`: its own, and the unique keys above it."""
    if optional:
        return _SUPPORTED[level]
    above = LEVELS[: LEVELS.index(level)]
    return REQUIRED_KEYS[level] | frozenset(UNIQUE_KEYS[each] for each in above)


@dataclass(frozen=True, slots=True)
class Row:
    """One catalogue line: keyword -> text (several values joined by a backslash).

    `raw` holds the bytes as stored for text that was read from a file, so that an answer repeats
    them in the object's own character set, legal or not.
    """

    values: Mapping[str, str]
    raw: Mapping[str, bytes] = field(default_factory=dict)


class Catalogue(Protocol):
    """Something that knows patients, studies, series and instances."""

    def rows(self, level: str, keys: Mapping[str, str], dialect: Dialect) -> Iterator[Row]:
        """The rows of `level` that match `keys`, in a stable order, each once."""
        ...

    def study_instance_uids(self) -> Iterable[str]:
        """The truth: every study there is, whatever a query may find."""
        ...
