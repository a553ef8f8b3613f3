"""The parser, the digests and the splice writer against real objects and independent tools."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from migrate.dicom.digest import Digested, dataset_digest, differing_paths
from migrate.dicom.header import Header
from migrate.dicom.part10 import MetaFields, preamble_and_meta, read_meta
from migrate.dicom.splice import joined, splice
from migrate.errors import IllegalDicom
from tests.conformance.mutations import Mutated, mutate
from tests.corpus import CorpusObject
from tests.dicom_kit import CORPUS_SYNTHETIC, dataset_of, digested, parse, read_by_pydicom

SMALL_BYTES = 300_000
BITS_ALLOCATED = 0x00280100
PATIENT_ID = 0x00100020
PIXEL_DATA = 0x7FE00010


@pytest.fixture(scope="module")
def objects(corpus_index: list[CorpusObject]) -> list[CorpusObject]:
    """Every corpus object that we read."""
    return [each for each in corpus_index if reading(each.path) is not None]


@cache
def reading(path: Path) -> Digested | None:
    """What a file is to us, or None when it is refused."""
    try:
        uid, content = dataset_of(path)
        return digested(content, uid)
    except IllegalDicom:
        return None


def digested_file(path: Path) -> Digested:
    found = reading(path)
    assert found is not None
    return found


def test_everything_that_orthanc_takes_is_read(corpus_index: list[CorpusObject]) -> None:
    refused = [each.row["file"] for each in corpus_index if reading(each.path) is None]
    taken = {each.row["file"] for each in corpus_index if each.row["rest_status"] == "Success"}
    assert [name for name in refused if name in taken] == []
    assert len(refused) < 12


def test_the_uids_are_those_of_the_index(objects: list[CorpusObject]) -> None:
    assert len(objects) > 540
    for each in objects:
        header = digested_file(each.path).header
        row = each.row
        if row["readable"] == "no" or row["file"].endswith("no_preamble_dicm_in_data"):
            continue  # not by those who made the index, or from behind a prefix that is there by accident
        assert (header.study_instance_uid, header.series_instance_uid, header.sop_instance_uid) == (
            row["study_uid"],
            row["series_uid"],
            row["sop_uid"],
        ), row["file"]


def test_synthetic_objects_are_read_unless_they_are_broken_on_purpose(corpus: Path) -> None:
    folder = corpus.parent / CORPUS_SYNTHETIC
    if not folder.is_dir():
        pytest.skip("needs the synthetic corpus beside the corpus of real objects")
    refused = {path.name for path in folder.rglob("*") if path.is_file() and reading(path) is None}
    assert refused == {"appended_garbage.dcm", "html_error_page.dcm", "truncated_pixeldata.dcm", "zero_bytes.dcm"}


def test_a_splice_without_edits_is_the_identity_for_every_object(objects: list[CorpusObject]) -> None:
    for each in objects:
        uid, content = dataset_of(each.path)
        header = digested_file(each.path).header
        if not header.syntax.deflated:
            assert joined(splice(header, {}), content) == content, (each.row["file"], uid)


def test_a_splice_changes_the_declared_element_only_as_pydicom_sees_it(objects: list[CorpusObject]) -> None:
    checked = 0
    for each in objects[::6]:
        header = digested_file(each.path).header
        if header.syntax.deflated or header.deviations or each.path.stat().st_size > SMALL_BYTES:
            continue
        uid, content = dataset_of(each.path)
        result = joined(splice(header, {PATIENT_ID: ("LO", b"EDITED")}), content)
        before, after = read_by_pydicom(content, uid), read_by_pydicom(result, uid)
        assert after.pop(PATIENT_ID).value in {"EDITED", b"EDITED"}
        before.pop(PATIENT_ID, None)
        assert raw(before) == raw(after), each.row["file"]
        checked += 1
    assert checked > 50


def raw(ds: Dataset) -> dict[int, object]:
    """Undecoded elements without the group length that an edit takes away."""
    values = {int(tag): ds.get_item(tag) for tag in ds.keys()}  # noqa: SIM118 - keys without conversion
    return {
        tag: (getattr(element, "VR", None), getattr(element, "value", None))
        for tag, element in values.items()
        if tag not in {0x00100000, 0x00080001}
    }


def test_three_thousand_random_cuts_are_all_found(objects: list[CorpusObject]) -> None:
    generator = random.Random(3000)
    small = [each for each in objects if each.path.stat().st_size < SMALL_BYTES]
    missed = []
    for _ in range(3_000):
        each = generator.choice(small)
        uid, content = dataset_of(each.path)
        header = digested_file(each.path).header
        cut = visible_cut(header, len(content), generator)
        try:
            parse(content[:cut], uid)
        except IllegalDicom:
            continue
        missed.append((each.row["file"], cut))
    assert missed == []


def visible_cut(header: Header, size_bytes: int, generator: random.Random) -> int:
    """Anywhere but between two elements of which the first does not yet tell that an image follows."""
    if header.syntax.deflated:
        return generator.randrange(size_bytes - 1)
    describes = PIXEL_DATA in header.elements
    blind = {
        element.offset for element in header.elements.values() if not describes or element.tag <= BITS_ALLOCATED
    } - {0}
    while (cut := generator.randrange(size_bytes)) in blind:
        pass
    return cut


def test_a_changed_byte_in_any_element_of_an_object_is_found(objects: list[CorpusObject]) -> None:
    """Some elements of some objects; `python -m benchmarks.mutations` takes every element of every one."""
    found = Mutated()
    for number, each in enumerate(objects[::9]):
        if each.path.stat().st_size <= SMALL_BYTES:
            mutate(each.path, random.Random(number), found, limit=40)
    assert found.missed == []
    assert found.tried > 1_000
    assert found.nested > 300
    assert found.in_both > 1_000
    assert found.told_by["bulk"] > 5


CONVERSIONS = ["+te -e", "+ti", "+tb", "+td", "+e +g", "-e -g", "+U8"]


@pytest.mark.dcmtk
@pytest.mark.parametrize("options", CONVERSIONS)
def test_dcmconv_changes_the_encoding_and_not_the_digests(
    options: str, objects: list[CorpusObject], dcmtk: Callable[..., str], tmp_path: Path
) -> None:
    compared = 0
    for each in objects[CONVERSIONS.index(options) :: 40]:
        if "no-preamble" in each.row["quirks"]:
            continue
        converted = tmp_path / "converted.dcm"
        try:
            dcmtk("dcmconv", *options.split(), each.path, converted)
        except AssertionError:  # it cannot convert compressed and broken objects
            continue
        before, after = digested_file(each.path), digested_file_again(converted)
        assert after.digests.bulk == before.digests.bulk, each.row["file"]
        if dataset_digest(after.header) != before.digests.dataset:
            assert differing_paths(before.header, after.header) == (), each.row["file"]
        compared += 1
    assert compared > 5


def digested_file_again(path: Path) -> Digested:
    uid, content = dataset_of(path)
    return digested(content, uid)


def test_our_front_makes_a_file_of_any_data_set(objects: list[CorpusObject]) -> None:
    for each in objects[::20]:
        uid, content = dataset_of(each.path)
        header = digested_file(each.path).header
        fields = MetaFields(
            sop_class_uid=header.sop_class_uid, sop_instance_uid=header.sop_instance_uid, transfer_syntax_uid=uid
        )
        meta = read_meta(preamble_and_meta(fields) + content)
        assert (meta.transfer_syntax_uid, meta.sop_instance_uid) == (uid, header.sop_instance_uid)
