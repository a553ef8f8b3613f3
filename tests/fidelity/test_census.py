"""What is missed first when it is gone: counted at the source and again in what the destination gives back."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.dataset import Dataset

from migrate.dicom.census import KINDS, census_of
from migrate.journal import read
from tests.engine.inline import run_inline
from tests.engine.migration import Migrate
from tests.engine.objects import SR, StudyRecipe
from tests.rules.kit import dataset, encoded, item, parsed


def with_private(creator: str) -> Dataset:
    made = dataset()
    made.private_block(0x0029, creator, create=True).add_new(1, "LO", "mark")
    return made


def with_overlay() -> Dataset:
    made = dataset()
    made.add_new(0x60020010, "US", 1)
    return made


CASES: dict[str, tuple[Dataset, str]] = {
    "plain image": (dataset(), ""),
    "presentation state": (dataset(SOPClassUID="1.2.840.10008.5.1.4.1.1.11.1"), "presentation_state"),
    "key object": (dataset(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.59"), "key_object"),
    "structured report": (dataset(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33"), "structured_report"),
    "overlay": (with_overlay(), "overlay"),
    "burned in": (dataset(BurnedInAnnotation="YES"), "burned_in"),
    "said not to be burned in": (dataset(BurnedInAnnotation="NO"), ""),
    "laterality": (dataset(ImageLaterality="L"), "laterality"),
    "empty laterality": (dataset(Laterality=""), ""),
    "laterality of frames": (
        dataset(SharedFunctionalGroupsSequence=[item(FrameAnatomySequence=[item(FrameLaterality="R")])]),
        "laterality",
    ),
    "graphic annotation": (dataset(GraphicAnnotationSequence=[item(GraphicLayer="A")]), "annotation"),
    "marks of a known product": (with_private("Mitra Markup 1.0"), "private_annotation"),
    "private elements of no interest": (with_private("SIEMENS CSA HEADER"), ""),
}


@pytest.mark.parametrize(("made", "kinds"), CASES.values(), ids=CASES)
def test_the_census_names_what_an_object_has(made: Dataset, kinds: str) -> None:
    assert census_of(parsed(encoded(made))) == kinds


def test_every_kind_has_a_case() -> None:
    assert {kind for _, kinds in CASES.values() for kind in kinds.split()} == set(KINDS)


def counted(migration: Migrate, orders: dict[str, Any]) -> dict[str, tuple[int, int]]:
    recipes = [
        StudyRecipe(number=1, file=SR, instances=2),
        StudyRecipe(number=2, instances=2, extra={"BurnedInAnnotation": "YES"}),
    ]
    one = migration(recipes, {"limits": {"attempts": 1}}, dir_={"store": orders})
    assert run_inline(one.run) is None
    return {row["kind"]: (row["source"], row["destination"]) for row in one.run.rows("census")}


def test_both_sides_count_the_same_when_everything_arrives(migration: Migrate) -> None:
    assert counted(migration, {}) == {"structured_report": (2, 2), "burned_in": (2, 2)}


def test_what_a_declared_coercion_takes_away_is_noted_in_the_register(migration: Migrate) -> None:
    settings = {"destination": {"coercions": ["00280301"]}}
    recipes = [StudyRecipe(number=1, instances=2, extra={"BurnedInAnnotation": "YES"})]
    one = migration(recipes, settings, dir_={"store": {"coerce": {"BurnedInAnnotation": "NO"}}})
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": 1}
    (noted,) = read.exceptions(one.run.folder)
    assert (noted["exception_class"], noted["disposition"]) == ("DEST_COERCED", "noted")
    assert noted["detail"] == "burned_in: in 2 instances as sent, in 0 as given back"


def test_what_the_destination_takes_away_is_seen(migration: Migrate) -> None:
    found = counted(migration, {"coerce": {"BurnedInAnnotation": "NO"}})
    assert found == {"structured_report": (2, 2), "burned_in": (2, 0)}
