"""A crawl finds every study or says that it is not closed: random archives, random misbehaviours.

A small number of archives; `python -m benchmarks.crawl_archives` tries thousands and counts, and so
does `MIGRATE_CRAWL_EXAMPLES=2000` for this file.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from migrate.demo.misbehaviour import CAP_SIGNALS, FindMisbehaviours
from migrate.demo.simulated import ListArchive, StudyFacts, study_facts
from tests.crawling import crawled
from tests.random_archives import DATES, MISBEHAVIOURS, Capped, Said, archives, caps, judged, some_orders

EXAMPLES = int(os.environ.get("MIGRATE_CRAWL_EXAMPLES", "400"))


def assert_everything_is_found_or_the_crawl_is_open(
    studies: tuple[StudyFacts, ...], capped: Capped, orders: FindMisbehaviours
) -> None:
    said, why = judged(studies, capped, orders)
    assert said is not Said.WRONG, why


def archives_to_try(share: float) -> settings:
    """Of all archives together."""
    return settings(max_examples=int(EXAMPLES * share), deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.slow
@pytest.mark.timeout(900)
@archives_to_try(0.3)
@given(archives(), caps)
def test_every_study_is_found_whatever_the_cap(studies: tuple[StudyFacts, ...], capped: Capped) -> None:
    assert_everything_is_found_or_the_crawl_is_open(studies, capped, FindMisbehaviours())


@pytest.mark.slow
@pytest.mark.timeout(900)
@archives_to_try(0.3)
@given(archives(), caps, some_orders(1, 1))
def test_every_study_is_found_in_spite_of_one_misbehaviour(
    studies: tuple[StudyFacts, ...], capped: Capped, orders: FindMisbehaviours
) -> None:
    assert_everything_is_found_or_the_crawl_is_open(studies, capped, orders)


@pytest.mark.slow
@pytest.mark.timeout(900)
@archives_to_try(0.3)
@given(archives(), caps, some_orders(2, 2))
def test_every_study_is_found_in_spite_of_two_misbehaviours(
    studies: tuple[StudyFacts, ...], capped: Capped, orders: FindMisbehaviours
) -> None:
    assert_everything_is_found_or_the_crawl_is_open(studies, capped, orders)


@pytest.mark.slow
@pytest.mark.timeout(900)
@archives_to_try(0.1)
@given(archives(), caps, some_orders(3, len(MISBEHAVIOURS)))
def test_every_study_is_found_in_spite_of_many_misbehaviours(
    studies: tuple[StudyFacts, ...], capped: Capped, orders: FindMisbehaviours
) -> None:
    assert_everything_is_found_or_the_crawl_is_open(studies, capped, orders)


@pytest.mark.parametrize("signal", CAP_SIGNALS)
def test_a_well_behaved_archive_with_a_cap_is_closed(signal: str, tmp_path: Path) -> None:
    studies = [
        study_facts(
            f"1.2.{n}",
            StudyDate=DATES[n % 3],
            StudyTime=f"{n % 24:02d}1500",
            PatientID=f"A{n:02d}",
            AccessionNumber=f"N{n:03d}",
        )
        for n in range(40)
    ]
    orders = FindMisbehaviours(result_cap=5, cap_signal=signal)
    result, _ = crawled(tmp_path, ListArchive(studies), orders)
    assert result.closed, (result.open_windows, result.doubts)
    assert result.studies == 40
