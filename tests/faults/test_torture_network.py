"""Connections spoilt at random bytes between us and source, destination and receiver; a small soak."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.torture.network import Weather, spoil, standing_behind_proxies
from benchmarks.torture.outcome import Budget
from benchmarks.torture.soak import INSTANCES_PER_STUDY, soak
from benchmarks.torture.stand import Order, recipes
from tests.engine.objects import SR

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("torture"), pytest.mark.timeout(600)]
CUTS = 15


def test_connections_cut_reset_or_slowed_anywhere_cost_time_and_nothing_else(tmp_path: Path) -> None:
    with standing_behind_proxies(tmp_path) as (stand, proxies):
        outcome = spoil(stand, Weather(proxies), Budget(CUTS), random.Random(3))
    assert outcome.clean, outcome
    assert outcome.tried >= CUTS


def test_six_hundred_instances_with_faults_every_few_seconds_end_balanced_with_flat_descriptors(
    tmp_path: Path,
) -> None:
    order = Order(studies=recipes(600 // INSTANCES_PER_STUDY, INSTANCES_PER_STUDY, (SR,)), undisturbed=False)
    with standing_behind_proxies(tmp_path, order) as (stand, proxies):
        outcome = soak(stand, proxies, random.Random(4))
    assert outcome.clean, outcome
    assert outcome.facts["C-STORE per instance without faults"] == "1.000"
    before, after = outcome.facts["most descriptors with faults, second and last third"].split(", ")
    assert int(after) <= int(before) + 16, "descriptors grow"
