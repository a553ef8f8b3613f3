"""What was parsed while it came is not parsed again, and nothing depends on that."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from migrate.engine.place import open_site
from migrate.journal.events import Normalized
from migrate.peers import StagedStudy
from migrate.stages.normalize import normalize
from migrate.staging.evidence import evidence_of
from migrate.staging.filing import LandingSink
from migrate.staging.intake import Registry
from tests.engine.objects import make_studies, many
from tests.engine.seeded import Settings, write_config
from tests.staging.test_intake import send

ISSUER: Settings = {"normalize": {"packs": ["issuers"]}, "normalize.values": {"issuer_of_patient_id": "FHA"}}


def test_an_object_that_just_came_is_normalized_like_one_that_is_read_from_its_file(tmp_path: Path) -> None:
    objects = make_studies(tmp_path / "objects", many(1, instances=3))
    config = write_config(tmp_path / "run", ISSUER)
    with closing(open_site(config, str(tmp_path / "run"), 0, receive=False)) as site:
        registry = Registry()
        uids = [one.sop_instance_uid for one in objects]
        inbox = registry.open(objects[0].study_instance_uid, uids, lambda arrival: evidence_of(arrival, 1))
        sink = LandingSink(registry, site.area, "MIGRATE", site.arrived)
        assert [send(sink, one) for one in objects] == [0, 0, 0]
        assert inbox.wait_complete(10)
        study = StagedStudy(
            study_instance_uid=objects[0].study_instance_uid,
            evidence=tuple(inbox.kept),
            modified_at="2026-11-24T00:00:00+00:00",
        )
        for one in study.evidence[:1]:
            assert site.arrived.take(one.wire_xxh3)  # the first is as if it had come long ago
        before = normalize(site, study)
        assert all(site.arrived.take(one.wire_xxh3) is None for one in study.evidence)
        assert isinstance(before, Normalized)
        assert all(one.changes for one in before.prepared)
        assert normalize(site, study) == before
