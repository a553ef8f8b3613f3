"""Small studies made from objects that pydicom ships: real pixel data, UIDs and people of our own."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom import config, dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID

UID_ROOT = "1.2.826.0.1.3680043.8.498.77"
SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"
CT, MR, SR, JPEG_2000 = "CT_small.dcm", "MR_small.dcm", "test-SR.dcm", "MR_small_jp2klossless.dcm"
CANARY_NAME, CANARY_ID, CANARY_BIRTH_DATE = "CANARY^ZZQ", "9999999998", "19010203"


@dataclass(frozen=True, kw_only=True)
class StudyRecipe:
    """One study: which shipped file, how many instances, and what else is in every object."""

    number: int
    file: str = CT
    instances: int = 3
    extra: Mapping[str, str] | None = None

    @property
    def study_instance_uid(self) -> str:
        return f"{UID_ROOT}.{self.number}"


@dataclass(frozen=True, kw_only=True)
class TestObject:
    """One file and what its data set says."""

    __test__ = False

    path: Path
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    study_date: str
    modality: str

    @property
    def dataset_bytes(self) -> bytes:
        """Everything behind the file meta information."""
        content = self.path.read_bytes()
        meta_length = int.from_bytes(content[140:144], "little")
        return content[144 + meta_length :]


def make_studies(folder: Path, recipes: Iterable[StudyRecipe]) -> list[TestObject]:
    """Write studies into `folder`, one file an instance, in one series each."""
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")
        paths = [_write(folder, recipe, number) for recipe in recipes for number in range(1, recipe.instances + 1)]
    return [read(path) for path in paths]


def many(count: int, instances: int = 3, file: str = CT) -> list[StudyRecipe]:
    """`count` studies alike."""
    return [StudyRecipe(number=number, instances=instances, file=file) for number in range(1, count + 1)]


def read(path: Path) -> TestObject:
    """What one file says."""
    dataset = dcmread(path, stop_before_pixels=True)
    return TestObject(
        path=path,
        study_instance_uid=str(dataset.StudyInstanceUID),
        series_instance_uid=str(dataset.SeriesInstanceUID),
        sop_instance_uid=str(dataset.SOPInstanceUID),
        sop_class_uid=str(dataset.SOPClassUID),
        transfer_syntax_uid=str(dataset.file_meta.TransferSyntaxUID),
        study_date=str(dataset.get("StudyDate", "")),
        modality=str(dataset.get("Modality", "")),
    )


def _write(folder: Path, recipe: StudyRecipe, number: int) -> Path:
    dataset = dcmread(BytesIO((SHIPPED / recipe.file).read_bytes()))
    _identify(dataset, recipe, number)
    path = folder / f"{recipe.number:03d}-{number:03d}.dcm"
    dataset.save_as(path)
    return path


def _identify(dataset: Dataset, recipe: StudyRecipe, number: int) -> None:
    study = recipe.study_instance_uid
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, f"{study}.1"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(f"{study}.1.{number}")
    dataset.PatientName, dataset.PatientID = CANARY_NAME, CANARY_ID
    dataset.PatientBirthDate = CANARY_BIRTH_DATE
    dataset.StudyDate, dataset.StudyTime = f"20{recipe.number % 25:02d}0115", "101500"
    dataset.InstanceNumber = str(number)
    for keyword, value in (recipe.extra or {}).items():
        setattr(dataset, keyword, value)
