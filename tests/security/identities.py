"""Names, numbers and birth dates of the patients of real objects, and where in a run folder they stand."""

from __future__ import annotations

import re
import sqlite3
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
import pydicom
from pydicom import config

from tests.corpus import CorpusObject

SHORTEST = 6
#: The two tables that hold identity by design (DESIGN section 6), and the objects themselves.
ALLOWED = ("manifests/identities/", "manifests/identity_changes/", "staging/")
#: What some object has for a name or a birth date and everybody else for something ordinary: a crawl begins in 1980.
ORDINARY = frozenset({"Anonymous", "Anonymized", "US Echo", "PLASTIC", "TEST", "19800101"})


def secrets(objects: Iterable[CorpusObject]) -> set[str]:
    """What must not be seen: texts long enough not to occur by chance.

    Left out is what some object has as study ID, description or date as well: there it is no secret.
    """
    found: set[str] = set()
    elsewhere: set[str] = set()
    with config.disable_value_validation():
        for one in objects:
            found |= {one.row["patient_id"], *_names(one.row["patient_name"])}
            try:
                dataset = pydicom.dcmread(one.path, stop_before_pixels=True, force=True)
                found.add(str(dataset.get("PatientBirthDate", "") or ""))
                elsewhere |= {str(element.value) for element in dataset if element.tag.group != 0x0010}
            except Exception:  # noqa: BLE001  a malformed object tells nothing
                continue
    return {text for text in found - elsewhere if len(text) >= SHORTEST and text not in ORDINARY}


def _names(value: str) -> set[str]:
    """A person name whole, and each of its component groups."""
    return {value, *(group.strip("^ ") for group in value.split("="))}


def pattern_of(texts: Iterable[str]) -> re.Pattern[str]:
    """Any of the texts, standing alone: digits inside a UID are no patient number."""
    options = "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))
    return re.compile(rf"(?<![\w.])(?:{options})(?![\w.])")


def seen(pattern: re.Pattern[str], places: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """Place -> what of the pattern stands there."""
    found: dict[str, set[str]] = defaultdict(set)
    for place, text in places:
        found[place].update(pattern.findall(text))
    return {place: hits for place, hits in found.items() if hits}


def places(run_folder: Path) -> Iterator[tuple[str, str]]:
    """(place, text) of every file of a run folder, decoded as its kind; file names are texts too."""
    for path in sorted(run_folder.rglob("*")):
        name = str(path.relative_to(run_folder))
        yield "file names", name
        if path.is_file() and not name.startswith(ALLOWED):
            for text in _texts(path):
                yield name, text


def _texts(path: Path) -> Iterator[str]:
    if path.suffix == ".parquet":
        for batch in pq.ParquetFile(path).iter_batches():
            yield from (str(column) for column in batch.to_pydict().values())
    elif path.name == "journal.sqlite":
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for table in tables:
                yield from (str(row) for row in db.execute(f"SELECT * FROM {table}"))
    elif path.suffix == ".xlsx":
        with zipfile.ZipFile(BytesIO(path.read_bytes())) as book:
            yield from (book.read(member).decode(errors="replace") for member in book.namelist())
    else:
        yield path.read_bytes().decode(errors="replace")
