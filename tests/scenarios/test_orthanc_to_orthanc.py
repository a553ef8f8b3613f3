"""Between real archives: one C-STORE per instance, and a setting that is missing is told as that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from migrate.journal import read
from tests.engine.inline import run_inline
from tests.engine.objects import MR, StudyRecipe, make_studies, many
from tests.engine.seeded import SeededRun, between, seeded
from tests.peers.orthanc import Orthanc
from tests.peers.ports import free_port

StartOrthanc = Callable[..., Orthanc]
RECIPES = [StudyRecipe(number=1, instances=4), StudyRecipe(number=2, file=MR, instances=3)]


def migration(tmp_path: Path, orthanc: StartOrthanc, *, registered: bool) -> tuple[SeededRun, Orthanc, list[str]]:
    objects = make_studies(tmp_path / "objects", RECIPES if registered else many(10, instances=1))
    receiver = free_port()
    source = orthanc(ae_title="LEGACY", modalities={"MIGRATE": receiver} if registered else {"OTHER": receiver})
    destination = orthanc(ae_title="DIR", modalities={"MIGRATE": receiver}, options={"OverwriteInstances": True})
    source.upload(one.path for one in objects)
    run = seeded(tmp_path / "run", objects, between(source.port, destination.port, receiver))
    return run, destination, [one.sop_instance_uid for one in objects]


def test_each_instance_is_stored_once_and_verified_by_content(tmp_path: Path, orthanc: StartOrthanc) -> None:
    run, destination, uids = migration(tmp_path, orthanc, registered=True)
    assert run_inline(run) is None
    assert read.states(run.folder) == {"VERIFIED": 2}
    assert sorted(destination.instances()) == sorted(uids)
    changes = destination.get("/changes?limit=1000")["Changes"]
    assert sum(change["ChangeType"] == "NewInstance" for change in changes) == len(uids)
    assert {(row["method"], row["outcome"]) for row in run.rows("verification")} == {("content", "match")}
    assert run.staged_files() == []


def test_an_orthanc_that_does_not_know_us_stops_the_run_and_loses_no_study(
    tmp_path: Path, orthanc: StartOrthanc
) -> None:
    run, _, _ = migration(tmp_path, orthanc, registered=False)
    error = run_inline(run)
    assert error is not None
    assert error.exit_code == 41
    assert "MIGRATE" in error.hint
    assert read.states(run.folder) == {"PLANNED": 10}
