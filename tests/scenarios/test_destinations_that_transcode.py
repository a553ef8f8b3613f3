"""A DI-r that compresses anew without loss: declared, it is proven by decoded pixels; undeclared, it is a finding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from migrate.demo.archive import read_object
from migrate.engine.again import look_again
from migrate.journal import read
from tests.cli.inline import say
from tests.engine.inline import run_inline
from tests.engine.migration import Migrate, Migration
from tests.engine.objects import CT, MR, StudyRecipe, make_studies, many
from tests.engine.seeded import Settings, between, seeded
from tests.peers.orthanc import Orthanc
from tests.peers.ports import free_port

TRANSCODES: Settings = {"destination": {"transcodes": "lossless"}, "limits": {"attempts": 2}}
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
JPEG_LS = "1.2.840.10008.1.2.4.80"

Alter = Callable[[Path], None]


@pytest.mark.orthanc
def test_an_orthanc_that_transcodes_what_it_takes_in_is_proven_by_pixels(
    tmp_path: Path, orthanc: Callable[..., Orthanc]
) -> None:
    objects = make_studies(
        tmp_path / "objects", [StudyRecipe(number=1, instances=2), StudyRecipe(number=2, file=MR, instances=2)]
    )
    receiver = free_port()
    source = orthanc(ae_title="LEGACY", modalities={"MIGRATE": receiver})
    options = {"IngestTranscoding": JPEG_LOSSLESS, "OverwriteInstances": True}
    destination = orthanc(ae_title="DIR", modalities={"MIGRATE": receiver}, options=options)
    source.upload(one.path for one in objects)
    run = seeded(tmp_path / "run", objects, between(source.port, destination.port, receiver), TRANSCODES)
    assert run_inline(run) is None
    held = [destination.file(one.sop_instance_uid) for one in objects]
    assert [JPEG_LOSSLESS.encode() in one[:1000] for one in held] == [True] * len(objects)
    assert read.states(run.folder) == {"VERIFIED": 2}, run.rows("verification", "differs", "detail")
    proofs = {(row["method"], row["outcome"], row["detail"]) for row in run.rows("verification")}
    assert proofs == {("pixels", "match", f"transcoded without loss to {JPEG_LOSSLESS}")}
    assert run.staged_files() == []


def replaced(one: Migration, alter: Mapping[str, Alter]) -> None:
    """Somebody works on objects that the DI-r holds: study -> what is done."""
    archive = one.embedded_dir.archive
    for stored in list(archive.objects()):
        content = stored.path.read_bytes()
        archive.remove(stored)
        stored.path.write_bytes(content)
        alter[stored.study_instance_uid](stored.path)
        changed = read_object(stored.path)
        assert changed is not None
        archive.add(changed)


def jpeg_ls(path: Path) -> None:
    dataset = dcmread(path)
    dataset.compress(JPEG_LS, encoding_plugin="pyjpegls", generate_instance_uid=False)
    dataset.save_as(path)


def a_pixel_lost_on_the_way(path: Path) -> None:
    dataset = dcmread(path)
    dataset.PixelData = bytes([dataset.PixelData[0] ^ 1]) + dataset.PixelData[1:]
    dataset.save_as(path)
    jpeg_ls(path)


def a_tag_changed_on_the_way(path: Path) -> None:
    jpeg_ls(path)
    dataset = dcmread(path)
    dataset.StudyDescription = "SOMETHING ELSE"
    dataset.save_as(path)


def a_frame_that_nobody_can_decode(path: Path) -> None:
    jpeg_ls(path)
    content = path.read_bytes()
    begin = content.index(b"\xff\xd8", len(content) // 8)
    path.write_bytes(content[: begin + 40] + b"\xff" * 4 + content[begin + 44 :])


AFTERWARDS: dict[Alter, str] = {
    jpeg_ls: "match",
    a_pixel_lost_on_the_way: "differs",
    a_tag_changed_on_the_way: "differs",
    a_frame_that_nobody_can_decode: "unverifiable",
}


def test_what_was_compressed_long_after_the_move_is_proven_from_the_tables_alone(migration: Migrate) -> None:
    one = migration(many(len(AFTERWARDS), file=CT, instances=1), TRANSCODES)
    assert run_inline(one.run) is None
    assert all(row["pixels_xxh3"] for row in one.run.rows("evidence"))
    assert {row["method"] for row in one.run.rows("verification")} == {"content"}
    alters = {each.study_instance_uid: alter for each, alter in zip(one.objects, AFTERWARDS, strict=True)}
    replaced(one, alters)
    found = {
        looked.study_instance_uid: [(check.outcome, check.method) for check in looked.checked]
        for looked in look_again(one.run.folder, one.run.config, alters)
    }
    expected = {study: AFTERWARDS[alter] for study, alter in alters.items()}
    assert {study: checks[0][0] for study, checks in found.items()} == expected
    assert [checks for checks in found.values() if checks[0][0] == "match"] == [[("match", "pixels")]]


def test_a_transcoding_that_nobody_declared_is_a_content_mismatch(migration: Migrate) -> None:
    one = migration(many(1, file=CT, instances=1), {"destination": {"verify": "c-move"}, "limits": {"attempts": 2}})
    assert run_inline(one.run) is None
    replaced(one, {one.objects[0].study_instance_uid: jpeg_ls})
    found = say(one.run.folder, "--json", "verify", "--again")
    assert (found.json["instances"], found.code) == ({"differs": 1}, 4), found.stderr
    assert {row["exception_class"] for row in read.exceptions(one.run.folder)} == {"CONTENT_MISMATCH"}


def test_other_native_bytes_are_no_transcoding(migration: Migrate) -> None:
    orders: dict[str, Any] = {"store": {"flip_bit_every": 1}}
    one = migration(many(1, file=CT, instances=1), TRANSCODES, dir_=orders)
    assert run_inline(one.run) is None
    assert {row["exception_class"] for row in read.exceptions(one.run.folder)} == {"CONTENT_MISMATCH"}
