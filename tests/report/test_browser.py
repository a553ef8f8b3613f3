"""The report in a real browser: offline, quiet, sortable, filterable, readable on phone and paper."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import shutil
import subprocess
import tarfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from migrate.cli.app import Session
from migrate.cli.dashboard import site
from migrate.cli.pages import Pages
from migrate.manifest.schema import TABLES
from migrate.model import ExceptionClass
from migrate.report.facts import Digest, Exceptional, Facts
from migrate.report.html import Dress, render
from migrate.report.pdf import BROWSERS, print_pdf
from migrate.report.sections import SECTIONS
from migrate.report.texts import Words
from migrate.report.write import CERTIFICATE
from tests.report.conftest import Reported

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MANY = 50_000
LINE = Exceptional(
    exception_class="CORRUPT",
    study_instance_uid="",
    state="QUARANTINED",
    facility="General",
    detail="31 of 32 instances arrived",
    since="2026-03-01T00:00:00+00:00",
    age_days=1,
)

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        reason = "needs Chromium: apt-get install chromium"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    from playwright.sync_api import sync_playwright  # noqa: PLC0415  without a browser nobody needs it

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield started
        started.close()


@dataclass
class Opened:
    """A page from file://, and everything it asked for or complained about."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def rows(self, key: str) -> list[list[str]]:
        """The visible rows of one table."""
        rows = self.page.locator(f'table[data-table="{key}"] > tbody > tr').all()
        return [row.locator("td").all_inner_texts() for row in rows]

    def filter(self, key: str, text: str) -> None:
        """Type into a table's filter and wait for the answer."""
        self.page.locator(f'[data-grid="{key}"] input').fill(text)
        self.page.wait_for_timeout(200)

    def sort(self, key: str, column: int) -> None:
        """Click a column's head."""
        self.page.locator(f'table[data-table="{key}"] th button').nth(column).click()


def opened(browser: Browser, path: Path, width: int = 1280, scheme: str = "light") -> Opened:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)  # type: ignore[arg-type]
    found = Opened(context.new_page())
    found.page.on("request", lambda request: found.requests.append(request.url))
    found.page.on("console", lambda message: found.complaints.append(message.text))
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    found.page.goto(path.as_uri())
    return found


@pytest.fixture
def report(browser: Browser, reported: Reported) -> Iterator[Opened]:
    found = opened(browser, reported.files[0])
    yield found
    found.page.context.close()


def test_the_page_asks_for_nothing_and_complains_about_nothing(report: Opened, reported: Reported) -> None:
    assert [url for url in report.requests if not url.startswith("data:")] == [reported.files[0].as_uri()]
    assert report.complaints == []


def test_the_figures_on_the_screen_are_those_of_the_file(report: Opened, reported: Reported) -> None:
    for key, value in reported.page.figures.items():
        shown = report.page.locator(f'[data-figure="{key}"]').first
        assert shown.get_attribute("data-value") == value
    source = report.page.locator('[data-figure="STUDY.source"]').inner_text()
    assert source == str(len(reported.studies))


def test_a_filter_keeps_the_rows_that_hold_every_word(report: Opened, reported: Reported) -> None:
    report.filter("balance", "instances surrey")
    lines = [row for row in reported.page.tables["balance"] if row[3] == "IMAGE" and "Surrey" in row[2]]
    assert len(report.rows("balance")) == len(lines) > 0
    status = report.page.locator('[data-grid="balance"] output').inner_text()
    assert status == f"{len(lines)} of {len(reported.page.tables['balance'])} rows"
    report.filter("balance", "no such word")
    assert report.rows("balance") == []
    report.filter("balance", "")
    assert len(report.rows("balance")) == 25


def test_a_click_on_a_head_sorts_by_value_and_says_so(report: Opened, reported: Reported) -> None:
    report.sort("balance", 4)
    largest = sorted((row[4] for row in reported.page.tables["balance"]), reverse=True)[:25]
    shown = report.page.locator('table[data-table="balance"] tbody td:nth-child(5)')
    assert [int(cell.get_attribute("data-value") or "") for cell in shown.all()] == largest
    head = report.page.locator('table[data-table="balance"] th').nth(4)
    assert head.get_attribute("aria-sort") == "descending"
    report.sort("balance", 4)
    assert head.get_attribute("aria-sort") == "ascending"


def test_tables_are_reached_and_sorted_with_the_keyboard(report: Opened) -> None:
    button = report.page.locator('table[data-table="held"] th button').first
    button.focus()
    report.page.keyboard.press("Enter")
    names = [row[0] for row in report.rows("held")]
    assert names == sorted(names)


def test_the_script_writes_numbers_as_the_page_did_without_it(browser: Browser, reported: Reported) -> None:
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(reported.files[0].as_uri())
    plain, scripted = Opened(page), opened(browser, reported.files[0])
    for key in ("held", "facilities", "axes", "rates", "exceptions"):
        assert plain.rows(key) == scripted.rows(key)
    assert plain.rows("balance") == scripted.rows("balance")
    context.close()
    scripted.page.context.close()


TOO_WIDE = """[...document.querySelectorAll("table")]
  .filter((one) => one.scrollWidth > one.parentElement.clientWidth + 1).map((one) => one.caption?.innerText)"""


def test_no_table_of_figures_hides_columns_on_a_desktop(report: Opened) -> None:
    assert set(report.page.evaluate(TOO_WIDE)) <= {"Register"}  # as wide as what people write in it


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (768, "light"), (1280, "dark")])
def test_the_page_is_never_wider_than_the_screen(browser: Browser, reported: Reported, width: int, scheme: str) -> None:
    report = opened(browser, reported.files[0], width, scheme)
    assert report.page.evaluate("document.documentElement.scrollWidth") <= width
    background = report.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(16, 23, 29)") == (scheme == "dark")
    report.page.context.close()


A4 = 297 / 210


def test_the_certificate_stands_on_its_own_sheet_of_paper(report: Opened) -> None:
    report.page.emulate_media(media="print")
    certificate = report.page.locator("#certificate")
    assert certificate.evaluate("element => getComputedStyle(element).breakBefore") == "page"
    assert report.page.locator(".contents").is_hidden()
    assert certificate.evaluate("element => element.offsetHeight / element.offsetWidth") < A4


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The rules of axe-core, from $AXE_CORE or the npm registry; skipped where neither can be had."""
    if path := os.environ.get("AXE_CORE"):
        return Path(path).read_text(encoding="utf-8")
    folder = tmp_path_factory.mktemp("axe")
    try:
        words = ["npm", "pack", "axe-core@4", "--silent"]
        subprocess.run(words, cwd=folder, check=True, timeout=60, capture_output=True)
        with tarfile.open(next(folder.glob("axe-core-*.tgz"))) as packed:
            file = packed.extractfile("package/axe.min.js")
            assert file is not None
            return file.read().decode()
    except (OSError, subprocess.SubprocessError, StopIteration) as error:
        pytest.skip(f"axe-core cannot be had: {type(error).__name__}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Browser, reported: Reported, axe: str, scheme: str) -> None:
    report = opened(browser, reported.files[0], scheme=scheme)
    report.page.evaluate(axe)
    found = report.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    serious = [
        (one["id"], one["help"], [node["target"] for node in one["nodes"]][:3])
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]
    report.page.context.close()
    assert serious == []


def crowded_certificate() -> str:
    """The certificate of a run in which everything happened: every class of exception, every table written."""
    exceptions = [replace(LINE, exception_class=one.value) for one in ExceptionClass]
    digests = [Digest(table=table, files=1_000, rows=10**9, xxh3="0" * 32) for table in TABLES]
    facts, words = Facts(name="all", source="S", destination="D", generated_at="2026-03-01 12:00 UTC"), Words("en")
    facts = replace(facts, exceptions=exceptions, digests=digests)
    return render([SECTIONS["certificate"](facts, words)], facts, words, Dress())


@pytest.mark.parametrize("printer", ["browser", "weasyprint"])
@pytest.mark.parametrize("of", ["the example", "everything"])
def test_the_certificate_is_one_printed_page(printer: str, of: str, reported: Reported, tmp_path: Path) -> None:
    if printer == "browser" and not any(map(shutil.which, BROWSERS)):
        pytest.skip("needs Chromium: apt-get install chromium")
    if printer == "weasyprint" and not prints("weasyprint"):
        pytest.skip("needs WeasyPrint and Pango: apt-get install libpango-1.0-0")
    page = tmp_path / CERTIFICATE
    example = (reported.folder / "reports" / CERTIFICATE).read_text(encoding="utf-8")
    page.write_text(example if of == "the example" else crowded_certificate(), encoding="utf-8")
    content = print_pdf(page, BROWSERS if printer == "browser" else ()).read_bytes()
    assert content.startswith(b"%PDF-")
    assert pages_of(content) == 1


def prints(package: str) -> bool:
    """It is installed, with the system's libraries that it needs."""
    try:
        return importlib.import_module(package) is not None
    except (ImportError, OSError):
        return False


def pages_of(pdf: bytes) -> int:
    """The page objects of a PDF, those in compressed object streams included (ISO 32000-1 7.5.7)."""
    parts = [pdf]
    for found in re.finditer(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        with contextlib.suppress(zlib.error):
            parts.append(zlib.decompressobj().decompress(found[1]))
    return sum(len(re.findall(rb"/Type\s*/Page\b", part)) for part in parts)


LONG_UIDS = """async () => {
  const found = await (await fetch("status.json?token=t")).json();
  const latest = [{at: found.at, exception_class: "CORRUPT", uid: "1.2.".repeat(16)}];
  draw({...found, eta: null, states: {VERIFIED: 3, QUARANTINED: 1, EXCLUDED: 2}, last_exceptions: latest});
  const times = [...document.querySelectorAll("[data-card=latest] dd")];
  const over = document.querySelector("[data-card=eta]").innerText;
  return [document.documentElement.scrollWidth, Math.max(...times.map((one) => one.offsetHeight)), over];
}"""


def test_the_dashboard_draws_itself_and_says_when_it_lost_its_server(browser: Browser, reported: Reported) -> None:
    with Pages(site(Session(run=reported.folder), "t", "fr")) as pages:
        context = browser.new_context(viewport={"width": 390, "height": 900})
        page, complaints = context.new_page(), list[str]()
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(f"http://127.0.0.1:{pages.port}/?token=t")
        page.wait_for_selector('[data-card="states"] dd')
        studies = page.locator('[data-card="states"]').inner_text()
        assert "VERIFIED" in studies
        assert page.locator("h1").inner_text() == "Migration sample-2026"
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        width, tallest, over = page.evaluate(LONG_UIDS)
        assert width <= 390
        assert "il ne reste rien à migrer" in over
        assert tallest < 100  # a time stands on a line or two, not one letter above the other
        assert complaints == []
    page.wait_for_selector("#when.lost", timeout=10_000)
    assert "Pas de réponse" in page.locator("#when").inner_text()
    context.close()


def test_fifty_thousand_lines_stay_quick(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(_large_page(), encoding="utf-8")
    began = time.monotonic()
    report = opened(browser, path)
    assert report.page.locator('[data-grid="exceptions"] output').inner_text() == "50,000 of 50,000 rows"
    assert time.monotonic() - began < 8
    began = time.monotonic()
    report.sort("exceptions", 6)
    report.filter("exceptions", "1.2.49999")
    assert [row[1] for row in report.rows("exceptions")] == ["1.2.49999"]
    assert time.monotonic() - began < 4
    report.page.context.close()


def _large_page() -> str:
    lines = [replace(LINE, study_instance_uid=f"1.2.{n}", age_days=n % 90) for n in range(MANY)]
    facts = Facts(name="large", source="S", destination="D", generated_at="", exceptions=lines)
    words = Words("en")
    return render([SECTIONS["exceptions"](facts, words)], facts, words, Dress())
