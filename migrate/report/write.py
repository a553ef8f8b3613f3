"""The report set of a run folder: one HTML page, and its tables as CSV, JSON and XLSX."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from migrate.report.facts import Facts, Predicted
from migrate.report.gather import gather
from migrate.report.html import Dress, render, viewer_checked
from migrate.report.run import open_run
from migrate.report.sections import SECTIONS
from migrate.report.tables import write_tables, write_text
from migrate.report.texts import Language, Words

CERTIFICATE = "certificate.html"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportOptions:
    """How reports are made.

    `redact` leaves out what points to single patients: UIDs, details that name them, viewer links.
    Names, numbers and birth dates of patients are in no report. `viewer_url` is an address with
    `{study_instance_uid}`. `forecast` is shown with the progress.
    """

    redact: bool = False
    language: Language = "en"
    viewer_url: str | None = None
    forecast: Predicted | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))


def write_reports(run_folder: Path, options: ReportOptions | None = None) -> list[Path]:
    """Write `reports/report.html` and the tables; the page comes first in the list.

    Raises:
        UsageError: No run folder, an unknown language, or no address of a viewer.
        ManifestDamaged, JournalError: Something cannot be read.
        LocalError: A report cannot be written.
    """
    chosen = options or ReportOptions()
    words, viewer_url = Words(chosen.language), viewer_checked(chosen.viewer_url)
    facts = replace(gather(open_run(run_folder), chosen.now), forecast=chosen.forecast)
    if chosen.redact:
        facts = redacted(facts)
    sections = [make(facts, words) for make in SECTIONS.values()]
    versions = dict(facts.versions)
    dress = Dress(
        viewer_url=None if chosen.redact else viewer_url, redacted=chosen.redact, version=versions["cdi-migrate"]
    )
    folder = run_folder / "reports"
    page = write_text(folder / "report.html", render(sections, facts, words, dress))
    write_text(folder / CERTIFICATE, render([s for s in sections if s.key == "certificate"], facts, words, dress))
    return [page, folder / CERTIFICATE, *write_tables(folder, sections)]


def redacted(facts: Facts) -> Facts:
    """The same facts without anything that points to a single study: lines are numbered instead."""
    differing = [(f"#{n}", outcome, tags) for n, (_, outcome, tags) in enumerate(facts.fidelity.differing, 1)]
    lines = [(level, f"#{n}", out, cls, "") for n, (level, _, out, cls, _) in enumerate(facts.differences.lines, 1)]
    exceptions = [replace(e, study_instance_uid=f"#{n}", detail="") for n, e in enumerate(facts.exceptions, 1)]
    return replace(
        facts,
        exceptions=exceptions,
        fidelity=replace(facts.fidelity, differing=differing),
        differences=replace(facts.differences, lines=lines),
        overlap=replace(
            facts.overlap,
            lines=[(f"#{n}", "", name, days) for n, (_, _, name, days) in enumerate(facts.overlap.lines, 1)],
        ),
    )
