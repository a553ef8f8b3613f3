"""What reconcile writes down about the proof, and how the report says it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from migrate.checks.acceptance import write_acceptance
from migrate.manifest.place import Manifests
from migrate.manifest.read import read_table
from migrate.report.write import ReportOptions, write_reports
from tests.cli.inline import say
from tests.engine.inline import run_inline
from tests.engine.migration import Migrate
from tests.engine.objects import SR, StudyRecipe, many

NOW = datetime(2026, 3, 4, tzinfo=UTC)
TERMS = (0.001, 0.95)


def page(folder: Path) -> str:
    return write_reports(folder, ReportOptions(now=NOW))[0].read_text(encoding="utf-8")


def test_reconcile_writes_the_bound_by_stratum_and_the_report_says_it(migration: Migrate) -> None:
    one = migration([*many(2, instances=1), StudyRecipe(number=26, file=SR, instances=1)])
    assert run_inline(one.run) is None
    result = say(one.run.folder, "--json", "reconcile").json
    assert (result["acceptance"]["compared"], result["acceptance"]["bound"]) == (3, 0.0)
    whole, *strata = read_table(one.run.folder, "acceptance").to_pylist()
    assert (whole["scope"], whole["studies"], whole["max_defect_rate"]) == ("all", 3, 0.001)
    assert sum(row["studies"] for row in strata) == 3
    text = page(one.run.folder)
    assert "Compared by content: all 3 studies; 0 differ." in text
    assert "structured_report" in text


def test_where_only_lists_were_believed_nothing_was_compared(migration: Migrate) -> None:
    one = migration(many(1, instances=1), {"destination": {"verify": "c-find"}})
    assert run_inline(one.run) is None
    found = write_acceptance(Manifests(one.run.folder, "TEST"), TERMS)
    assert (found.studies, found.compared, found.bound) == (1, 0, 1.0)
    assert "Compared by content: 0 of 1 studies" in page(one.run.folder)


@pytest.mark.parametrize("orders", [{"flip_bit_every": 1}, {"drop_every": 1}], ids=["other content", "gone"])
def test_a_study_that_was_found_to_differ_counts_as_defective(migration: Migrate, orders: dict[str, object]) -> None:
    one = migration(many(1, instances=1), {"limits": {"attempts": 1}}, dir_={"store": orders})
    assert run_inline(one.run) is None
    found = write_acceptance(Manifests(one.run.folder, "TEST"), TERMS)
    assert (found.studies, found.compared, found.defective, found.bound) == (1, 1, 1, 1.0)
