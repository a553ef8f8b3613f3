"""Which studies move, in which order, and which stay behind with a reason."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrate.errors import ConfigError
from migrate.journal.events import Excluded, Planned
from migrate.stages.plan import Booked, plan, predicates, rank, ranking

CT_1999: dict[str, Any] = {"study_instance_uid": "1.1", "study_date": "19990131", "modalities_in_study": "CT"}
MR_2020: dict[str, Any] = {"study_instance_uid": "1.2", "study_date": "20200229", "modalities_in_study": "MR\\SR"}
UNDATED: dict[str, Any] = {
    "study_instance_uid": "1.3",
    "study_date": None,
    "modalities_in_study": None,
    "study_description": "KNEE",
}

PREDICATES = [
    ("modalities_in_study = CT", CT_1999, True),
    ("modalities_in_study = SR", MR_2020, True),
    ("modalities_in_study = M", MR_2020, False),
    ("modalities_in_study != CT", MR_2020, True),
    ("modalities_in_study != SR", MR_2020, False),
    ("modalities_in_study = ", UNDATED, True),
    ("study_date < 20000101", CT_1999, True),
    ("study_date < 20000101", MR_2020, False),
    ("study_date < 20000101", UNDATED, False),
    ("study_date <= 19990131", CT_1999, True),
    ("study_date > 19990131", CT_1999, False),
    ("study_date >= 20200229", MR_2020, True),
    ("study_date =", UNDATED, True),
    ("study_description ~ K*E", UNDATED, True),
    ("study_description ~ k*", UNDATED, False),
    ("study_instance_uid = 1.1", CT_1999, True),
]


@pytest.mark.parametrize(("line", "study", "holds"), PREDICATES)
def test_a_predicate_speaks_about_one_column_of_a_study(line: str, study: dict[str, Any], holds: bool) -> None:
    [predicate] = predicates([line])
    assert predicate.holds(study) is holds


@pytest.mark.parametrize("line", ["patient_name = X", "study_date", "study_date ? 1", "1 = 1", "", "; drop table"])
def test_a_predicate_that_cannot_be_read_is_shown_with_the_columns(line: str) -> None:
    with pytest.raises(ConfigError, match=r"plan\.exclude") as caught:
        predicates([line])
    assert "study_date" in caught.value.hint


ORDERS = [
    (["newest"], ["1.2", "1.1", "1.3"]),
    (["oldest"], ["1.1", "1.2", "1.3"]),
    (["modality:CT", "newest"], ["1.1", "1.2", "1.3"]),
    (["modality:SR", "oldest"], ["1.2", "1.1", "1.3"]),
    (["modality:PT,XA", "oldest"], ["1.1", "1.2", "1.3"]),
]


@pytest.mark.parametrize(("order", "expected"), ORDERS, ids=" ".join)
def test_the_order_is_the_one_asked_for_and_undated_studies_come_last(order: list[str], expected: list[str]) -> None:
    studies = sorted((CT_1999, MR_2020, UNDATED), key=lambda study: rank(study, order))
    assert [study["study_instance_uid"] for study in studies] == expected


def test_a_word_of_the_order_that_is_not_known_is_named() -> None:
    with pytest.raises(ConfigError, match="sideways"):
        rank({}, ["sideways"])


@pytest.mark.parametrize("date", ["", "2020", "19991", "abcdefgh"])
def test_an_illegal_date_counts_as_none(date: str) -> None:
    assert rank({"study_date": date}, ["newest"]) >= rank({"study_date": "19000101"}, ["newest"])


DATES = st.dates().map(lambda day: day.strftime("%Y%m%d").zfill(8))
WORDS = st.lists(
    st.sampled_from(["newest", "oldest", "modality:CT", "modality:MR,CT"]), min_size=1, max_size=2, unique=True
)


@given(WORDS, DATES)
def test_a_rank_fits_into_a_row_of_the_journal(order: list[str], date: str) -> None:
    assert 0 <= rank({"study_date": date, "modalities_in_study": "CT"}, order) < 2**63


@given(DATES, DATES)
def test_the_newer_of_two_studies_goes_first(one: str, other: str) -> None:
    ranks = [rank({"study_date": date}, ["newest"]) for date in (one, other)]
    assert (ranks[0] < ranks[1]) is (one > other)


def test_what_an_exclusion_says_is_the_reason_that_is_recorded() -> None:
    events = list(plan([CT_1999, MR_2020], ranking(["newest"]), predicates(["study_date < 20000101"]), "2026-01-01"))
    assert isinstance(events[0], Excluded)
    assert events[0].reason == "study_date < 20000101"
    assert isinstance(events[1], Planned)
    assert events[1].modified_at == "2026-01-01"


WAVES = [
    (["modalities_in_study = MR"], [1, 0, 1]),
    (["study_date >= 20000101", "study_date < 20000101"], [1, 0, 2]),
    (["study_date < 20000101 & modalities_in_study = MR"], [1, 1, 1]),
    (["study_date < 20000101 & modalities_in_study = CT"], [0, 1, 1]),
    (["booked", "modalities_in_study = CT"], [1, 0, 0]),
]
BOOKED = Booked(studies=frozenset({"1.2"}), patient_keys=frozenset({"k3"}))


@pytest.mark.parametrize(("waves", "expected"), WAVES, ids=str)
def test_a_study_belongs_to_the_first_wave_that_it_fits(waves: list[str], expected: list[int]) -> None:
    order = ranking(["newest"], waves, BOOKED)
    studies = [CT_1999, MR_2020, {**UNDATED, "patient_key": "k3"}]
    assert [order.wave_of(study) for study in studies] == expected


def test_a_wave_comes_before_the_order_and_the_rest_comes_last() -> None:
    order = ranking(["newest"], ["study_date < 20000101"])
    studies = sorted((MR_2020, UNDATED, CT_1999), key=order.rank)
    assert [study["study_instance_uid"] for study in studies] == ["1.1", "1.2", "1.3"]
    assert order.named == ("study_date < 20000101", "everything else")


@pytest.mark.parametrize("order", [["booked", "newest"], ["study_description ~ K*", "newest"]], ids=" ".join)
def test_a_word_of_the_order_may_be_a_list_or_a_predicate(order: list[str]) -> None:
    booked = Booked(studies=frozenset({"1.3"}))
    ranks = {one["study_instance_uid"]: ranking(order, (), booked).rank(one) for one in (CT_1999, MR_2020, UNDATED)}
    assert sorted(ranks, key=ranks.__getitem__) == ["1.3", "1.2", "1.1"]


@pytest.mark.parametrize(
    ("order", "waves", "told"),
    [
        (["booked"], [], r"plan\.order: booked needs a list"),
        (["newest"], ["booked"], r"plan\.waves: booked needs a list"),
        (["newest"], ["patient_name = X"], r"plan\.waves cannot be read"),
        (["newest", "oldest", "newest"], [], "too many words"),
        (["patient_name = X"], [], r"plan\.order cannot be read"),
    ],
)
def test_a_plan_that_cannot_be_read_is_named(order: list[str], waves: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        ranking(order, waves)


@given(st.lists(st.sampled_from(["modality:CT", "modality:MR,CT", "study_date < 2"]), max_size=20), DATES)
def test_a_rank_with_waves_and_words_fits_into_a_row_of_the_journal(words: list[str], date: str) -> None:
    order = ranking([*words, "newest"], ["study_date > 1"] * 50)
    assert 0 <= order.rank({"study_date": date, "modalities_in_study": "CT"}) < 2**63
