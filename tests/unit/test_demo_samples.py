from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from pydicom import dcmread

from migrate.demo.archive import FolderArchive
from migrate.demo.samples import ArchiveFacts, make_legacy_archive

SYNTAXES = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "deflated": "1.2.840.10008.1.2.1.99",
    "big endian": "1.2.840.10008.1.2.2",
    "RLE": "1.2.840.10008.1.2.5",
    "JPEG": "1.2.840.10008.1.2.4.50",
    "JPEG lossless": "1.2.840.10008.1.2.4.70",
    "JPEG-LS": "1.2.840.10008.1.2.4.80",
    "JPEG 2000 lossless": "1.2.840.10008.1.2.4.90",
    "JPEG 2000": "1.2.840.10008.1.2.4.91",
}


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> ArchiveFacts:
    return make_legacy_archive(tmp_path_factory.mktemp("samples"))


@pytest.fixture(scope="module")
def archive(facts: ArchiveFacts) -> FolderArchive:
    return FolderArchive(facts.folder)


def test_the_archive_is_as_large_and_mixed_as_promised(facts: ArchiveFacts, archive: FolderArchive) -> None:
    assert facts.studies == 64
    assert 200 <= facts.instances <= 300
    assert len(facts.modalities) >= 8
    assert set(SYNTAXES.values()) <= facts.transfer_syntax_uids
    assert archive.unreadable == []


def test_dates_facilities_and_character_sets_are_spread(facts: ArchiveFacts, archive: FolderArchive) -> None:
    rows = [each.row.values for each in archive.objects()]
    assert len(facts.undated_study_instance_uids) >= 2
    assert {row["StudyDate"][:4] for row in rows if row["StudyDate"]} >= {"2007", "2015", "2024"}
    assert len({row.get("InstitutionName") for row in rows}) >= 5
    charsets = {row.get("SpecificCharacterSet", "") for row in rows}
    assert {"", "ISO_IR 100", "ISO_IR 192", "\\ISO 2022 IR 87"} <= charsets


def test_one_object_is_truncated(facts: ArchiveFacts, archive: FolderArchive) -> None:
    objects = archive.select({"StudyInstanceUID": facts.truncated_study_instance_uid})
    declared = [int(dcmread(each.path, stop_before_pixels=True).Rows) ** 2 * 2 for each in objects]
    short = [each.path.stat().st_size < pixels for each, pixels in zip(objects, declared, strict=True)]
    assert short.count(True) == 1


def test_one_sop_instance_uid_stands_in_two_studies_with_other_content(
    facts: ArchiveFacts, archive: FolderArchive
) -> None:
    first, second = archive.with_sop_instance_uid(facts.duplicated_sop_instance_uid)
    assert first.study_instance_uid != second.study_instance_uid
    assert first.dataset_bytes() != second.dataset_bytes()
    uids = [each.sop_instance_uid for each in archive.objects()]
    assert len(uids) - len(set(uids)) == 1


def test_encoded_pixels_keep_the_bytes_that_pydicom_ships(archive: FolderArchive) -> None:
    made = next(each for each in archive.objects() if each.transfer_syntax_uid == SYNTAXES["RLE"])
    shipped = dcmread(_shipped("MR_small_RLE.dcm"))
    assert dcmread(made.path).PixelData == shipped.PixelData


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    first, again, other = (
        make_legacy_archive(tmp_path / name, studies=24, seed=seed).folder
        for name, seed in (("first", 7), ("again", 7), ("other", 8))
    )
    names = sorted(path.relative_to(first) for path in first.rglob("*.dcm"))
    assert all((first / name).read_bytes() == (again / name).read_bytes() for name in names)
    assert (first / names[0]).read_bytes() != (other / names[0]).read_bytes()


def _shipped(name: str) -> Path:
    return Path(pydicom.__file__).parent / "data" / "test_files" / name
