"""The destination's word is asked for, waited for, never believed in place of the content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from migrate.demo.pacs import EmbeddedPeer, PeerOptions
from migrate.journal import events as e
from migrate.journal import read
from migrate.journal.store import Journal
from tests.engine.inline import run_inline
from tests.engine.migration import Migrate, Migration
from tests.engine.objects import make_studies, many
from tests.engine.seeded import between, seeded
from tests.peers.orthanc import Orthanc
from tests.peers.ports import free_port

ALWAYS: dict[str, Any] = {"destination": {"commitment": "always", "commitment_timeout_s": 10}}
SHORT: dict[str, Any] = {
    "destination": {"commitment": "always", "commitment_timeout_s": 0.3},
    "limits": {"attempts": 2},
}
AUTO_SHORT: dict[str, Any] = {"destination": {"commitment": "auto", "commitment_timeout_s": 0.3}}


def kinds(folder: Path) -> Counter[str]:
    return Counter(event["kind"] for event in read.events(folder))


def transactions(folder: Path) -> list[str]:
    return [ev["payload"]["transaction_uid"] for ev in read.events(folder) if ev["kind"] == "CommitmentAsked"]


def classes(one: Migration) -> set[str]:
    return {row["exception_class"] for row in read.exceptions(one.run.folder)}


ANSWERS = {
    "on a new association": {},
    "on the same association": {"same_association": True},
    "late": {"late_s": 0.4},
    "twice": {"twice": True},
    "twice on the same association": {"twice": True, "same_association": True},
}


@pytest.mark.parametrize("orders", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("policy", ["always", "auto"])
def test_the_word_is_heard_however_it_comes(migration: Migrate, policy: str, orders: dict[str, Any]) -> None:
    settings = {"destination": {**ALWAYS["destination"], "commitment": policy}}
    one = migration(many(2), settings, dir_={"commitment": orders})
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": 2}
    told = [event["kind"] for event in read.story(one.run.folder, many(1)[0].study_instance_uid)]
    assert told[-4:] == ["Uploaded", "CommitmentAsked", "Committed", "Verified"]
    assert {row["method"] for row in one.run.rows("verification")} == {"content"}
    assert len(transactions(one.run.folder)) == 2


@pytest.mark.parametrize("orders", [{"lost": True}, {"wrong_transaction": True}], ids=["lost", "wrong transaction"])
def test_a_word_that_must_come_and_does_not_is_asked_for_again_in_a_new_transaction_and_then_given_up(
    migration: Migrate, orders: dict[str, Any]
) -> None:
    one = migration(many(1), SHORT, dir_={"commitment": orders})
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"QUARANTINED": 1}
    assert classes(one) == {"PEER_UNAVAILABLE"}
    asked = transactions(one.run.folder)
    assert len(asked) == len(set(asked)) == 2
    assert one.sent().total() == 3


@pytest.mark.parametrize(
    "orders",
    [{"lost": True}, {"stranger": True}, {"refuse": True}],
    ids=["lost", "our AE title is not known", "not offered"],
)
def test_without_a_word_that_need_not_come_the_content_decides(migration: Migrate, orders: dict[str, Any]) -> None:
    one = migration(many(24, instances=1), AUTO_SHORT, dir_={"commitment": orders})
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": 24}
    assert {row["method"] for row in one.run.rows("verification")} == {"content"}
    # Three in a row, and those that were on their way at the same time.
    assert len(transactions(one.run.folder)) <= (0 if "refuse" in orders else 3 + 12)


def test_who_must_commit_and_does_not_offer_it_ends_in_quarantine(migration: Migrate) -> None:
    one = migration(many(1), SHORT, dir_={"commitment": {"refuse": True}})
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"QUARANTINED": 1}


def test_an_answer_that_comes_after_the_time_was_up_counts_at_the_next_attempt(migration: Migrate) -> None:
    settings = {"destination": SHORT["destination"], "limits": {"attempts": 6, "backoff_s": 0.3}}
    one = migration(many(1), settings, dir_={"commitment": {"late_s": 0.7}})
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": 1}
    assert 2 <= len(transactions(one.run.folder)) <= 4
    assert kinds(one.run.folder)["Committed"] == 1


def test_a_destination_that_commits_to_what_it_dropped_is_caught_by_the_content(migration: Migrate) -> None:
    settings = {**ALWAYS, "limits": {"attempts": 2}}
    one = migration(many(1), settings, dir_={"commitment": {"lies": True}, "store": {"drop_every": 1}})
    assert run_inline(one.run) is None
    assert kinds(one.run.folder)["Committed"] >= 1
    assert read.states(one.run.folder) == {"QUARANTINED": 1}
    assert classes(one) == {"COUNT_MISMATCH"}


def test_what_the_destination_says_it_does_not_hold_is_sent_again_and_nothing_else_is(migration: Migrate) -> None:
    one = migration(many(1, instances=4), ALWAYS, dir_={"store": {"drop_every": 3}})
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": 1}
    assert kinds(one.run.folder)["SentInVain"] == 1
    assert one.held() == one.expected()
    assert one.sent().total() == 5


def test_the_word_stands_in_the_table_where_nothing_is_read_back(migration: Migrate) -> None:
    settings = {"destination": {**ALWAYS["destination"], "verify": "commitment"}}
    one = migration(many(2), settings)
    assert run_inline(one.run) is None
    assert read.states(one.run.folder) == {"VERIFIED": 2}
    assert {(row["method"], row["outcome"]) for row in one.run.rows("verification")} == {("commitment", "match")}


def test_a_transaction_is_recorded_before_it_goes_out_and_forgotten_when_it_is_answered(migration: Migrate) -> None:
    one = migration(many(1), ALWAYS)
    uid = many(1)[0].study_instance_uid
    assert run_inline(one.run, stages=("retrieve", "checksum", "normalize", "upload")) is None
    with Journal(one.run.folder) as journal:  # as a run that was killed after it had asked
        journal.append([e.CommitmentAsked(study_instance_uid=uid, transaction_uid="2.25.7", instances=3)])
        assert journal.commitments(uid) == ("2.25.7",)
    assert run_inline(one.run) is None
    with Journal(one.run.folder) as journal:
        assert journal.commitments(uid) == ()
    assert read.states(one.run.folder) == {"VERIFIED": 1}
    assert len(set(transactions(one.run.folder))) == 2


@pytest.mark.orthanc
@pytest.mark.parametrize("policy", ["always", "auto"])
def test_orthanc_commits_on_an_association_of_its_own(
    orthanc: Callable[..., Orthanc], tmp_path: Path, policy: str
) -> None:
    receiver = free_port()
    objects = make_studies(tmp_path / "legacy", many(2))
    destination = orthanc(ae_title="DIR", modalities={"MIGRATE": receiver})
    legacy = PeerOptions(
        ae_title="LEGACY", folder=tmp_path / "legacy", destinations={"MIGRATE": ("127.0.0.1", receiver)}
    )
    with ExitStack() as stack:
        source = stack.enter_context(EmbeddedPeer(legacy))
        settings = {"destination": {**ALWAYS["destination"], "commitment": policy}}
        run = seeded(tmp_path / "run", objects, between(source.port, destination.port, receiver), settings)
        assert run_inline(run) is None
    assert read.states(run.folder) == {"VERIFIED": 2}
    assert (kinds(run.folder)["CommitmentAsked"], kinds(run.folder)["Committed"]) == (2, 2)
