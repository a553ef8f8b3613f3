"""Orthanc and dcmqrscp: the same probes against other people's code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.assess.kit import Blocks, assessed, at, made_run_folder
from tests.peers.dcmtk import Dcmqrscp
from tests.peers.orthanc import Orthanc
from tests.peers.ports import free_port


@pytest.mark.orthanc
def test_orthanc_with_a_limit_and_everything_registered(
    tmp_path: Path, orthanc: Callable[..., Orthanc], plain_objects: list[Path]
) -> None:
    port = free_port()
    peer = orthanc(modalities={"MIGRATE": port}, options={"LimitFindResults": 3})
    peer.upload(plain_objects[::6])
    both = at("source", "ORTHANC", peer.port), at("destination", "ORTHANC", peer.port)
    found = assessed(made_run_folder(tmp_path / "run", *both, {"receiver": {"port": port}}))
    assert found.failures() == {}
    source, destination = found.source, found.destination
    assert (source.result_cap, source.cap_signal) == (3, "FE00")
    assert (source.c_get, source.c_move, source.retrieve) == (True, True, "c-move")
    assert source.datetime_interval is not True
    assert source.relational_queries is True
    assert source.counts_instances is True
    assert source.extended_negotiation == ""
    assert destination.finds_images is True
    assert "1.2.840.10008.1.2.4.90" in (destination.contexts or {})["1.2.840.10008.5.1.4.1.1.2"]


@pytest.mark.orthanc
def test_orthanc_that_knows_no_receiver_is_told_from_one_that_knows_nobody(
    tmp_path: Path, orthanc: Callable[..., Orthanc], plain_objects: list[Path]
) -> None:
    peer = orthanc(options={"DicomAlwaysAllowFind": True, "DicomAlwaysAllowGet": True})
    peer.upload(plain_objects[:2])
    both = at("source", "ORTHANC", peer.port), at("destination", "ORTHANC", peer.port)
    folder = made_run_folder(tmp_path / "run", *both, {"receiver": {"port": free_port()}})
    line = assessed(folder).line("source C-MOVE to MIGRATE")
    assert line.result != "ok"
    assert "ask its administrator to add MIGRATE 127.0.0.1:" in line.hint or "log" in line.hint


@pytest.mark.orthanc
def test_orthanc_that_does_not_let_us_query_fails_with_its_remedy(
    tmp_path: Path, orthanc: Callable[..., Orthanc]
) -> None:
    peer = orthanc()
    both = at("source", "ORTHANC", peer.port), at("destination", "ORTHANC", peer.port)
    folder = made_run_folder(tmp_path / "run", *both, {"receiver": {"port": free_port()}})
    found = assessed(folder)
    assert found.assessed.exit_code in {41, 42}
    assert "administrator" in next(one.hint for one in found.assessed.checks if one.result == "fail")


@pytest.mark.dcmtk
def test_dcmqrscp(tmp_path: Path, dcmqrscp: Callable[..., Dcmqrscp], plain_objects: list[Path]) -> None:
    port = free_port()
    peer = dcmqrscp(modalities={"MIGRATE": port})
    peer.index(plain_objects[::6])
    both = at("source", "DCMQRSCP", peer.port), at("destination", "DCMQRSCP", peer.port)
    found = assessed(made_run_folder(tmp_path / "run", *both, {"receiver": {"port": port}}))
    assert found.failures() == {}
    source = found.source
    assert source.cap_signal == "none"
    assert source.relational_queries is True  # with an empty StudyInstanceUID; without the key it answers C000
    assert source.datetime_interval is False
    assert source.optional_keys is not None
    assert source.optional_keys["STUDY.NumberOfStudyRelatedInstances"] == "absent"
    assert source.counts_instances is False
    assert (source.c_get, source.c_move) == (True, True)
    assert source.move_nothing_status == "0000"


@pytest.mark.dcmtk
def test_dcmqrscp_that_knows_no_receiver(
    tmp_path: Path, dcmqrscp: Callable[..., Dcmqrscp], plain_objects: list[Path]
) -> None:
    peer = dcmqrscp()
    peer.index(plain_objects[:2])
    both = at("source", "DCMQRSCP", peer.port), at("destination", "DCMQRSCP", peer.port)
    settings: Blocks = {"receiver": {"port": free_port()}, "source": {"retrieve": "c-move"}}
    found = assessed(made_run_folder(tmp_path / "run", *both, settings))
    assert found.failures() == {"source C-MOVE to MIGRATE": 42}
    assert "status=A801" in found.line("source C-MOVE to MIGRATE").fact
