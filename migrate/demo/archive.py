"""An index over a folder of DICOM files: each header is read once, pixel data never.

The same SOP Instance UID may stand in two studies, or twice with other content: every file is an
object of its own. All methods are thread-safe.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom.dsutils import split_dataset

from migrate.demo.matching import Dialect, matches
from migrate.demo.rows import LEVELS, UNIQUE_KEYS, Row, supported_keys
from migrate.demo.text import row_of

_MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
_COUNTED = {
    "NumberOfPatientRelatedStudies",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
    "NumberOfSeriesRelatedInstances",
    "ModalitiesInStudy",
    "InstanceAvailability",
    "RetrieveAETitle",
    "AvailableTransferSyntaxUID",
}
_READ = sorted({"SpecificCharacterSet", "Modality"}.union(*(supported_keys(level) for level in LEVELS)) - _COUNTED)


@dataclass(frozen=True, eq=False, slots=True)
class StoredObject:
    """One file: where its data set begins, what it is, and its header values."""

    path: Path
    dataset_offset_bytes: int
    transfer_syntax_uid: str
    row: Row

    @property
    def study_instance_uid(self) -> str:
        """As stored, without padding."""
        return self.row.values.get("StudyInstanceUID", "")

    @property
    def series_instance_uid(self) -> str:
        """As stored, without padding."""
        return self.row.values.get("SeriesInstanceUID", "")

    @property
    def sop_instance_uid(self) -> str:
        """As stored, without padding."""
        return self.row.values.get("SOPInstanceUID", "")

    @property
    def sop_class_uid(self) -> str:
        """As stored, without padding."""
        return self.row.values.get("SOPClassUID", "")

    def dataset_bytes(self) -> bytes:
        """The data set exactly as it stands in the file."""
        with self.path.open("rb") as file:
            file.seek(self.dataset_offset_bytes)
            return file.read()


def read_object(path: Path) -> StoredObject | None:
    """Read one file's header; None when it is no object that an archive could index."""
    try:
        has_meta = _has_meta(path)
        dataset = dcmread(path, force=True, stop_before_pixels=True, specific_tags=list(_READ))
        offset = split_dataset(path)[1] if has_meta else 0
        row = row_of(dataset, _READ, little_endian=_little_endian(dataset))
    except Exception:  # noqa: BLE001 - whatever pydicom raises for what is no DICOM file
        return None
    found = StoredObject(path, offset, _transfer_syntax(dataset), row)
    whole = found.study_instance_uid and found.series_instance_uid and found.sop_instance_uid
    return found if whole and found.sop_class_uid != _MEDIA_DIRECTORY else None


def _has_meta(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _transfer_syntax(dataset: FileDataset) -> str:
    return str(dataset.file_meta.get("TransferSyntaxUID", "") or ImplicitVRLittleEndian)


def _little_endian(dataset: Dataset) -> bool:
    return dataset.original_encoding[1] is not False


class FolderArchive:
    """A catalogue over a folder. `unreadable` lists files that no query will ever show."""

    def __init__(self, folder: Path, ae_title: str = "") -> None:
        self.unreadable: list[Path] = []
        self._ae_title = ae_title
        self._lock = threading.RLock()
        self._studies: dict[str, list[StoredObject]] = {}
        self._by_sop_instance: dict[str, list[StoredObject]] = {}
        self._study_rows: dict[str, Row] = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.add_file(path)

    def add_file(self, path: Path) -> StoredObject | None:
        """Index one file; None (and `unreadable`) when it cannot be indexed."""
        found = read_object(path)
        if found is None:
            self.unreadable.append(path)
        else:
            self.add(found)
        return found

    def add(self, stored: StoredObject) -> None:
        """Index an object whose header was read already."""
        with self._lock:
            self._studies.setdefault(stored.study_instance_uid, []).append(stored)
            self._by_sop_instance.setdefault(stored.sop_instance_uid, []).append(stored)
            self._study_rows.pop(stored.study_instance_uid, None)

    def remove(self, stored: StoredObject) -> None:
        """Forget an object and delete its file."""
        with self._lock:
            _drop(self._studies, stored.study_instance_uid, stored)
            _drop(self._by_sop_instance, stored.sop_instance_uid, stored)
            self._study_rows.pop(stored.study_instance_uid, None)
        stored.path.unlink(missing_ok=True)

    def objects(self) -> list[StoredObject]:
        """Every object, study by study."""
        with self._lock:
            return [each for objects in self._studies.values() for each in objects]

    def with_sop_instance_uid(self, sop_instance_uid: str) -> list[StoredObject]:
        """The objects with this UID: none, one, or more where it was used twice."""
        with self._lock:
            return list(self._by_sop_instance.get(sop_instance_uid, ()))

    def select(self, keys: Mapping[str, str]) -> list[StoredObject]:
        """The objects that a retrieve asks for: each unique key may hold a list of UIDs."""
        test = matches({key: value for key, value in keys.items() if key in UNIQUE_KEYS.values()}, Dialect())
        return [each for objects in self._asked(keys) for each in objects if test(each.row.values)]

    def study_instance_uids(self) -> list[str]:
        """The truth."""
        with self._lock:
            return list(self._studies)

    def rows(self, level: str, keys: Mapping[str, str], dialect: Dialect) -> Iterator[Row]:
        """See `migrate.demo.rows.Catalogue`."""
        test = matches(keys, dialect)
        return (row for row in self._level(level, keys) if test(row.values))

    def _level(self, level: str, keys: Mapping[str, str]) -> Iterator[Row]:
        studies = self._asked(keys)
        if level == "PATIENT":
            return _patients(self._study_row(objects) for objects in studies)
        if level == "STUDY":
            return (self._study_row(objects) for objects in studies)
        if level == "SERIES":
            return (row for objects in studies for row in _series(objects))
        return (_with(each, AvailableTransferSyntaxUID=each.transfer_syntax_uid) for one in studies for each in one)

    def _asked(self, keys: Mapping[str, str]) -> list[list[StoredObject]]:
        uid = keys.get("StudyInstanceUID", "")
        with self._lock:
            if not uid or "*" in uid:
                return [list(objects) for objects in self._studies.values()]
            asked = dict.fromkeys(uid.split("\\"))
            return [list(self._studies[each]) for each in asked if each in self._studies]

    def _study_row(self, objects: list[StoredObject]) -> Row:
        uid = objects[0].study_instance_uid
        with self._lock:
            if uid not in self._study_rows:
                self._study_rows[uid] = _with(
                    objects[0],
                    ModalitiesInStudy="\\".join(sorted({each.row.values.get("Modality", "") for each in objects})),
                    NumberOfStudyRelatedSeries=str(len({each.series_instance_uid for each in objects})),
                    NumberOfStudyRelatedInstances=str(len(objects)),
                    RetrieveAETitle=self._ae_title,
                )
            return self._study_rows[uid]


def _drop(index: dict[str, list[StoredObject]], uid: str, stored: StoredObject) -> None:
    kept = [each for each in index.get(uid, ()) if each is not stored]
    if kept:
        index[uid] = kept
    else:
        index.pop(uid, None)


def _with(stored: StoredObject, **values: str) -> Row:
    return Row({**stored.row.values, "InstanceAvailability": "ONLINE", **values}, stored.row.raw)


def _series(objects: Iterable[StoredObject]) -> Iterator[Row]:
    by_series: dict[str, list[StoredObject]] = {}
    for each in objects:
        by_series.setdefault(each.series_instance_uid, []).append(each)
    for members in by_series.values():
        yield _with(members[0], NumberOfSeriesRelatedInstances=str(len(members)))


def _patients(studies: Iterable[Row]) -> Iterator[Row]:
    by_patient: dict[str, list[Row]] = {}
    for row in studies:
        by_patient.setdefault(row.values.get("PatientID", ""), []).append(row)
    for rows in by_patient.values():
        yield Row({**rows[0].values, "NumberOfPatientRelatedStudies": str(len(rows))}, rows[0].raw)
