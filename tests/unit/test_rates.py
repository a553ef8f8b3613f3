"""How quick a run is and when it may end, from what the journal says."""

from __future__ import annotations

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from migrate.engine.rates import eta, rates
from migrate.journal import events as e
from migrate.journal.opening import FILE_NAME
from migrate.journal.store import Journal
from tests.engine.events import MAKERS, straight

BEGAN = datetime.fromisoformat("2026-08-12T20:00:00.000+00:00")


def paced(folder: Path, ended: int, left: int, gap_s: float) -> None:
    """`ended` studies whose events lie `gap_s` apart, and `left` that are planned."""
    with Journal(folder) as journal:
        for number in range(ended):
            journal.append(straight(f"1.{number}"))
        journal.append([event for number in range(left) for event in straight(f"2.{number}", e.Planned)])
    with sqlite3.connect(folder / FILE_NAME) as db:
        last = db.execute("SELECT max(seq) FROM events WHERE kind = 'Verified'").fetchone()[0] or 0
        for [seq] in db.execute("SELECT seq FROM events").fetchall():
            # eight events a study
            at = BEGAN + timedelta(seconds=gap_s * min(seq, last) / 8)
            db.execute("UPDATE events SET at = ? WHERE seq = ?", (at.isoformat(timespec="milliseconds"), seq))
    db.close()


def test_an_empty_run_folder_has_no_rate_and_no_end(tmp_path: Path) -> None:
    assert rates(tmp_path) == {}
    assert eta(tmp_path) is None


def test_rates_are_instances_and_bytes_over_the_time_in_which_something_happened(tmp_path: Path) -> None:
    paced(tmp_path, ended=40, left=0, gap_s=2.0)
    found = rates(tmp_path)
    assert set(found) == {"retrieve", "normalize", "upload", "verify"}
    for rate in found.values():
        assert rate["instances_per_s"] == pytest.approx(1.0, rel=0.05)


def test_every_stage_moves_the_bytes_of_what_was_received(tmp_path: Path) -> None:
    paced(tmp_path, ended=40, left=0, gap_s=2.0)
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        db.execute("UPDATE events SET payload = json_set(payload, '$.size_bytes', 4000000) WHERE kind = 'Retrieved'")
    db.close()
    for rate in rates(tmp_path).values():
        assert rate["mb_per_s"] == pytest.approx(2.0, rel=0.05)


def test_bytes_are_not_told_where_nothing_says_how_large_anything_was(tmp_path: Path) -> None:
    paced(tmp_path, ended=4, left=0, gap_s=2.0)
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        db.execute("DELETE FROM events WHERE kind = 'Retrieved'")
    db.close()
    assert {rate["mb_per_s"] for rate in rates(tmp_path).values()} == {None}


def test_a_night_in_which_nothing_happened_does_not_slow_the_rate(tmp_path: Path) -> None:
    paced(tmp_path, ended=40, left=0, gap_s=2.0)
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        for seq, at in db.execute("SELECT seq, at FROM events WHERE seq > 160").fetchall():
            later = (datetime.fromisoformat(at) + timedelta(hours=9)).isoformat(timespec="milliseconds")
            db.execute("UPDATE events SET at = ? WHERE seq = ?", (later, seq))
    db.close()
    assert rates(tmp_path)["verify"]["instances_per_s"] == pytest.approx(1.0, rel=0.05)


def test_the_end_is_a_range_around_what_is_left_times_the_pace(tmp_path: Path) -> None:
    paced(tmp_path, ended=40, left=100, gap_s=3.0)
    found = eta(tmp_path)
    assert found is not None
    p10, p50, p90 = (datetime.fromisoformat(found[name]) for name in ("p10", "p50", "p90"))
    assert p10 <= p50 <= p90
    newest = BEGAN + timedelta(seconds=3.0 * 40)
    assert (p50 - newest).total_seconds() == pytest.approx(300, rel=0.05)


def test_the_same_run_folder_gives_the_same_answer(tmp_path: Path) -> None:
    paced(tmp_path, ended=40, left=10, gap_s=1.0)
    assert eta(tmp_path) == eta(tmp_path)


@pytest.mark.parametrize(("ended", "left"), [(5, 100), (40, 0)], ids=["few have ended", "nothing is left"])
def test_no_end_is_told_when_it_would_be_a_guess(tmp_path: Path, ended: int, left: int) -> None:
    paced(tmp_path, ended, left, gap_s=1.0)
    assert eta(tmp_path) is None


def test_quarantined_studies_count_as_ended(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        for number in range(30):
            journal.append([*straight(f"1.{number}", e.Planned), MAKERS[e.Quarantined](f"1.{number}")])
        journal.append(straight("2.1", e.Planned))
    assert eta(tmp_path) is not None
