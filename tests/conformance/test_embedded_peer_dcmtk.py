"""The embedded peer against DCMTK's tools: a second, independent implementation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from migrate.demo.archive import read_object
from migrate.demo.pacs import EmbeddedPeer, PeerOptions
from migrate.demo.samples import ArchiveFacts, make_legacy_archive
from tests.peers.dcmtk import Storescp

pytestmark = pytest.mark.dcmtk

Tool = Callable[..., str]


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> ArchiveFacts:
    return make_legacy_archive(tmp_path_factory.mktemp("legacy"))


@pytest.fixture(scope="module")
def legacy(facts: ArchiveFacts) -> Iterator[EmbeddedPeer]:
    with EmbeddedPeer(PeerOptions(ae_title="LEGACY", folder=facts.folder)) as peer:
        yield peer


def address(peer: EmbeddedPeer) -> tuple[str, ...]:
    return ("-aet", "TESTER", "-aec", peer.options.ae_title, peer.options.host, str(peer.port))


def test_echoscu_is_answered(dcmtk: Tool, legacy: EmbeddedPeer) -> None:
    dcmtk("echoscu", *address(legacy))


@pytest.mark.parametrize("model", ["-S", "-P"])
def test_findscu_finds_every_study(dcmtk: Tool, legacy: EmbeddedPeer, tmp_path: Path, model: str) -> None:
    level, key = ("STUDY", "StudyInstanceUID") if model == "-S" else ("PATIENT", "PatientID")
    keys = ("-k", f"QueryRetrieveLevel={level}", "-k", key, "-k", "PatientName")
    dcmtk("findscu", model, "-X", "-od", tmp_path, *keys, *address(legacy))
    rows = [dcmread(path, force=True) for path in tmp_path.glob("*.dcm")]
    held = {each.row.values[key] for each in legacy.archive.objects()}
    assert {str(row[key].value) for row in rows} == held
    assert len(rows) == len(held)


def test_findscu_reads_japanese_names(dcmtk: Tool, legacy: EmbeddedPeer) -> None:
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", "PatientName=MIHON*", "-k", "StudyInstanceUID")
    printed = dcmtk("findscu", "-S", "-v", *keys, *address(legacy))
    assert "ISO 2022 IR 87" in printed


def test_movescu_brings_a_study_to_storescp(
    dcmtk: Tool, legacy: EmbeddedPeer, storescp: Callable[..., Storescp]
) -> None:
    receiver = storescp(ae_title="RECEIVER")
    legacy.add_destination("RECEIVER", "127.0.0.1", receiver.port)
    wanted = {}
    for uid in legacy.archive.study_instance_uids()[-16:]:
        held = legacy.archive.select({"StudyInstanceUID": uid})
        wanted.update({each.sop_instance_uid: each.dataset_bytes() for each in held})
        keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={uid}")
        dcmtk("movescu", "-S", "-aem", "RECEIVER", *keys, *address(legacy))
    arrived = [read_object(path) for path in receiver.files()]
    assert {each.sop_instance_uid: each.dataset_bytes() for each in arrived if each} == wanted


def test_getscu_brings_a_native_study(dcmtk: Tool, legacy: EmbeddedPeer, tmp_path: Path) -> None:
    native = next(each for each in legacy.archive.objects() if each.row.values["Modality"] == "PT")
    held = legacy.archive.select({"StudyInstanceUID": native.study_instance_uid})
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={native.study_instance_uid}")
    dcmtk("getscu", "-S", "-od", tmp_path, *keys, *address(legacy))
    assert {str(dcmread(path).SOPInstanceUID) for path in tmp_path.iterdir()} == {
        each.sop_instance_uid for each in held
    }


@pytest.mark.parametrize(
    ("option", "syntax"),
    [
        ("-xs", "1.2.840.10008.1.2.4.70"),
        ("-xv", "1.2.840.10008.1.2.4.90"),
        ("-xt", "1.2.840.10008.1.2.4.80"),
        ("-xr", "1.2.840.10008.1.2.5"),
        ("-xd", "1.2.840.10008.1.2.1.99"),
        ("-xe", "1.2.840.10008.1.2.1"),
        ("-xi", "1.2.840.10008.1.2"),
        ("-xb", "1.2.840.10008.1.2.2"),
    ],
)
def test_storescu_stores_each_syntax_untouched(
    dcmtk: Tool, facts: ArchiveFacts, tmp_path: Path, option: str, syntax: str
) -> None:
    sent = [each for each in map(read_object, _files(facts)) if each and each.transfer_syntax_uid == syntax]
    chosen = [each for each in sent if each.study_instance_uid != facts.truncated_study_instance_uid][:3]
    with EmbeddedPeer(PeerOptions(ae_title="DIR", folder=tmp_path / "dir")) as peer:
        dcmtk("storescu", "-R", option, *address(peer), *(each.path for each in chosen))
        arrived = {each.sop_instance_uid: each.transfer_syntax_uid for each in peer.archive.objects()}
        assert arrived == {each.sop_instance_uid: syntax for each in chosen}
        kept = {each.sop_instance_uid: _pixels(each.path) for each in peer.archive.objects()}
        assert kept == {each.sop_instance_uid: _pixels(each.path) for each in chosen}


def _files(facts: ArchiveFacts) -> list[Path]:
    return sorted(path for path in facts.folder.rglob("*") if path.is_file())


def _pixels(path: Path) -> bytes:
    """The pixel data as encoded; the header is storescu's to rewrite."""
    return bytes(dcmread(path).get("PixelData", b""))
