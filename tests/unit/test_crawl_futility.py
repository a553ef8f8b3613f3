"""A crawl that cannot be closed ends early: what cutting in vain teaches, and what it never does."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from migrate.demo.misbehaviour import FindMisbehaviours
from migrate.demo.simulated import FormulaArchive, FormulaPlan, ListArchive, study_facts
from migrate.stages.crawl.answers import Seen
from migrate.stages.crawl.close import Caps
from migrate.stages.crawl.futile import IN_VAIN, NEVER_WHOLE, Futility
from migrate.stages.crawl.knowledge import Knowledge
from migrate.stages.crawl.nodes import Node
from migrate.stages.crawl.windows import DATE, PATIENT, Window
from tests.crawling import crawled

DAY = date(2004, 3, 12)
CLINIC = FormulaPlan(studies=120, first_day=DAY, days=30, cap=20)
WITHIN = {"first": DAY, "last": DAY + timedelta(days=29), "small_archive": 0}


def answer(rows: int, *studies: int) -> Seen:
    return Seen(matches=rows, found=dict.fromkeys(studies, False))


def asked(day: int, axis: str = DATE) -> Node:
    return Node(ordinal=day, window=Window(axis=axis, first=DAY + timedelta(days=day), last=DAY + timedelta(days=day)))


def in_vain(futile: Futility, days: int, *, piece_shows: int) -> None:
    """So many days whose answer named study 1 alone were cut to the end; a piece of each showed one study."""
    for day in range(days):
        node = asked(day)
        futile.observe(node, answer(500, 1), whole=False)
        futile.shown([node], {piece_shows: False})
        futile.given_up(node)


@pytest.mark.parametrize(
    ("days", "shown", "rows", "studies", "futile"),
    [
        (5, 1, 500, (7,), True),
        (4, 1, 500, (7,), False),
        (5, 2, 500, (7,), False),
        (5, 1, 500, (7, 8), False),
        (5, 1, 1, (7,), False),
    ],
    ids=["five in vain", "four are not enough", "pieces brought more", "more studies", "not repeated"],
)
def test_a_window_is_given_up_when_those_like_it_were_cut_in_vain(
    days: int, shown: int, rows: int, studies: tuple[int, ...], *, futile: bool
) -> None:
    learnt, day = Futility(), asked(99)
    in_vain(learnt, days, piece_shows=shown)
    learnt.observe(day, answer(rows, *studies), whole=False)
    assert learnt.why(day) == (IN_VAIN if futile else "")


def test_windows_of_another_kind_are_cut_all_the_same() -> None:
    learnt = Futility()
    in_vain(learnt, 9, piece_shows=1)
    month = Node(ordinal=1, window=Window(axis=DATE, first=DAY, last=DAY + timedelta(days=30)))
    for node in (month, asked(99, PATIENT)):
        learnt.observe(node, answer(500, 7), whole=False)
        assert not learnt.why(node)


def test_an_axis_is_hopeless_only_where_answers_repeat_and_none_with_a_study_was_whole() -> None:
    honest, repeating, mended = Futility(), Futility(), Futility()
    for day in range(1_000):
        honest.observe(asked(day), answer(500, *range(500)), whole=False)
        repeating.observe(asked(day), answer(500, 1, 2), whole=False)
        repeating.observe(asked(day), answer(0), whole=True)
        mended.observe(asked(day), answer(500, 1, 2), whole=False)
    mended.observe(asked(1), answer(1, 9), whole=True)
    assert [learnt.hopeless(DATE) for learnt in (honest, repeating, mended)] == [False, True, False]
    assert not repeating.hopeless(PATIENT)


@pytest.mark.parametrize(
    ("seen", "room"),
    [
        (answer(500, *range(500)), 499),
        (answer(500, *range(10)), 9),
        (Seen(matches=500, outside=490, found=dict.fromkeys(range(10), False)), 499),
        (Seen(matches=500, without_uid=100, found=dict.fromkeys(range(400), False)), 3),
    ],
    ids=["a row a study", "fifty rows a study", "rows of other windows", "every fifth without a UID"],
)
def test_windows_are_made_for_as_many_studies_as_a_whole_answer_can_hold(seen: Seen, room: int) -> None:
    known = Knowledge(caps=Caps(known=500))
    known.observe(Window(axis=DATE), seen, whole=False)
    assert known.room() == room


def test_a_peer_whose_answers_all_repeat_themselves_is_given_up_soon(tmp_path: Path) -> None:
    orders = FindMisbehaviours(endless=True, result_cap=20, cap_signal="silent")
    result, _ = crawled(tmp_path, FormulaArchive(CLINIC), orders, most_windows=20_000, **WITHIN)
    assert not result.closed
    assert not any("limit" in window for window in result.open_windows)
    assert any(NEVER_WHOLE in window for window in result.open_windows)


def test_a_study_whose_rows_fill_an_answer_is_cut_out_only_a_few_times(tmp_path: Path) -> None:
    large = ListArchive(
        study_facts(
            f"1.2.{n}", (9,), StudyDate=f"202001{n + 1:02d}", StudyTime="101500", PatientID=f"{n:02d}",
            AccessionNumber=str(n % 2),
        )
        for n in range(12)
    )  # fmt: skip
    orders = FindMisbehaviours(per_instance_rows=True, result_cap=6, cap_signal="silent")
    result, _ = crawled(tmp_path, large, orders, alphabet="01", small_archive=0)
    assert (result.closed, result.studies) == (False, 12)
    assert any(IN_VAIN in window for window in result.open_windows)
