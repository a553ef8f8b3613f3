"""The acceptance certificate as PDF: printed by a browser of this machine, or by WeasyPrint."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from migrate.errors import LocalError, UsageError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TIMEOUT_S = 120.0


def print_pdf(page: Path, browsers: Sequence[str] = BROWSERS) -> Path:
    """Print a page of ours into a PDF of the same name beside it.

    Args:
        page: The HTML file.
        browsers: Programs to print with, the first one that there is; without any, WeasyPrint prints.

    Raises:
        UsageError: There is neither a browser nor WeasyPrint.
        LocalError: Printing failed.
    """
    target = page.with_suffix(".pdf")
    browser = next(filter(None, map(shutil.which, browsers)), None)
    try:
        if browser:
            _by_browser(browser, page, target)
        else:
            importlib.import_module("weasyprint").HTML(filename=str(page)).write_pdf(str(target))
    except ImportError:
        hint = f"install Chromium or the package weasyprint, or open {page.name} in a browser and print it there"
        raise UsageError("nothing on this machine prints a PDF", hint, page=page.name) from None
    except (OSError, subprocess.SubprocessError) as error:
        raise LocalError("the PDF cannot be printed", file=target.name, reason=type(error).__name__) from None
    return target


def _by_browser(browser: str, page: Path, target: Path) -> None:
    part = target.with_name(f".{target.name}.part")
    with tempfile.TemporaryDirectory() as profile:
        words = [
            *(browser, "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
            *(
                "--no-pdf-header-footer",
                f"--user-data-dir={profile}",
                f"--print-to-pdf={part}",
                page.resolve().as_uri(),
            ),
        ]
        if os.geteuid() == 0:
            words.insert(1, "--no-sandbox")  # Chromium does not start as root with it; the page is our own
        subprocess.run(words, check=True, timeout=TIMEOUT_S, capture_output=True)  # noqa: S603 - a program found in PATH
    part.replace(target)
