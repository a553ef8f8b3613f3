"""A forecast against what really happened, and against queues whose answer is known."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrate.engine.hours import Hours
from migrate.engine.learning import STAGES, Places, Served
from migrate.engine.rates import eta
from migrate.engine.simulate import Forecast, WhatIf, _played, forecast
from migrate.journal import read
from tests.cli.inline import Said, say
from tests.engine.command import migrate
from tests.engine.migration import migrations
from tests.engine.objects import StudyRecipe
from tests.report.example import build_run

NIGHTS = ["Mon-Fri 19:00-06:00"]
NOON = datetime(2026, 8, 12, 19, 0, tzinfo=UTC)  # a Wednesday in Vancouver, noon


def served(**seconds: float) -> Served:
    return Served("CT", {stage: seconds.get(stage, 0.0) for stage in STAGES})


PLAYED = [
    (Places(source=2, destination=4, cpu=2), {"retrieve": 2.0, "upload": 1.0}, 100.0, "retrieve"),
    (Places(source=4, destination=4, cpu=2), {"retrieve": 2.0, "upload": 1.0}, 50.0, "retrieve"),
    (Places(source=2, destination=1, cpu=2), {"retrieve": 1.0, "upload": 1.0, "verify": 3.0}, 400.0, "verify"),
    (Places(source=2, destination=2, cpu=1), {"retrieve": 1.0, "normalize": 2.0, "checksum": 1.0}, 300.0, "normalize"),
]


@pytest.mark.parametrize(("places", "seconds", "expected_s", "bottleneck"), PLAYED)
def test_a_queue_takes_its_work_over_its_places_and_names_who_holds_it_up(
    places: Places, seconds: dict[str, float], expected_s: float, bottleneck: str
) -> None:
    work_s, busy = _played([served(**seconds)] * 30, Counter({"CT": 100}), places)
    assert work_s["p50"] == pytest.approx(expected_s, rel=0.1)
    assert max(busy, key=lambda stage: busy[stage]) == bottleneck


def test_what_cannot_be_played_one_by_one_is_scaled() -> None:
    places = Places(source=2, destination=4, cpu=2)
    work_s, _ = _played([served(retrieve=1.0)] * 30, Counter({"CT": 1_000_000}), places)
    assert work_s["p50"] == pytest.approx(500_000, rel=0.01)


def test_the_interval_is_wider_when_studies_differ_more() -> None:
    places = Places(source=1, destination=1, cpu=1)
    alike, _ = _played([served(retrieve=5.0)] * 30, Counter({"CT": 500}), places)
    mixed = [served(retrieve=0.5)] * 27 + [served(retrieve=45.5)] * 3
    apart, _ = _played(mixed, Counter({"CT": 500}), places)
    assert alike["p90"] - alike["p10"] < 1 < apart["p90"] - apart["p10"]


def test_open_time_passes_only_while_the_window_is_open() -> None:
    hours = Hours(NIGHTS, "America/Vancouver")
    assert hours.after(NOON, 3600).isoformat() == "2026-08-12T20:00:00-07:00"
    assert hours.after(NOON, 12 * 3600).isoformat() == "2026-08-13T20:00:00-07:00"
    week_s = 60 * hours.open_minutes_a_week
    assert hours.open_minutes_a_week == 5 * 11 * 60
    assert hours.after(NOON, 10 * week_s + 3600) == hours.after(NOON, 3600) + timedelta(weeks=10)


@settings(deadline=None, max_examples=20)
@given(st.sampled_from([[], NIGHTS, ["Sat-Sun 00:00-24:00"], ["Mon 01:00-01:30"]]), st.integers(0, 40_000))
def test_the_open_minutes_before_the_end_are_those_asked_for(lines: list[str], minutes: int) -> None:
    hours = Hours(lines, "Etc/UTC")
    minutes %= 3 * hours.open_minutes_a_week
    end = hours.after(NOON, 60 * minutes)
    passed = int((end - NOON).total_seconds() // 60)
    if passed < 20_000:
        assert sum(hours.open_at(NOON + timedelta(minutes=n)) for n in range(passed)) == minutes


FACTOR = 4


@dataclass(frozen=True)
class Halfway:
    """A run between embedded peers: half of it moved, forecast, and then moved to its end."""

    told: Forecast
    narrow: Forecast
    wide: Forecast
    quick: dict[str, str] | None
    said: Said
    took_s: float


@pytest.fixture(scope="module")
def halfway(tmp_path_factory: pytest.TempPathFactory) -> Halfway:
    with migrations(tmp_path_factory.mktemp("forecast")) as migration:
        one = migration([StudyRecipe(number=number, instances=2) for number in range(70)])
        folder, config, now = one.run.folder, one.run.config, datetime.now(UTC)
        assert migrate(folder, "run", "--limit", "35").code == 0
        told, quick = forecast(folder, config, now), eta(folder)
        less = WhatIf(source_associations=1, hours=("Mon-Sun 00:00-01:00",))
        narrow = forecast(folder, config, now, less)
        wide = forecast(folder, config, now, WhatIf(source_associations=16, destination_associations=16))
        said = say(folder, "--json", "plan", "--simulate", "--source-associations", "4", "--hours", "always")
        known = len(read.last_events(folder, 100_000))
        assert migrate(folder, "run").code == 0
    times = [datetime.fromisoformat(event["at"]) for event in read.last_events(folder, 100_000)[:-known]]
    took_s = (times[0] - times[-1]).total_seconds()
    return Halfway(told=told, narrow=narrow, wide=wide, quick=quick, said=said, took_s=took_s)


def test_a_forecast_is_within_a_factor_of_what_a_real_run_then_takes(halfway: Halfway) -> None:
    told = halfway.told
    assert told.studies == 35
    assert told.learnt_from > 20
    assert halfway.took_s / FACTOR < told.work_s["p50"] < halfway.took_s * FACTOR
    assert told.work_s["p10"] <= told.work_s["p50"] <= told.work_s["p90"]
    assert told.ends["p10"] <= told.ends["p50"] <= told.ends["p90"]
    assert told.bottleneck in STAGES
    assert halfway.quick is not None


def test_other_limits_are_played_with_the_times_that_were_learnt(halfway: Halfway) -> None:
    assert halfway.narrow.work_s["p50"] > halfway.wide.work_s["p50"]
    assert (halfway.narrow.places.source, halfway.wide.places.destination) == (1, 16)
    assert halfway.narrow.open_hours_a_week == 7


def test_the_command_says_what_if(halfway: Halfway) -> None:
    assert halfway.said.code == 0, halfway.said.stderr
    found = halfway.said.json["forecast"]
    assert (found["source_associations"], found["open_hours_a_week"]) == (4, 168)
    assert found["bottleneck"] in STAGES


@pytest.mark.parametrize(("hours", "code"), [("always", 2), ("sometimes", 2)])
def test_nothing_is_forecast_from_too_little(tmp_path: Path, hours: str, code: int) -> None:
    build_run(tmp_path, count=12)
    said = say(tmp_path, "plan", "--simulate", "--hours", hours)
    assert said.code == code
    assert "too little has been learnt" in said.stderr
