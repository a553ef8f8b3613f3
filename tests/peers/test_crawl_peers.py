"""Crawls of real archives: everything is found, also when each answer is cut short."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file

from migrate.demo.misbehaviour import FindMisbehaviours, Misbehaviours
from migrate.demo.pacs import EmbeddedPeer, PeerOptions
from migrate.model import Level
from migrate.stages.crawl import CrawlResult, Finder, crawl
from migrate.wire.dimse.endpoint import Endpoint
from migrate.wire.dimse.scu import Association
from migrate.wire.query import Query
from tests.crawling import column, journal, no_pause, request
from tests.peers.dcmtk import Dcmqrscp
from tests.peers.orthanc import Orthanc

DAYS = ["20200101"] * 6 + ["20200102", "20200215", "20200301", "", "", "19500505", "20301231"]
STUDIES = 26
INSTANCES = 2


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Studies of two series; many on one day, some undated or of an absurd day, some without patient id."""
    folder = tmp_path_factory.mktemp("objects")
    template = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    paths = []
    for study in range(STUDIES):
        for number in range(2 * INSTANCES):
            series = number // INSTANCES
            template.StudyInstanceUID = f"1.2.826.0.1.3680043.8.498.7.{study + 1}"
            template.SeriesInstanceUID = f"{template.StudyInstanceUID}.{series + 1}"
            template.SOPInstanceUID = f"{template.SeriesInstanceUID}.{number + 1}"
            template.file_meta.MediaStorageSOPInstanceUID = template.SOPInstanceUID
            template.StudyDate = DAYS[study % len(DAYS)]
            template.StudyTime = f"{study % 4 + 8:02d}1500"
            template.PatientID = f"P{study // 2:03d}" if study % 9 else ""
            template.AccessionNumber = f"ACC{study:04d}"
            template.SeriesNumber, template.InstanceNumber = series + 1, number % INSTANCES + 1
            path = folder / f"{study:03d}-{number}.dcm"
            template.save_as(path)
            paths.append(path)
    return paths


def crawled(folder: Path, peer: Orthanc | Dcmqrscp | PeerOptions, **terms: Any) -> CrawlResult:
    endpoint = Endpoint(ae_title=peer.ae_title, host=peer.host, port=peer.port, calling_ae_title="MIGRATE")

    def open_finder() -> Finder:
        return Query(endpoint, Association)

    asked = {"first": date(2000, 1, 1), "last": date(2026, 12, 31), "level": Level.IMAGE, "pause": time.sleep, **terms}
    with journal(folder) as db:
        return crawl(request(folder, db, open_finder, **asked))


def assert_all_is_found(result: CrawlResult, folder: Path) -> None:
    assert result.closed, (result.open_windows, result.doubts)
    assert (result.studies, result.series, result.instances) == (STUDIES, 2 * STUDIES, 2 * INSTANCES * STUDIES)
    assert len(set(column(folder, "instances", "sop_instance_uid"))) == 2 * INSTANCES * STUDIES
    assert result.undated_studies == sum(DAYS[n % len(DAYS)] == "" for n in range(STUDIES))


@pytest.mark.orthanc
@pytest.mark.timeout(300)
@pytest.mark.parametrize("limit", [3, 10, 100])
def test_orthanc_is_found_whole_whatever_its_limit(
    limit: int, orthanc: Callable[..., Orthanc], objects: list[Path], tmp_path: Path
) -> None:
    options = {"LimitFindResults": limit, "LimitFindInstances": 0}
    peer = orthanc(modalities={"MIGRATE": 11112}, options=options)
    peer.upload(objects)
    result = crawled(tmp_path, peer)
    assert_all_is_found(result, tmp_path)
    assert (result.capped_windows > 0) == (limit < STUDIES)


@pytest.mark.orthanc
@pytest.mark.timeout(300)
def test_orthanc_with_its_instances_limited_says_what_it_could_not_list(
    orthanc: Callable[..., Orthanc], objects: list[Path], tmp_path: Path
) -> None:
    peer = orthanc(modalities={"MIGRATE": 11112}, options={"LimitFindInstances": 1})
    peer.upload(objects)
    assert_all_is_found(crawled(tmp_path, peer), tmp_path)


@pytest.mark.dcmtk
@pytest.mark.timeout(300)
def test_dcmqrscp_is_found_whole(dcmqrscp: Callable[..., Dcmqrscp], objects: list[Path], tmp_path: Path) -> None:
    peer = dcmqrscp(modalities={"MIGRATE": 11112})
    peer.index(objects)
    assert_all_is_found(crawled(tmp_path, peer), tmp_path)


def test_what_is_wrong_with_an_answer_is_seen_on_the_wire_too(tmp_path: Path) -> None:
    wrong = FindMisbehaviours(
        wrong_level_every=2,
        illegal_dates_every=3,
        foreign_rows=1,
        undecodable_every=2,
        close_after_rows=1,
        close_first_n=2,
    )
    options = PeerOptions(
        ae_title="LEGACY", folder=tmp_path / "pacs", misbehaviours=Misbehaviours(find=wrong), formula=10
    )
    with EmbeddedPeer(options) as peer:
        listening = replace(options, port=peer.port)
        terms = {"first": date(2005, 1, 1), "level": Level.STUDY, "pause": no_pause, "alphabet": "0123456789A"}
        result = crawled(tmp_path, listening, **terms)
    seen = {"wrong level", "no legal date", "outside the window", "undecodable text", "closed in mid-answer"}
    assert {sin for sin in seen if result.sins.get(sin)} == seen
    assert result.studies == 10


def test_answers_of_another_level_are_counted_below_study_level_on_the_wire_too(tmp_path: Path) -> None:
    wrong = Misbehaviours(find=FindMisbehaviours(wrong_level_every=1))
    options = PeerOptions(ae_title="LEGACY", folder=tmp_path / "pacs", misbehaviours=wrong, formula=3)
    with EmbeddedPeer(options) as peer:
        terms = {"first": date(2005, 1, 1), "level": Level.IMAGE, "pause": no_pause, "alphabet": "0123456789A"}
        result = crawled(tmp_path, replace(options, port=peer.port), **terms)
    assert result.studies == 3
    assert result.instances > result.series > 0
    assert result.sins["wrong level"] > result.series + result.instances
