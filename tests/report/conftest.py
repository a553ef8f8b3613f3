"""One example run folder and its report for every test of the reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from migrate.report.write import ReportOptions, write_reports
from tests.report.example import Study, build_run
from tests.report.page import Page

NOW = datetime(2026, 4, 1, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Reported:
    """A run folder, the studies it was made of, and its report."""

    folder: Path
    studies: list[Study]
    files: list[Path]
    page: Page


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    """A run of 60 studies with hostile institution names, reported in English with viewer links."""
    folder = tmp_path_factory.mktemp("run")
    studies = build_run(folder, count=60, nasty=True)
    options = ReportOptions(viewer_url="https://viewer.example/s/{study_instance_uid}", now=NOW)
    files = write_reports(folder, options)
    return Reported(folder, studies, files, Page(files[0].read_text(encoding="utf-8")))
