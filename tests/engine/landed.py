"""Objects in a landing area as a retrieve leaves them, and as an upload takes them from there."""

from __future__ import annotations

from migrate.dicom.part10 import MetaFields, preamble_and_meta
from migrate.model import Evidence
from migrate.peers import Sendable
from migrate.staging.area import LandingArea
from migrate.staging.evidence import evidence_of_file
from tests.engine.objects import TestObject


def landed(area: LandingArea, one: TestObject) -> Evidence:
    """The object under its content name, behind a header of ours."""
    fields = MetaFields(
        sop_class_uid=one.sop_class_uid,
        sop_instance_uid=one.sop_instance_uid,
        transfer_syntax_uid=one.transfer_syntax_uid,
    )
    temporary = area.root / "new.dcm"
    temporary.write_bytes(preamble_and_meta(fields) + one.dataset_bytes)
    evidence = evidence_of_file(temporary)
    final = area.path_of(evidence.wire_xxh3)
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary.rename(final)
    return evidence


def sendable(area: LandingArea, one: TestObject) -> Sendable:
    """The object as it is sent when no rule changes it."""
    evidence = landed(area, one)
    return Sendable(
        evidence=evidence,
        path=area.path_of(evidence.wire_xxh3),
        segments=lambda: ((0, evidence.size_bytes),),
        dataset_xxh3=evidence.dataset_xxh3,
    )
