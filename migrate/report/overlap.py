"""Studies that somebody pays for twice: the same study in several sources, and repeated exams.

A repeated exam is a study of the same person, with the same modality and the same description, at
most so many days after another. People are compared by their surrogate keys, some at a time, so
that memory stays bounded; nothing of who they are is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from migrate.manifest.by_study import KEY, first_of
from migrate.manifest.ranges import Ranges, by_bounds, range_folder
from migrate.manifest.read import arrow_batches, count_rows
from migrate.manifest.schema import schema_of
from migrate.manifest.sizes import main_modality
from migrate.report.facts import Overlap

PATIENT = "patient_key"
COLUMNS = (KEY, PATIENT, "study_day", "modalities_in_study", "study_description", "crawl_id")
REPEATED_DAYS = 30
MOST_LINES = 5_000
STUDIES_AT_ONCE = 100_000
MOST_RANGES = 16**4  # by the first four digits of a key
ORDER = (PATIENT, "modality", "what", "study_day", KEY)


def overlap(run_folder: Path, days: int = REPEATED_DAYS, at_once: int = STUDIES_AT_ONCE) -> Overlap:
    """Count both over the whole archive.

    Args:
        run_folder: The run folder.
        days: How close two exams must be.
        at_once: About how many studies are in memory.

    Raises:
        FormatTooNew: A file was written by a newer version.
        ManifestDamaged: A file cannot be read.
        LocalError: The disk is full or not writable.
    """
    repeated: Counter[str] = Counter()
    lines: list[tuple[str, str, str, int]] = []
    shared: Counter[str] = Counter()
    more = 0
    for studies in _by_patient(run_folder, at_once):
        for names in _sources(studies):
            shared[names] += 1
        for line in _repeats(first_of(studies, [KEY], [("crawl_id", "descending")]), days):
            repeated[line[2]] += 1
            if len(lines) < MOST_LINES:
                lines.append(line)
            else:
                more += 1
    return Overlap(days=days, shared=dict(shared), repeated=dict(repeated), lines=sorted(lines), more_lines=more)


def _by_patient(run_folder: Path, at_once: int) -> Iterator[pa.Table]:
    """The studies, some patients at a time: keys are random hex digits, so equal ranges hold equal numbers."""
    ranges = min(MOST_RANGES, -(-count_rows(run_folder, "studies") // at_once))
    batches, names = partial(arrow_batches, run_folder, "studies"), [*COLUMNS, "source"]
    schema = pa.schema([*(schema_of("studies").field(name) for name in COLUMNS), pa.field("source", pa.string())])
    if ranges < 2:
        yield pa.Table.from_batches([batch.cast(schema) for batch in batches(names)], schema=schema)
        return
    bounds = [f"{MOST_RANGES * place // ranges:04x}" for place in range(1, ranges)]
    with range_folder(run_folder) as folder:
        laid = Ranges(folder / "patients", schema, PATIENT, by_bounds(bounds))
        laid.add(batches(names))
        for place in range(ranges):
            yield laid.take(place)


def _sources(studies: pa.Table) -> Iterator[str]:
    """For each study that several sources hold: their names, joined."""
    if len(pc.unique(studies["source"])) < 2:
        return
    found = studies.group_by(KEY).aggregate([("source", "distinct")])
    for names in found["source_distinct"].to_pylist():
        if len(names) > 1:
            yield " + ".join(sorted(names))


def _repeats(studies: pa.Table, days: int) -> Iterator[tuple[str, str, str, int]]:
    """(study, the one before it, modality, days between) of every repeated exam."""
    known = studies.filter(pc.and_(pc.is_valid(studies["study_day"]), pc.is_valid(studies[PATIENT])))
    modality = pa.array([main_modality(text) for text in known["modalities_in_study"].to_pylist()], pa.string())
    what = pc.utf8_upper(pc.utf8_trim_whitespace(pc.fill_null(known["study_description"], "")))
    known = known.append_column("modality", modality).append_column("what", what)
    known = known.filter(pc.not_equal(known["modality"], ""))
    known = known.sort_by([(name, "ascending") for name in ORDER])
    columns = [known[name].to_pylist() for name in ORDER]
    before: tuple[Any, ...] | None = None
    for patient, name, said, day, uid in zip(*columns, strict=True):
        if before and before[:3] == (patient, name, said) and (day - before[3]).days <= days:
            yield uid, str(before[4]), name, (day - before[3]).days
        before = (patient, name, said, day, uid)
