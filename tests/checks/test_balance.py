"""The books: every study, series, instance and byte in exactly one of four."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrate.checks.balance import BOOKS, LEVELS, Books, Heading, heading_of
from migrate.manifest.sides import InstanceSide, StudySide
from tests.checks.sides import instance, side

STATES = [None, "FOUND", "PLANNED", "RETRIEVED", "UPLOADED", "VERIFIED", "QUARANTINED", "EXCLUDED", "CHANGED"]
INSTANCES = st.builds(
    InstanceSide,
    sop_instance_uid=st.text("0123456789.", min_size=1, max_size=5),
    series_instance_uid=st.sampled_from(["1.2.3.1", "1.2.3.2", None]),
    listed=st.booleans(),
    received=st.booleans(),
    size_bytes=st.none() | st.integers(0, 10**12),
    method=st.sampled_from([None, "uid", "content", "metadata", "commitment"]),
    outcome=st.sampled_from([None, "match", "missing", "differs", "unverifiable"]),
    differs=st.just(""),
)


@st.composite
def sides(draw: st.DrawFn) -> StudySide:
    found = draw(st.lists(INSTANCES, max_size=8, unique_by=lambda i: i.sop_instance_uid))
    return side(
        instances=tuple(sorted(found, key=lambda i: i.sop_instance_uid)),
        series=frozenset(i.series_instance_uid for i in found if i.series_instance_uid)
        | draw(st.frozensets(st.sampled_from(["1.2.3.1", "1.2.3.3"]))),
        study_date=draw(st.sampled_from([None, "", "20200115", "1998", "19XX0101", "00000000"])),
        main_modality=draw(st.sampled_from([None, "CT", "MR"])),
        institution_name=draw(st.sampled_from([None, "", " ", "General"])),
        stated_instances=draw(st.none() | st.integers(0, 20)),
        stated_series=draw(st.none() | st.integers(0, 5)),
        instances_listed=draw(st.booleans()),
    )


@given(st.lists(st.tuples(sides(), st.sampled_from(STATES)), max_size=12))
def test_the_books_balance_whatever_the_studies_are(found: list[tuple[StudySide, str | None]]) -> None:
    books = Books()
    for study, state in found:
        books.add(study, state)
    lines = list(books.lines())
    for line in lines:
        assert line.source == sum(getattr(line, book) for book in BOOKS)
        assert min(getattr(line, book) for book in BOOKS) >= 0
    assert books.totals()["STUDY"]["source"] == len(found)
    assert books.totals()["IMAGE"]["source"] >= sum(len(study.instances) for study, _ in found)


@given(st.lists(st.tuples(sides(), st.sampled_from(STATES)), max_size=8))
def test_the_order_of_the_studies_does_not_matter(found: list[tuple[StudySide, str | None]]) -> None:
    one, two = Books(), Books()
    for study, state in found:
        one.add(study, state)
    for study, state in reversed(found):
        two.add(study, state)
    assert list(one.lines()) == list(two.lines())


@pytest.mark.parametrize(
    ("state", "book"),
    [
        ("VERIFIED", "migrated"),
        ("EXCLUDED", "excluded"),
        ("QUARANTINED", "failed"),
        ("FOUND", "pending"),
        ("UPLOADED", "pending"),
        ("CHANGED", "pending"),
        (None, "pending"),
    ],
)
def test_a_study_is_in_the_book_that_its_state_says(state: str | None, book: str) -> None:
    books = Books()
    books.add(side(instance("1.2.3.9", outcome=None, method=None)), state)
    assert {name: books.totals()["STUDY"][name] for name in BOOKS} == {**dict.fromkeys(BOOKS, 0), book: 1}


def test_a_proven_instance_of_a_study_in_quarantine_is_migrated_and_the_other_failed() -> None:
    books = Books()
    wrong = instance("1.2.3.8", outcome="differs", series_instance_uid="1.2.3.2", size_bytes=7)
    books.add(side(wrong, instance("1.2.3.9")), "QUARANTINED")
    totals = books.totals()
    assert [totals["STUDY"][book] for book in BOOKS] == [0, 0, 1, 0]
    assert [totals["SERIES"][book] for book in BOOKS] == [1, 0, 1, 0]
    assert [totals["IMAGE"][book] for book in BOOKS] == [1, 0, 1, 0]
    assert [totals["BYTES"][book] for book in BOOKS] == [100, 0, 7, 0]


def test_an_instance_found_by_its_uid_alone_is_migrated_only_where_policy_says_so() -> None:
    study = side(instance("1.2.3.9", method="uid"))
    strict, lenient = Books(), Books(proofs=frozenset({"content", "uid"}))
    strict.add(study, "VERIFIED")
    lenient.add(study, "VERIFIED")
    assert strict.totals()["IMAGE"]["pending"] == 1
    assert lenient.totals()["IMAGE"]["migrated"] == 1


def test_instances_that_were_never_listed_are_taken_from_what_the_peer_states() -> None:
    books = Books()
    books.add(side(instances_listed=False, stated_instances=120, stated_series=3), "FOUND")
    assert books.totals()["IMAGE"] == {"source": 120, "migrated": 0, "excluded": 0, "failed": 0, "pending": 120}
    assert books.totals()["SERIES"]["pending"] == 3


@pytest.mark.parametrize(
    ("date", "year"),
    [("20200115", 2020), ("1998", 1998), (None, None), ("", None), ("19XX0101", None), ("00000000", None)],
)
def test_a_study_without_a_legal_year_has_none(date: str | None, year: int | None) -> None:
    assert heading_of(side(study_date=date)) == Heading(year, "CT", "General")


def test_every_heading_has_a_line_at_every_level() -> None:
    books = Books()
    books.add(side(instance("1.2.3.9")), "VERIFIED")
    assert [line.level for line in books.lines()] == list(LEVELS)
