"""A legacy archive for demos and tests: real files that pydicom ships, and studies made from them.

Seven studies are pydicom's DICOMDIR test studies as they are. The others are real objects given
new UIDs, dates and synthetic people; encoded pixel data keep their bytes. Nothing is downloaded.
The same seed gives the same bytes.
"""

from __future__ import annotations

import random
import shutil
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom import config, dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID, ImplicitVRLittleEndian

from migrate.demo.archive import FolderArchive
from migrate.demo.recipes import FACILITIES, PEOPLE, RECIPES, SeriesRecipe, StudyRecipe

_UID_ROOT = "1.2.826.0.1.3680043.8.498.20"
_SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"
_FIRST_YEAR, _LAST_YEAR = 2006, 2026
_SHIPPED_STUDIES = 7
_NO_OBJECTS = ("DICOMDIR", "README")
#: Leave these out of a made object: they would name another patient.
_FORGOTTEN = ("OtherPatientIDs", "OtherPatientNames", "PatientAddress", "OtherPatientIDsSequence", "EthnicGroup")


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveFacts:
    """What the archive holds, for tests and for the demo's opening line.

    `truncated_study_instance_uid` has one object whose pixel data end early;
    `duplicated_sop_instance_uid` stands in two studies with different content.
    """

    folder: Path
    studies: int
    series: int
    instances: int
    size_bytes: int
    modalities: frozenset[str]
    transfer_syntax_uids: frozenset[str]
    undated_study_instance_uids: frozenset[str]
    truncated_study_instance_uid: str
    duplicated_sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class _Person:
    patient_id: str
    name: str
    charset: tuple[str, ...]
    birth_date: str
    sex: str


@dataclass(frozen=True, slots=True)
class _Study:
    number: int
    uid: str
    recipe: StudyRecipe
    person: _Person
    date: str
    time: str
    accession: str
    facility: str
    folder: Path


def make_legacy_archive(folder: Path, studies: int = 64, seed: int = 1) -> ArchiveFacts:
    """Fill `folder` with `studies` studies (at least 16). Deterministic for a seed.

    Two oddities are made on purpose: a truncated object, and a SOP Instance UID used twice.
    """
    chance = random.Random(seed)  # noqa: S311 - a reproducible archive, no secret
    folder.mkdir(parents=True, exist_ok=True)
    _copy_shipped(folder)
    made = [_planned(folder, number, seed, chance) for number in range(1, studies - _SHIPPED_STUDIES + 1)]
    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")  # real objects break rules, and pydicom says so with their values
        for study in made:
            _write_study(study)
    first = {study.recipe.description: study for study in reversed(made)}
    truncated = first["CT HEAD"]
    _truncate(next(iter(sorted(truncated.folder.iterdir()))))
    duplicated = _duplicate(first["MR KNEE"], first["MR SPINE"])
    return _facts(folder, truncated.uid, duplicated)


def _copy_shipped(folder: Path) -> None:
    """The DICOMDIR test studies: the objects of a media file-set carry no suffix."""
    source = _SHIPPED / "dicomdirtests"
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source)
        if path.is_file() and len(name.parts) > 1 and not path.suffix and path.name not in _NO_OBJECTS:
            target = folder / "shipped" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def _planned(folder: Path, number: int, seed: int, chance: random.Random) -> _Study:
    recipe = RECIPES[(number - 1) % len(RECIPES)]
    undated = number % 19 == 0
    year, month, day = chance.randint(_FIRST_YEAR, _LAST_YEAR), chance.randint(1, 12), chance.randint(1, 28)
    return _Study(
        number=number,
        uid=f"{_UID_ROOT}.{seed}.{number}",
        recipe=recipe,
        person=_person(chance.randrange(max(1, number * 2 // 3 + 1)), seed),
        date="" if undated else f"{year}{month:02d}{day:02d}",
        time="" if undated else f"{chance.randint(0, 23):02d}{chance.randint(0, 59):02d}{chance.randint(0, 59):02d}",
        accession="" if number % 13 == 0 else f"ACC{seed % 100:02d}{number:06d}",
        facility=FACILITIES[chance.randrange(len(FACILITIES))],
        folder=folder / f"{number:03d}",
    )


def _person(number: int, seed: int) -> _Person:
    own = random.Random(f"{seed} {number}")  # noqa: S311 - reproducible, no secret
    charset, name = PEOPLE[number % len(PEOPLE)]
    family, caret, rest = name.partition("^")
    plain = "=" not in name and number >= len(PEOPLE)
    return _Person(
        patient_id=f"{own.choice('HLNR')}{own.randrange(10**7):07d}",
        name=f"{family}-{number // len(PEOPLE)}{caret}{rest}" if plain else name,
        charset=charset,
        birth_date=f"{own.randint(1931, 2004)}{own.randint(1, 12):02d}{own.randint(1, 28):02d}",
        sex=own.choice("FMO"),
    )


def _write_study(study: _Study) -> None:
    study.folder.mkdir(parents=True, exist_ok=True)
    for number, recipe in enumerate(study.recipe.series, start=1):
        for instance in range(1, recipe.instances + 1):
            name = recipe.files[(instance - 1) % len(recipe.files)]
            dataset = dcmread(BytesIO((_SHIPPED / name).read_bytes()), force=True)
            _identify(dataset, study)
            _number(dataset, study, (number, instance))
            _classify(dataset, recipe)
            dataset.save_as(study.folder / f"{number:02d}-{instance:03d}.dcm")


def _identify(dataset: Dataset, study: _Study) -> None:
    person = study.person
    for keyword in _FORGOTTEN:
        if keyword in dataset:
            delattr(dataset, keyword)
    if person.charset:
        dataset.SpecificCharacterSet = list(person.charset) if len(person.charset) > 1 else person.charset[0]
    elif "SpecificCharacterSet" in dataset:
        del dataset.SpecificCharacterSet
    dataset.PatientName = person.name
    dataset.PatientID = person.patient_id
    dataset.PatientBirthDate = person.birth_date
    dataset.PatientSex = person.sex
    dataset.StudyDate = dataset.SeriesDate = study.date
    dataset.StudyTime = dataset.SeriesTime = study.time
    dataset.AccessionNumber = study.accession
    dataset.StudyDescription = study.recipe.description
    dataset.InstitutionName = study.facility


def _number(dataset: Dataset, study: _Study, place: tuple[int, int]) -> None:
    series, instance = place
    dataset.StudyInstanceUID = study.uid
    dataset.SeriesInstanceUID = f"{study.uid}.{series}"
    dataset.SOPInstanceUID = f"{study.uid}.{series}.{instance}"
    dataset.StudyID = str(study.number)
    dataset.SeriesNumber, dataset.InstanceNumber = str(series), str(instance)


def _classify(dataset: Dataset, recipe: SeriesRecipe) -> None:
    if recipe.modality and recipe.sop_class_uid:
        dataset.Modality, dataset.SOPClassUID = recipe.modality, recipe.sop_class_uid
    meta = dataset.file_meta
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    if "TransferSyntaxUID" not in meta:
        meta.TransferSyntaxUID = ImplicitVRLittleEndian


def _truncate(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])


def _duplicate(first: _Study, second: _Study) -> str:
    """Give an object of the second study the SOP Instance UID of one of the first."""
    uid = f"{first.uid}.1.1"
    path = second.folder / "01-001.dcm"
    with warnings.catch_warnings(), config.disable_value_validation():
        warnings.simplefilter("ignore")
        dataset = dcmread(BytesIO(path.read_bytes()))
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(uid)
        dataset.save_as(path)
    return uid


def _facts(folder: Path, truncated: str, duplicated: str) -> ArchiveFacts:
    objects = FolderArchive(folder).objects()
    dated = {each.study_instance_uid for each in objects if each.row.values.get("StudyDate")}
    return ArchiveFacts(
        folder=folder,
        studies=len({each.study_instance_uid for each in objects}),
        series=len({(each.study_instance_uid, each.series_instance_uid) for each in objects}),
        instances=len(objects),
        size_bytes=sum(each.path.stat().st_size for each in objects),
        modalities=frozenset(each.row.values.get("Modality", "") for each in objects),
        transfer_syntax_uids=frozenset(each.transfer_syntax_uid for each in objects),
        undated_study_instance_uids=frozenset({each.study_instance_uid for each in objects} - dated),
        truncated_study_instance_uid=truncated,
        duplicated_sop_instance_uid=duplicated,
    )
