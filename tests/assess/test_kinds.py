"""Which kinds of objects the destination is asked about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from migrate.manifest.kinds import kinds_of_objects
from migrate.manifest.place import Manifests
from migrate.manifest.write import write_part
from migrate.stages.assess.accepting import COMMON_CLASSES, COMMON_SYNTAXES, Kinds, kinds_to_propose
from tests.assess.conftest import Stand
from tests.assess.kit import assessed

CT, MR, J2K, EXPLICIT = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.4",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.1",
)


def list_instances(folder: Path, part: str, kinds: list[tuple[str | None, str | None]]) -> None:
    columns: dict[str, list[str] | list[str | None]] = {
        "study_instance_uid": ["1.2"] * len(kinds),
        "series_instance_uid": ["1.2.3"] * len(kinds),
        "sop_instance_uid": [f"1.2.{part}.{number}" for number in range(len(kinds))],
        "sop_class_uid": [sop_class for sop_class, _ in kinds],
        "available_transfer_syntax_uid": [syntax for _, syntax in kinds],
    }
    write_part(Manifests(folder, "TEST"), "instances", part, columns)


def test_the_kinds_of_a_manifest_are_counted_over_its_parts(tmp_path: Path) -> None:
    list_instances(tmp_path, "1", [(CT, J2K), (CT, J2K), (MR, None)])
    list_instances(tmp_path, "2", [(CT, J2K), (None, None)])
    assert kinds_of_objects(tmp_path) == {(CT, J2K): 3, (MR, None): 1, (None, None): 1}


def test_without_a_manifest_there_are_no_kinds(tmp_path: Path) -> None:
    assert kinds_of_objects(tmp_path) == {}


@pytest.mark.parametrize(
    ("listed", "proposed"),
    [
        ({}, {(one, syntax) for one in COMMON_CLASSES for syntax in COMMON_SYNTAXES}),
        ({(CT, J2K): 1}, {(CT, J2K)}),
        ({(CT, J2K): 1, (MR, None): 1}, {(CT, J2K)} | {(MR, syntax) for syntax in COMMON_SYNTAXES}),
        ({(None, None): 5}, {(one, syntax) for one in COMMON_CLASSES for syntax in COMMON_SYNTAXES}),
    ],
    ids=["no crawl", "exact", "syntax not said", "class not said"],
)
def test_what_the_crawl_listed_is_proposed_else_what_is_common(
    listed: dict[tuple[str | None, str | None], int], proposed: set[tuple[str, str]]
) -> None:
    assert kinds_to_propose(listed) == proposed


def test_only_kinds_that_were_listed_hurt() -> None:
    kinds = Kinds(
        listed={(CT, J2K): 3, (MR, None): 2},
        proposed=frozenset({(CT, J2K), (CT, EXPLICIT), (MR, EXPLICIT), (MR, J2K)}),
        accepted=frozenset({(CT, EXPLICIT), (MR, EXPLICIT)}),
    )
    assert kinds.closed_classes == set()
    assert kinds.hurting == {(CT, J2K): 3}


def test_the_destination_is_asked_about_what_the_crawl_listed(stand: Callable[..., Stand]) -> None:
    refusal = {"store": {"refuse_transfer_syntaxes": [J2K]}}
    here = stand(dir_=refusal)
    list_instances(here.folder, "1", [(CT, J2K), (CT, J2K), (MR, EXPLICIT)])
    found = assessed(here.folder)
    assert found.destination.contexts == {MR: (EXPLICIT,)}
    assert found.destination.refused_contexts == {CT: (J2K,)}
    line = found.line("destination kinds of objects")
    assert line.result == "warn"
    assert "2 instances listed are of them" in line.fact


def test_a_destination_that_accepts_nothing_of_it_is_a_failure(stand: Callable[..., Stand]) -> None:
    here = stand(dir_={"store": {"refuse_sop_classes": [CT]}})
    list_instances(here.folder, "1", [(CT, EXPLICIT)])
    assert assessed(here.folder).failures() == {"destination kinds of objects": 42}
