"""The report as one HTML file that needs nothing but a browser.

The page carries its style, its script and its rows; its policy (`default-src 'none'`) lets nothing
else in, and only the style and the script that carry this page's nonce run. Text of the archive
passes autoescape and `plain.shown`; rows reach the script as JSON and the page as text.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote, urlsplit

import jinja2
from markupsafe import Markup

from migrate.errors import UsageError
from migrate.report import figures
from migrate.report.blocks import Row, Section, Table
from migrate.report.facts import LEVELS, Facts
from migrate.report.plain import shown
from migrate.report.texts import Words

MARKS = {"good": "\u2713", "warn": "!", "bad": "\u2717", "calm": "\u2022"}
PLACE = "{study_instance_uid}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Dress:
    """How the page is made: the DI viewer's URL with `{study_instance_uid}`, or none."""

    viewer_url: str | None = None
    redacted: bool = False
    version: str = ""


def render(sections: Sequence[Section], facts: Facts, words: Words, dress: Dress) -> str:
    """The whole page."""
    return template("report.html.j2").render(
        facts=facts,
        sections=sections,
        words=words,
        version=dress.version,
        redacted=dress.redacted,
        nonce=secrets.token_urlsafe(16),
        style=Markup(_source("style.css")),  # noqa: S704  our own file
        script=Markup(_source("grid.js")),  # noqa: S704  our own file
        grid_words=_grid_words(words, dress),
        written=lambda value, kind: figures.written(value, kind, words.language),
        whole_share=lambda value: figures.share(value, words.language, places=0),
        link=lambda uid: link(uid, dress.viewer_url),
        plain_rows=plain_rows,
        shown=shown,
        marks=MARKS,
    )


def link(uid: object, viewer_url: str | None) -> str:
    """Where the viewer shows a study; empty without a viewer."""
    return viewer_url.replace(PLACE, quote(str(uid), safe="")) if viewer_url and uid else ""


def plain_rows(table: Table) -> list[Row]:
    """The rows for the script: numbers stay numbers, text is made fit to be shown."""
    return [
        tuple(value if column.numeric else shown(value) for value, column in zip(row, table.columns, strict=True))
        for row in table.page_rows
    ]


def _grid_words(words: Words, dress: Dress) -> dict[str, object]:
    names = ("filter", "previous", "next")
    return {
        **{name: words(f"grid.{name}") for name in names},
        "rows": words("grid.rows", shown="{shown}", total="{total}"),
        "page": words("grid.page", page="{page}", pages="{pages}"),
        "language": words.language,
        "levels": {level: words(f"level.{level}") for level in LEVELS},
        "units": figures.units(words.language),
        "viewer": dress.viewer_url,
    }


def viewer_checked(url: str | None) -> str | None:
    """The viewer's address as given.

    Raises:
        UsageError: It is not an http(s) address with a place for the study.
    """
    if url is not None and (urlsplit(url).scheme not in {"http", "https"} or PLACE not in url):
        hint = f"for example https://viewer.example/study/{PLACE}"
        raise UsageError("this is no address of a study viewer", hint, viewer_url=url)
    return url


def template(name: str) -> jinja2.Template:
    """One of our templates, autoescaped."""
    return _environment().get_template(name)


@cache
def _environment() -> jinja2.Environment:
    loader = jinja2.PackageLoader("migrate.report", "templates")
    return jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)


def _source(name: str) -> str:
    environment = _environment()
    loader = environment.loader
    return loader.get_source(environment, name)[0] if loader else ""
