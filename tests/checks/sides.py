"""Short ways to invent studies for the tests of reconciliation."""

from __future__ import annotations

from typing import Any

from migrate.checks.balance import PROOFS
from migrate.checks.findings import Seen, seen_of
from migrate.manifest.sides import InstanceSide, StudySide, alike_of

STUDY = "1.2.3"
PLAIN = InstanceSide(
    "", f"{STUDY}.1", listed=True, received=True, size_bytes=100, method="content", outcome="match", differs=""
)


def instance(uid: str, **changes: Any) -> InstanceSide:
    """An instance that was listed, received and proven, but for `changes`."""
    return PLAIN._replace(sop_instance_uid=uid, **changes)


def side(*instances: InstanceSide, **changes: Any) -> StudySide:
    """One CT study of 2020."""
    facts: dict[str, Any] = {
        "study_instance_uid": STUDY,
        "in_crawl": True,
        "study_date": "20200115",
        "institution_name": "General",
        "main_modality": "CT",
        "stated_series": None,
        "stated_instances": None,
        "instances_listed": True,
        "series": frozenset(i.series_instance_uid for i in instances if i.series_instance_uid),
        "instances": tuple(sorted(instances)),
    }
    return StudySide(**{**facts, "alike": alike_of(facts["instances"]), **changes})


def seen(source: StudySide | None, state: str | None = "VERIFIED", held: set[str] | None = None) -> Seen:
    """The study with a state, and what the destination says."""
    row = {"study_instance_uid": STUDY, "state": state, "exception_class": None} if state else None
    return seen_of(source, row, held, PROOFS)
