"""What a word of storage commitment means for each instance, and how it finds who asked."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from migrate.destinations import committing
from migrate.destinations.committing import into
from migrate.errors import ConfigError, PeerUnavailable
from migrate.journal.events import Committed, SentInVain
from migrate.peers import Commitment, CommitmentSilent, Reference, StagedStudy, Transaction
from migrate.stages.commit import commit
from migrate.staging.mailbox import MOST_EXPECTED, Mailbox
from migrate.wire.dimse.commitment import CommitmentResult, SopReference
from migrate.wire.dimse.endpoint import Endpoint
from tests.engine.seeded import write_config
from tests.peers.ports import free_port

ASKED = Transaction(
    transaction_uid="2.25.1",
    references=tuple(
        Reference(sop_class_uid="1.2", sop_instance_uid=uid, sent_sop_instance_uid=uid) for uid in ("1.1", "1.2", "1.3")
    ),
)


def word(commitment: Commitment | Exception, *, settle: bool = False) -> Any:
    """The event of the stage when a destination says this."""

    def said(_transaction: Transaction) -> Commitment:
        if isinstance(commitment, Exception):
            raise commitment
        return commitment

    site: Any = SimpleNamespace(destination=SimpleNamespace(commit=said))
    study = StagedStudy(study_instance_uid="1", evidence=(), settle=settle, transaction=ASKED)
    return commit(site, study, ASKED)


def failing(reason: int, *committed: str) -> Commitment:
    return Commitment(committed=frozenset(committed), failed=(("1.1", reason),))


@pytest.mark.parametrize("reason", [0x0110, 0x0213, 0x0131, 0x7777])
def test_a_reason_that_may_pass_is_tried_again_and_is_a_defect_at_last(reason: int) -> None:
    with pytest.raises(PeerUnavailable, match=f"{reason:04X}"):
        word(failing(reason))
    event = word(failing(reason, "1.2", "1.3"), settle=True)
    assert [(d.uid, d.exception_class) for d in event.defects] == [("1.1", "PEER_UNAVAILABLE")]


@pytest.mark.parametrize(("reason", "exception_class"), [(0x0122, "REFUSED_SOP"), (0x0119, "UID_COLLISION")])
def test_a_reason_that_will_not_pass_is_a_defect_at_once(reason: int, exception_class: str) -> None:
    event = word(failing(reason, "1.2"))
    assert isinstance(event, Committed)
    assert event.sop_instance_uids == ("1.2",)
    assert [(d.uid, d.exception_class) for d in event.defects] == [("1.1", exception_class)]


def test_what_it_does_not_hold_is_sent_again_and_missing_at_last() -> None:
    assert word(failing(0x0112, "1.2", "1.3")) == SentInVain(study_instance_uid="1", missing=1)
    assert [d.exception_class for d in word(failing(0x0112, "1.2", "1.3"), settle=True).defects] == ["COUNT_MISMATCH"]


def test_a_word_about_some_is_kept_and_the_rest_asked_for_again() -> None:
    event = word(Commitment(committed=frozenset({"1.3", "1.2"})))
    assert (event.sop_instance_uids, event.defects) == (("1.2", "1.3"), ())


def test_silence_is_tried_again_and_at_last_every_instance_is_a_defect() -> None:
    with pytest.raises(CommitmentSilent):
        word(CommitmentSilent("no word"))
    assert {d.uid for d in word(CommitmentSilent("no word"), settle=True).defects} == {"1.1", "1.2", "1.3"}


def test_a_mailbox_takes_only_what_is_expected_and_the_first_answer_counts() -> None:
    box = Mailbox()
    with pytest.raises(KeyError):
        box.deliver("a", 1)
    box.expect("a")
    assert box.take("a") is None
    box.deliver("a", 1)
    box.deliver("a", 2)
    assert (box.has("a"), box.take("a"), box.has("a")) == (True, 1, False)


def test_a_mailbox_wakes_who_waits() -> None:
    box = Mailbox()
    box.expect("a")
    assert box.wait("a", 0.01) is False
    threading.Timer(0.05, lambda: box.deliver("a", 1)).start()
    assert box.wait("a", 5) is True


def test_a_mailbox_does_not_grow_without_end() -> None:
    box = Mailbox()
    for number in range(MOST_EXPECTED + 5):
        box.expect(str(number))
    with pytest.raises(KeyError):
        box.deliver("4", 1)
    box.deliver("5", 1)


def test_an_answer_to_an_earlier_transaction_counts_and_nothing_is_asked() -> None:
    box = Mailbox()
    box.expect("2.25.0")
    kept = SopReference("1.2", "1.1")
    into(box)(CommitmentResult(transaction_uid="2.25.0", committed=(kept,), failed=()))
    nobody = Endpoint(ae_title="DIR", host="127.0.0.1", port=free_port(), calling_ae_title="MIGRATE")
    asked = replace(ASKED, earlier=("2.25.0",))
    assert committing.commit(nobody, box, asked) == Commitment(committed=frozenset({"1.1"}))
    with pytest.raises(PeerUnavailable):
        committing.commit(nobody, box, asked)


def test_an_instance_that_a_rule_renamed_is_asked_for_by_its_new_name_and_told_by_its_old() -> None:
    box = Mailbox()
    box.expect("2.25.0")
    into(box)(CommitmentResult(transaction_uid="2.25.0", committed=(SopReference("1.2", "9.9"),), failed=()))
    renamed = Reference(sop_class_uid="1.2", sop_instance_uid="1.1", sent_sop_instance_uid="9.9")
    asked = Transaction(transaction_uid="2.25.1", references=(renamed,), earlier=("2.25.0",))
    nobody = Endpoint(ae_title="DIR", host="127.0.0.1", port=free_port(), calling_ae_title="MIGRATE")
    assert committing.commit(nobody, box, asked).committed == {"1.1"}


def test_taking_the_word_for_proof_needs_a_word(tmp_path: Any) -> None:
    with pytest.raises(ConfigError, match="needs commitment"):
        write_config(tmp_path, {"destination": {"verify": "commitment"}})
