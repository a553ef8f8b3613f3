"""A destination's answers are not believed: it is asked what it holds, and the content is read back."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from migrate.demo.archive import read_object
from migrate.journal import read
from tests.engine.inline import run_inline
from tests.engine.migration import Migrate, Migration
from tests.engine.objects import CT, MR, StudyRecipe, many

TWO_ATTEMPTS = {"limits": {"attempts": 2}}


def classes(one: Migration) -> set[str]:
    return {row["exception_class"] for row in read.exceptions(one.run.folder)}


def foreign_content(one: Migration) -> None:
    """Somebody stored another object under the SOP Instance UID of the first one before."""
    first = one.objects[0]
    dataset = dcmread(first.path)
    dataset.StudyDescription = "SOMETHING ELSE"
    path = one.dir_folder / "before.dcm"
    dataset.save_as(path)
    stored = read_object(path)
    assert stored is not None
    one.embedded_dir.archive.add(stored)


SILENT_LIES: dict[str, tuple[dict[str, Any], str]] = {
    "flips a bit": ({"flip_bit_every": 2}, "CONTENT_MISMATCH"),
    "coerces": ({"coerce": {"InstitutionName": "DI-R"}}, "DEST_COERCED"),
    "coerces and says so": ({"coerce": {"InstitutionName": "DI-R"}, "warns_of_coercion": True}, "DEST_COERCED"),
    "drops everything": ({"drop_every": 1}, "COUNT_MISMATCH"),
    "evicts": ({"evict_above": 1}, "COUNT_MISMATCH"),
}


@pytest.mark.parametrize(("orders", "exception_class"), SILENT_LIES.values(), ids=SILENT_LIES)
def test_a_destination_that_lies_is_caught(migration: Migrate, orders: dict[str, Any], exception_class: str) -> None:
    one = migration(many(1), TWO_ATTEMPTS, dir_={"store": orders})
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"QUARANTINED": 1}
    assert classes(one) == {exception_class}


@pytest.mark.parametrize("policy", ["keep_old", "overwrite", "keep_both", "refuse"])
def test_other_content_that_was_there_before_is_found_and_never_overwritten(migration: Migrate, policy: str) -> None:
    one = migration(many(1), TWO_ATTEMPTS, dir_={"store": {"same_uid": policy}})
    foreign_content(one)
    before = one.held()
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"QUARANTINED": 1}
    assert classes(one) == {"UID_COLLISION"}
    first, *others = one.expected()
    assert one.held() == one.expected() | before
    assert one.sent() == Counter(others)
    assert [row["uid"] for row in read.exceptions(one.run.folder)] == [first]


def test_what_the_destination_held_before_and_as_it_should_be_is_verified_and_not_sent(migration: Migrate) -> None:
    one = migration(many(1), dir_={"store": {"same_uid": "overwrite"}})
    stored = read_object(Path(shutil.copy(one.objects[0].path, one.dir_folder)))
    assert stored is not None
    one.embedded_dir.archive.add(stored)
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": 1}
    assert one.held() == one.expected()
    assert one.sent() == Counter(list(one.expected())[1:])


def test_content_that_somebody_replaces_between_upload_and_verify_is_found(migration: Migrate) -> None:
    one = migration(many(1), TWO_ATTEMPTS)
    assert run_inline(one.run, stages=("retrieve", "checksum", "normalize", "upload")) is None
    ours = one.embedded_dir.archive.with_sop_instance_uid(one.objects[0].sop_instance_uid)
    one.embedded_dir.archive.remove(ours[0])
    foreign_content(one)
    assert run_inline(one.run) is None
    assert classes(one) == {"DEST_COERCED"}


def test_what_was_dropped_once_is_sent_again_and_nothing_else_is(migration: Migrate) -> None:
    one = migration(many(1, instances=4), dir_={"store": {"drop_every": 3}})
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": 1}
    assert one.held() == one.expected()
    assert one.sent().total() == 5


def test_declared_coercions_are_no_difference(migration: Migrate) -> None:
    settings = {"destination": {"coercions": ["00080080"]}}
    one = migration(many(1), settings, dir_={"store": {"coerce": {"InstitutionName": "DI-R"}}})
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": 1}
    assert {row["detail"] for row in one.run.rows("verification")} == {"but for declared coercions"}


def test_an_answer_that_is_lost_makes_us_ask_and_not_send_again(migration: Migrate) -> None:
    one = migration(many(2, instances=4), dir_={"store": {"answer_lost_every": 3}})
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": 2}
    assert sorted(uid for uid, _ in one.stores()) == sorted(one.expected())
    assert one.held() == one.expected()


def test_what_was_taken_in_before_a_loss_and_shows_only_later_is_not_sent_again(migration: Migrate) -> None:
    orders = {"store": {"answer_lost_every": 4, "kept_after_loss_s": 0.5}}
    one = migration(many(1, instances=4), {"limits": {"backoff_s": 0.01}}, dir_=orders)
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": 1}
    assert sorted(uid for uid, _ in one.stores()) == sorted(one.expected())


def test_a_destination_that_is_full_for_a_while_is_waited_for(migration: Migrate) -> None:
    one = migration(many(2), {"limits": {"attempts": 20}}, dir_={"store": {"out_of_resources_first_n": 7}})
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": 2}
    assert one.sent() == one.once()


def test_a_destination_that_is_full_for_ever_ends_the_attempts(migration: Migrate) -> None:
    one = migration(many(1), TWO_ATTEMPTS, dir_={"store": {"out_of_resources_always": True}})
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"QUARANTINED": 1}
    assert len(one.stores()) == 2 * len(one.objects)
    assert one.held() == {}


def test_when_nothing_works_any_more_the_run_stops_before_every_study_is_in_quarantine(migration: Migrate) -> None:
    always_full = {"store": {"out_of_resources_always": True}}
    one = migration(many(20, instances=1), {"limits": {"attempts": 9}}, dir_=always_full)
    error = run_inline(one.run)
    assert error is not None
    assert error.exit_code == 41
    assert "QUARANTINED" not in read.states(one.run.folder)


REFUSALS = {
    "SOP class": ({"refuse_sop_classes": ("1.2.840.10008.5.1.4.1.1.4",)}, "REFUSED_SOP"),
    "transfer syntax": ({"refuse_transfer_syntaxes": ("1.2.840.10008.1.2.1",)}, "REFUSED_TS"),
    "SOP class, by status": ({"unauthorised_sop_classes": ("1.2.840.10008.5.1.4.1.1.4",)}, "REFUSED_SOP"),
}


@pytest.mark.parametrize(("orders", "exception_class"), REFUSALS.values(), ids=REFUSALS)
def test_what_the_destination_does_not_take_is_put_aside_and_the_run_goes_on(
    migration: Migrate, orders: dict[str, Any], exception_class: str
) -> None:
    other = StudyRecipe(number=2, file="MR_small_implicit.dcm")
    one = migration([StudyRecipe(number=1, file=MR), other, StudyRecipe(number=3, file=CT)], dir_={"store": orders})
    assert run_inline(one.run) is None
    states = read.states(one.run.folder)
    assert states["QUARANTINED"] >= 1
    assert states["VERIFIED"] >= 1
    assert exception_class in classes(one)
    assert set(one.held().items()) < set(one.expected().items())
