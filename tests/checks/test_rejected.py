"""What the source has rejected has its own count in the balance, and the books add up with it."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrate.checks.balance import BOOKS, PROOFS, Books
from migrate.checks.findings import CHECKS
from migrate.manifest.sides import InstanceSide, StudySide
from tests.checks.sides import instance, seen, side

PROVEN = instance("1.1")
REJECTED = instance("1.2", rejected="113037", method=None, outcome=None)
NEVER_CAME = instance("1.3", rejected="deleted", received=False, size_bytes=None, method=None, outcome=None)
MOVED_BEFORE = instance("1.4", rejected="113037")
WAITING = instance("1.5", method=None, outcome=None)


def booked(source: StudySide, state: str) -> Books:
    books = Books(proofs=PROOFS)
    books.add(source, state)
    return books


CASES = [
    ("VERIFIED", (PROVEN, REJECTED), {"migrated": 1, "excluded": 1}, 1),
    ("VERIFIED", (PROVEN, NEVER_CAME), {"migrated": 1, "excluded": 1}, 1),
    ("VERIFIED", (PROVEN, MOVED_BEFORE), {"migrated": 2}, 0),
    ("QUARANTINED", (PROVEN, REJECTED, WAITING), {"migrated": 1, "excluded": 1, "failed": 1}, 1),
    ("PLANNED", (REJECTED, WAITING), {"excluded": 1, "pending": 1}, 1),
    ("EXCLUDED", (REJECTED, WAITING), {"excluded": 2}, 1),
]


@pytest.mark.parametrize(("state", "instances", "expected", "rejected"), CASES)
def test_a_rejected_instance_is_excluded_unless_it_was_moved_before(
    state: str, instances: tuple[InstanceSide, ...], expected: dict[str, int], rejected: int
) -> None:
    books = booked(side(*instances), state)
    found = Counter({book: books.totals()["IMAGE"][book] for book in BOOKS})
    assert +found == Counter(expected)
    assert books.rejected()["IMAGE"] == rejected


def test_a_study_of_which_everything_is_rejected_is_excluded_itself() -> None:
    books = booked(side(REJECTED, NEVER_CAME), "VERIFIED")
    assert books.totals()["STUDY"]["excluded"] == books.totals()["SERIES"]["excluded"] == 1
    assert books.rejected() == {"STUDY": 1, "SERIES": 1, "IMAGE": 2, "BYTES": 100}


def test_all_of_a_study_that_a_list_names_counts_as_rejected() -> None:
    books = booked(side(WAITING, instance("1.6", method=None, outcome=None), deleted=True), "EXCLUDED")
    assert books.rejected() == {"STUDY": 1, "SERIES": 1, "IMAGE": 2, "BYTES": 200}


instances = st.lists(
    st.builds(
        instance,
        st.integers(1, 99).map(lambda n: f"1.{n}"),
        rejected=st.sampled_from([None, "113037"]),
        series_instance_uid=st.sampled_from(["1.2.3.1", "1.2.3.2"]),
        size_bytes=st.none() | st.integers(0, 9),
        outcome=st.sampled_from([None, "match", "differs"]),
    ),
    max_size=6,
    unique_by=lambda one: one.sop_instance_uid,
)


@given(instances, st.sampled_from(["VERIFIED", "QUARANTINED", "EXCLUDED", "FOUND"]), st.booleans())
def test_the_books_add_up_whatever_is_rejected(found: list[InstanceSide], state: str, deleted: bool) -> None:
    books = booked(side(*found, deleted=deleted), state)
    for line in books.lines():
        assert line.source == line.migrated + line.excluded + line.failed + line.pending
        assert 0 <= line.rejected <= line.excluded


def test_nothing_is_missing_at_the_destination_when_what_is_not_there_was_rejected() -> None:
    study = seen(side(PROVEN, REJECTED), held={"1.1"})
    assert [finding for check in CHECKS.values() for finding in check(study, study.compared())] == []
