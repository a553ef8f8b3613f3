"""A large archive is crawled with few questions and little memory (benchmarks/crawl_scale.py measures the rest)."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import psutil
import pytest

from migrate.demo.misbehaviour import CAP_SIGNALS, FindMisbehaviours
from migrate.demo.simulated import FormulaArchive, FormulaPlan
from tests.crawling import column, crawled

STUDIES = 20_000
MOST_GROWTH_BYTES = 200 * 2**20
# The order of answers decides some splits: 438 to 457 questions were counted, 590 to 601 where A700 tells nothing.
MOST_QUESTIONS = {"FE00": 550, "silent": 550, "C000": 550, "A700": 720}


@pytest.mark.slow
@pytest.mark.parametrize("signal", CAP_SIGNALS)
def test_twenty_thousand_studies_are_found_with_few_questions(signal: str, tmp_path: Path) -> None:
    archive = FormulaArchive(FormulaPlan(studies=STUDIES, cap=500))
    process = psutil.Process()
    before = process.memory_info().rss
    orders = FindMisbehaviours(result_cap=500, cap_signal=signal)
    result, source = crawled(tmp_path, archive, orders, first=date(2000, 1, 1), last=date(2026, 12, 31))
    assert process.memory_info().rss - before < MOST_GROWTH_BYTES
    assert result.closed, (result.open_windows, result.doubts)
    assert result.studies == len(set(column(tmp_path, "studies", "study_instance_uid"))) == STUDIES
    assert result.undated_studies == archive.undated
    assert source.history.queries < MOST_QUESTIONS[signal]
    assert result.estimated_undiscovered is not None
    assert result.estimated_undiscovered.estimate == 0
