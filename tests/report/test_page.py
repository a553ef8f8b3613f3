"""The HTML page: one file, no network, nothing of the archive runs in it, no identity."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from migrate.errors import UsageError
from migrate.manifest.place import Manifests
from migrate.manifest.write import write_part
from migrate.report.blocks import MAX_PAGE_ROWS
from migrate.report.facts import Differences, Exceptional, Facts
from migrate.report.html import Dress, render
from migrate.report.plain import shown
from migrate.report.sections import SECTIONS
from migrate.report.tables import write_tables
from migrate.report.texts import LANGUAGES, Language, Words
from migrate.report.write import ReportOptions, write_reports
from tests.report.conftest import NOW, Reported
from tests.report.example import NASTY, SOURCE, build_run
from tests.report.page import Page


def page_of(folder: Path, options: ReportOptions) -> Page:
    return Page(write_reports(folder, options)[0].read_text(encoding="utf-8"))


def test_the_page_names_no_address_but_the_viewer(reported: Reported) -> None:
    addresses = set(re.findall(r"https?://[\w.]+", reported.page.text.replace(r"http://x", "")))
    assert addresses == {"https://viewer.example"}


def test_the_page_loads_nothing(reported: Reported) -> None:
    assert not [attrs for tag, attrs in reported.page.tags if "src" in attrs or tag in {"iframe", "object", "embed"}]
    stylesheets = [attrs for tag, attrs in reported.page.tags if tag == "link"]
    assert [attrs["href"] for attrs in stylesheets] == ["data:,"]
    assert "@import" not in reported.page.text
    assert "url(" not in reported.page.text


def test_the_policy_allows_only_what_carries_the_nonce(reported: Reported) -> None:
    metas = {attrs.get("http-equiv"): attrs.get("content") or "" for tag, attrs in reported.page.tags if tag == "meta"}
    policy = metas["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    (nonce,) = set(re.findall(r"'nonce-([\w-]+)'", policy))
    for tag, attrs in reported.page.tags:
        if tag == "style" or (tag == "script" and attrs.get("type") != "application/json"):
            assert attrs["nonce"] == nonce


def test_no_element_carries_a_style_or_a_handler(reported: Reported) -> None:
    carried = {name for _, attrs in reported.page.tags for name in attrs}
    assert "style" not in carried
    assert not [name for name in carried if name.startswith("on")]


def test_hostile_text_is_shown_and_never_obeyed(reported: Reported) -> None:
    assert "<script>alert" not in reported.page.text
    assert "\u202e" not in reported.page.text
    facilities = [row[0] for row in reported.page.tables["facilities"]]
    assert shown(NASTY) in facilities
    assert "\\u202e" in shown(NASTY)
    assert "\\x0d\\x0a" in shown(NASTY)


def test_the_page_has_landmarks_captions_and_scopes(reported: Reported) -> None:
    tags = [tag for tag, _ in reported.page.tags]
    for landmark in ("header", "nav", "main", "footer"):
        assert tags.count(landmark) == 1
    assert tags.count("h1") == 1
    assert tags.count("caption") == tags.count("table")
    assert all("scope" in attrs for tag, attrs in reported.page.tags if tag == "th")
    assert all("aria-label" in attrs for tag, attrs in reported.page.tags if attrs.get("role") == "img")


def test_a_study_links_to_the_viewer(reported: Reported) -> None:
    uid = reported.page.tables["exceptions"][0][1]
    assert f"https://viewer.example/s/{uid}" in reported.page.links


def test_every_study_that_is_not_migrated_has_a_line(reported: Reported) -> None:
    aside = {study.uid for study in reported.studies if study.fate in {"QUARANTINED", "EXCLUDED"}}
    assert {row[1] for row in reported.page.tables["exceptions"]} == aside
    open_ones = sum(study.fate == "QUARANTINED" for study in reported.studies)
    assert reported.page.figures["exceptions.open"] == str(open_ones)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_figures_are_the_same_in_every_language(language: Language, reported: Reported, tmp_path: Path) -> None:
    build_run(tmp_path, count=60, nasty=True)
    page = page_of(tmp_path, ReportOptions(language=language, now=NOW))
    numbers = {key: value for key, value in page.figures.items() if key != "crawl.closed"}
    assert numbers == {key: value for key, value in reported.page.figures.items() if key != "crawl.closed"}
    assert f'<html lang="{language}">' in page.text


def text_of(path: Path) -> str:
    """Everything a reader could find in a report file; a workbook is unpacked."""
    if path.suffix == ".parquet":
        return json.dumps(pq.read_table(path).to_pylist(), ensure_ascii=False)
    if path.suffix != ".xlsx":
        return path.read_text(encoding="utf-8")
    with zipfile.ZipFile(path) as book:
        return "\n".join(book.read(name).decode("utf-8") for name in book.namelist())


def test_a_redacted_report_points_to_no_study(tmp_path: Path) -> None:
    studies = build_run(tmp_path, count=30, nasty=True)
    options = ReportOptions(redact=True, viewer_url="https://viewer.example/{study_instance_uid}", now=NOW)
    for path in write_reports(tmp_path, options):
        found = text_of(path)
        assert not [study.uid for study in studies if f"{study.uid}<" in found or f'{study.uid}"' in found]
        assert f"{studies[3].uid}" not in found
        assert "viewer.example" not in found
    assert "Redacted copy." in (tmp_path / "reports" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("redact", [False, True])
def test_no_report_holds_a_name_a_number_or_a_birth_date(redact: bool, tmp_path: Path) -> None:
    studies = build_run(tmp_path, count=12)
    uids = [study.uid for study in studies]
    canaries = {"patient_name": "CANARY^ZZQ", "patient_id": "9999999998", "patient_birth_date": "19011231"}
    identities = {name: [value] * len(uids) for name, value in canaries.items()}
    changes = {"before": ["CANARY^ZZQ"], "after": ["9999999998"], "study_instance_uid": uids[:1]}
    write_part(Manifests(tmp_path, SOURCE), "identities", "1", {"study_instance_uid": uids, **identities})
    write_part(Manifests(tmp_path, SOURCE), "identity_changes", "1", changes)
    for path in write_reports(tmp_path, ReportOptions(redact=redact, now=NOW)):
        assert not [value for value in canaries.values() if value in text_of(path)], path.name


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)//{study_instance_uid}", "https://viewer.example/", "file:///{study_instance_uid}"]
)
def test_an_address_that_is_no_viewer_is_refused(url: str, reported: Reported) -> None:
    with pytest.raises(UsageError, match="no address of a study viewer"):
        write_reports(reported.folder, ReportOptions(viewer_url=url))


def test_a_folder_without_manifests_is_no_run_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a run folder"):
        write_reports(tmp_path)


def test_a_run_that_has_only_begun_has_a_report(tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    page = page_of(tmp_path, ReportOptions(now=NOW))
    assert page.verdicts == ["no_balance", "no_balance"]
    assert page.figures["STUDY.source"] == "0"


def test_a_run_with_one_study_has_a_report(tmp_path: Path) -> None:
    build_run(tmp_path, count=1)
    page = page_of(tmp_path, ReportOptions(now=NOW))
    assert page.verdicts == ["complete", "complete"]
    assert page.figures["STUDY.migrated"] == "1"


def test_fifty_thousand_lines_are_in_the_page_and_every_line_in_the_files(tmp_path: Path) -> None:
    lines = [
        Exceptional(
            exception_class="CORRUPT",
            study_instance_uid=f"1.2.{n}",
            state="QUARANTINED",
            facility="",
            detail="",
            since="2026-01-01T00:00:00",
            age_days=1,
        )
        for n in range(MAX_PAGE_ROWS + 7)
    ]
    facts = Facts(name="n", source="S", destination="D", generated_at="now", exceptions=lines)
    words = Words("en")
    section = SECTIONS["exceptions"](facts, words)
    page = Page(render([section], facts, words, Dress()))
    assert [row[1] for row in page.tables["exceptions"]] == [f"1.2.{n}" for n in range(MAX_PAGE_ROWS)]
    assert "7 further rows are in exceptions.csv." in page.text
    write_tables(tmp_path, [section])
    with (tmp_path / "exceptions.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row[1] for row in csv.reader(file)][1:] == [line.study_instance_uid for line in lines]
    assert len(json.loads((tmp_path / "exceptions.json").read_text(encoding="utf-8"))) == len(lines)


def test_rows_that_no_file_has_are_told() -> None:
    found = Differences(counts={("IMAGE", "missing"): 9}, lines=[("IMAGE", "1.2", "missing", "", "")], more_lines=8)
    facts = Facts(name="n", source="S", destination="D", generated_at="now", differences=found)
    words = Words("en")
    page = Page(render([SECTIONS["differences"](facts, words)], facts, words, Dress()))
    assert "8 further rows are in the run folder&#39;s Parquet tables only." in page.text


def test_a_short_table_that_stays_as_it_is_shows_all_its_rows(reported: Reported) -> None:
    with (reported.folder / "reports" / "config.csv").open(encoding="utf-8-sig", newline="") as file:
        settings = list(csv.reader(file))[1:]
    assert len(settings) > 25
    assert [row[0] for row in reported.page.tables["config"]] == [row[0] for row in settings]


def test_a_machine_that_prints_no_pdf_says_what_to_install(reported: Reported, tmp_path: Path) -> None:
    page = tmp_path / "certificate.html"
    page.write_text((reported.folder / "reports" / "certificate.html").read_text(encoding="utf-8"), encoding="utf-8")
    code = (
        "import sys; sys.modules['weasyprint'] = None\n"
        "from pathlib import Path\nfrom migrate.errors import UsageError\nfrom migrate.report.pdf import print_pdf\n"
        f"try:\n    print_pdf(Path({str(page)!r}))\n"
        "except UsageError as error:\n    print(error, '|', error.hint)\n"
    )
    env = {**os.environ, "PATH": str(tmp_path)}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert "nothing on this machine prints a PDF" in found.stdout
    assert "install Chromium or the package weasyprint, or open certificate.html" in found.stdout
