"""A crawl whose process is killed goes on where it stopped and ends with the same tables."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import date
from functools import partial
from pathlib import Path

import pytest

from migrate.demo.misbehaviour import FindMisbehaviours
from migrate.demo.simulated import FormulaArchive, FormulaPlan, SimulatedSource
from migrate.errors import Interrupted, PeerUnavailable
from migrate.manifest.read import read_table
from migrate.model import Level
from migrate.stages.crawl import CrawlResult, Progress, crawl
from tests.crawling import column, journal, request

PLAN = FormulaPlan(studies=120, days=5, cap=20, heavy_days_share=0.1, undated_share=0.05, timeless_share=0.05)
ORDERS = FindMisbehaviours(result_cap=20, cap_signal="silent")
TERMS = {"first": date(2006, 1, 1), "last": date(2006, 1, 31), "level": Level.IMAGE, "flush_rows": 30}
TABLES = {
    "studies": ["study_instance_uid", "study_date", "accession_number", "series_count", "instance_count"],
    "identities": ["study_instance_uid", "patient_id", "patient_name"],
    "series": ["study_instance_uid", "series_instance_uid", "modality", "instance_count"],
    "instances": ["study_instance_uid", "series_instance_uid", "sop_instance_uid"],
    "crawl_defects": ["study_instance_uid", "level", "uid", "exception_class", "detail"],
}

_CRAWL = """
import sys, pathlib
from tests.faults.test_crawl_killed import crawl_once
result = crawl_once(pathlib.Path(sys.argv[1]), lambda where: print(where.phase, flush=True))
print("closed" if result.closed else "open", flush=True)
"""


def crawl_once(folder: Path, progress: object = lambda _: None) -> CrawlResult:
    source = SimulatedSource(FormulaArchive(PLAN), ORDERS)
    with journal(folder) as db:
        return crawl(request(folder, db, lambda: source, progress=progress, **TERMS))


def tables(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    found = {}
    for table, names in TABLES.items():
        columns = read_table(folder, table, names).to_pydict()
        found[table] = list(zip(*(columns[name] for name in names), strict=True))
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[object, ...]]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert crawl_once(folder).closed
    return tables(folder)


def run_until(folder: Path, lines: int) -> str:
    """Run a crawl as a process and kill it after so many lines of progress; gives its last line."""
    command = [sys.executable, "-c", _CRAWL, str(folder)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        last = ""
        for _ in range(lines):
            line = process.stdout.readline()
            if not line:
                break
            last = line.strip()
        os.kill(process.pid, signal.SIGKILL)
    return last


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kills", [[3, 40, 90, 150], [250, 270, 300, 310, 2]], ids=["while sweeping", "later"])
def test_a_killed_crawl_ends_with_the_same_tables(
    kills: list[int], tmp_path: Path, undisturbed: dict[str, list[tuple[object, ...]]]
) -> None:
    seen = [run_until(tmp_path, lines) for lines in kills]
    assert "closed" not in seen
    assert crawl_once(tmp_path).closed
    assert tables(tmp_path) == undisturbed
    assert not list((tmp_path / "manifests" / ".work").iterdir())


def stop_at(asked: list[Progress], windows: int) -> bool:
    return len(asked) >= windows


def test_a_stopped_crawl_goes_on_with_what_it_had(
    tmp_path: Path, undisturbed: dict[str, list[tuple[object, ...]]]
) -> None:
    source = SimulatedSource(FormulaArchive(PLAN), ORDERS)
    asked: list[Progress] = []
    with journal(tmp_path) as db:
        for stop_after in (20, 60, 110):
            terms = request(
                tmp_path,
                db,
                lambda: source,
                progress=asked.append,
                stopping=partial(stop_at, asked, stop_after),
                **TERMS,
            )
            with pytest.raises(Interrupted):
                crawl(terms)
    before = source.history.queries
    assert crawl_once(tmp_path).closed
    assert tables(tmp_path) == undisturbed
    assert before < 300


def test_a_source_that_goes_away_is_unavailable_and_the_crawl_goes_on_later(
    tmp_path: Path, undisturbed: dict[str, list[tuple[object, ...]]]
) -> None:
    gone = SimulatedSource(FormulaArchive(PLAN), FindMisbehaviours(silence=True))
    with journal(tmp_path) as db, pytest.raises(PeerUnavailable):
        crawl(request(tmp_path, db, lambda: gone, **TERMS))
    assert crawl_once(tmp_path).closed
    assert tables(tmp_path) == undisturbed


def test_several_associations_find_the_same(tmp_path: Path, undisturbed: dict[str, list[tuple[object, ...]]]) -> None:
    source = SimulatedSource(FormulaArchive(PLAN), ORDERS)
    with journal(tmp_path) as db:
        assert crawl(request(tmp_path, db, lambda: source, associations=3, **TERMS)).closed
    assert tables(tmp_path) == undisturbed


def test_a_second_crawl_keeps_the_surrogates_and_when_a_study_was_first_seen(tmp_path: Path) -> None:
    crawl_once(tmp_path)
    keys, first = column(tmp_path, "identities", "patient_key"), column(tmp_path, "studies", "first_seen_at")
    crawl_once(tmp_path)
    assert column(tmp_path, "identities", "patient_key") == keys
    assert column(tmp_path, "studies", "patient_key") == keys
    assert column(tmp_path, "studies", "first_seen_at") == first
    assert len(set(keys)) < len(keys)
