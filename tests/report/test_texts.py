"""The catalogue: whole in both languages, and nothing in it that nobody says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import migrate.report
from migrate.errors import UsageError
from migrate.report.texts import TEXTS, Words

FOLDER = Path(migrate.report.__file__).parent
CATALOGUE = {"texts.py", "phrases.py"}
MADE = ("level.", "book.", "word.", "summary.", "figure.", "table.", "empty.", "sign.", "grid.")


@pytest.mark.parametrize("key", TEXTS)
def test_a_text_has_the_same_places_in_both_languages(key: str) -> None:
    english, french = TEXTS[key]
    assert set(re.findall(r"\{(\w+)\}", english)) == set(re.findall(r"\{(\w+)\}", french))
    assert bool(english) == bool(french)


def test_every_text_is_said_somewhere() -> None:
    files = [path for path in FOLDER.rglob("*") if path.suffix in {".py", ".j2"} and path.name not in CATALOGUE]
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    quoted = set(re.findall(r"[\"']([\w.]+)[\"']", source))
    chapters = re.compile(r"\w+\.(title|lead)")
    unsaid = []
    for key in TEXTS:
        if key.startswith("watch."):
            continue  # a script says them: tests/cli/test_dashboard.py
        rest = key.partition(".")[2]
        said = key in quoted or (key.startswith(MADE) and not quoted.isdisjoint({rest, rest.rpartition(".")[2]}))
        if not said and not chapters.fullmatch(key):
            unsaid.append(key)
    assert unsaid == []


def test_a_language_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="no texts in this language"):
        Words("de")  # type: ignore[arg-type]
