"""An Orthanc changes while it is moved: added, corrected, deleted; rounds end at a fixed point."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from migrate.engine.crawling import CrawlOrder, run_crawl
from migrate.engine.planning import make_plan, register_found
from migrate.journal import read
from migrate.journal.store import Journal
from migrate.manifest.read import read_table
from migrate.manifest.study_list import read_list
from migrate.stages.crawl.request import CrawlResult
from tests.engine.inline import run_inline
from tests.engine.objects import UID_ROOT, make_studies, many
from tests.engine.seeded import SeededRun, between, write_config
from tests.peers.orthanc import Orthanc
from tests.peers.ports import free_port


class Site:
    """A clinical Orthanc, a DI-r, and a run between them."""

    def __init__(self, folder: Path, orthanc: Callable[..., Orthanc]) -> None:
        receiver = free_port()
        self.source = orthanc(ae_title="LEGACY", modalities={"MIGRATE": receiver})
        self.destination = orthanc(
            ae_title="DIR", modalities={"MIGRATE": receiver}, options={"OverwriteInstances": True}
        )
        self.objects = make_studies(folder / "objects", many(5))
        self.source.upload([one.path for one in self.objects])
        peers = between(self.source.port, self.destination.port, receiver)
        more: dict[str, dict[str, Any]] = {"source": {"result_cap": 1000}, "crawl": {"from": "2000-01-01"}}
        self.run = SeededRun(folder=folder / "run", config=write_config(folder / "run", peers, more))

    def crawl(self, **order: Any) -> CrawlResult:
        return run_crawl(
            CrawlOrder(run_folder=self.run.folder, config=self.run.config, **order), lambda _: None, lambda: False
        )

    def move(self) -> dict[str, int]:
        with Journal(self.run.folder) as journal:
            register_found(journal, self.run.folder)
            make_plan(journal, self.run.folder, self.run.config)
        assert run_inline(self.run) is None
        return read.states(self.run.folder)

    def kinds(self) -> dict[str, int]:
        result = self.crawl(delta_days=0)
        assert result.delta is not None
        assert result.closed
        return dict(result.delta.kinds)

    def put(self, place: int, **values: str) -> None:
        """Store one of the objects with other values."""
        dataset = dcmread(BytesIO(self.objects[place].path.read_bytes()))
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        content = BytesIO()
        dataset.save_as(content)
        assert self.source.upload_bytes(content.getvalue()) == "Success"


@pytest.mark.orthanc
def test_rounds_follow_a_living_orthanc_until_nothing_changes(orthanc: Callable[..., Orthanc], tmp_path: Path) -> None:
    site = Site(tmp_path, orthanc)
    site.crawl()
    assert site.move() == {"VERIFIED": 5}

    late = f"{UID_ROOT}.1.1.9"
    site.put(0, SOPInstanceUID=late)  # study 1 grows
    for place in (3, 4, 5):  # study 2 goes to another patient
        site.source.delete(site.objects[place].sop_instance_uid)
        site.put(place, PatientID="8888888888")
    site.source.delete(site.objects[8].sop_instance_uid)  # study 3 shrinks
    for place in (9, 10, 11):  # study 4 goes
        site.source.delete(site.objects[place].sop_instance_uid)
    for place in (12, 13, 14):  # study 5 is corrected
        site.source.delete(site.objects[place].sop_instance_uid)
        site.put(place, StudyDescription="CORRECTED")
    new = f"{UID_ROOT}.7"
    site.put(0, StudyInstanceUID=new, SeriesInstanceUID=f"{new}.1", SOPInstanceUID=f"{new}.1.1")

    changes = {"GROWN": 1, "PATIENT_CHANGED": 1, "SHRUNK": 1, "GONE": 1, "HEADER_CHANGED": 1, "NEW": 1}
    assert site.kinds() == changes
    assert read.states(site.run.folder) == {"CHANGED": 4, "FOUND": 1, "VERIFIED": 1}
    # Orthanc keeps a study of another patient beside the old one: somebody has to take that away.
    assert site.move() == {"VERIFIED": 5, "QUARANTINED": 1}
    assert site.kinds() == {}
    assert {late, f"{new}.1.1"} < set(site.destination.instances())
    assert len(site.destination.ids()) == 20  # nothing was deleted there
    corrected = [dcmread(BytesIO(site.destination.file(one.sop_instance_uid))) for one in site.objects[12:15]]
    assert {each.StudyDescription for each in corrected} == {"CORRECTED"}
    register = {(row["exception_class"], row["disposition"]) for row in read.exceptions(site.run.folder)}
    assert {("MISSING_AT_SOURCE", "noted"), ("DELTA_CHANGED", "noted")} < register


@pytest.mark.orthanc
def test_a_list_is_compared_with_what_an_orthanc_holds(orthanc: Callable[..., Orthanc], tmp_path: Path) -> None:
    site = Site(tmp_path, orthanc)
    (tmp_path / "ris.csv").write_text(f"Study UID\n{UID_ROOT}.1\n{UID_ROOT}.6\nnonsense\n")
    result = site.crawl(against=read_list(tmp_path / "ris.csv"))
    assert result.against is not None
    assert (result.against.found_by_crawl, result.against.added, result.against.missing) == (1, 0, 1)
    assert [row["line"] for row in read_table(site.run.folder, "list_missing").to_pylist()] == [3, 4]
    assert result.closed
