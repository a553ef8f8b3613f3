"""Those who come first: a CSV file with patient ids or Study Instance UIDs, and what a worklist said.

Patient ids are looked up in `identities` and left there: what comes out are surrogate keys and line
numbers. No message says what a line holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from migrate.errors import ConfigError, UsageError
from migrate.manifest.read import batches
from migrate.report.sheet import csv_rows
from migrate.stages.plan import Booked

UID, PATIENT, ISSUER = "study_instance_uid", "patient_id", "issuer_of_patient_id"
WORKLIST = "worklist.csv"  # below the run folder: the last answer of a Modality Worklist
_UID = re.compile(r"[0-9]+(\.[0-9]+){3,}")


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    uid: str = ""
    patient_id: str = ""
    issuer: str = ""


def read_booked(run_folder: Path, path: Path) -> Booked:
    """Read the list and find its patients among those that the crawl saw.

    A first row that names a column `patient_id` or `study_instance_uid` is a heading (and may name
    `issuer_of_patient_id`); without one the first column holds either, told apart by its form.

    Raises:
        ConfigError: The file cannot be read, or is empty.
        ManifestDamaged: The tables cannot be read.
    """
    try:
        lines = list(_lines(path))
    except (OSError, UsageError) as error:
        raise ConfigError(
            "the list of booked patients cannot be read", file=path.name, reason=type(error).__name__
        ) from None
    if not lines:
        raise ConfigError("the list of booked patients is empty", file=path.name)
    return _matched(run_folder, lines)


def read_worklist(run_folder: Path) -> Booked | None:
    """Those whom the last `plan --worklist` found; None when nobody asked yet. Nobody booked is no error.

    A study whose issuer the archive does not state is theirs as well: to be moved too early costs nothing.

    Raises:
        ConfigError: The list cannot be read.
        ManifestDamaged: The tables cannot be read.
    """
    path = run_folder / WORKLIST
    if not path.exists():
        return None
    try:
        lines = list(_lines(path))
    except (OSError, UsageError) as error:
        hint = "make it again with: migrate plan --worklist"
        raise ConfigError("the kept worklist cannot be read", hint, reason=type(error).__name__) from None
    found = _matched(run_folder, lines, issuer_may_lack=True)
    return Booked(
        studies=found.studies,
        patient_keys=found.patient_keys,
        scheduled=found.lines,
        strangers=len(found.unmatched),
    )


def joined(list_of_people: Booked | None, worklist: Booked | None) -> Booked | None:
    """Who is on either."""
    if list_of_people is None or worklist is None:
        return list_of_people or worklist
    return replace(
        list_of_people,
        patient_keys=list_of_people.patient_keys | worklist.patient_keys,
        scheduled=worklist.scheduled,
        strangers=worklist.strangers,
    )


def _lines(path: Path) -> Iterator[_Line]:
    rows = [(number, [cell.strip() for cell in map(str, row)]) for number, row in enumerate(csv_rows(path), 1)]
    heads = [cell.lower().replace(" ", "_") for cell in rows[0][1]] if rows else []
    named = UID in heads or PATIENT in heads
    for number, cells in rows[1 if named else 0 :]:
        values = dict(zip(heads, cells, strict=False)) if named else _by_form(cells[0] if cells else "")
        if values.get(UID) or values.get(PATIENT):
            yield _Line(number, values.get(UID, ""), values.get(PATIENT, ""), values.get(ISSUER, ""))


def _by_form(cell: str) -> Mapping[str, str]:
    return {UID if _UID.fullmatch(cell) else PATIENT: cell}


def _matched(run_folder: Path, lines: list[_Line], *, issuer_may_lack: bool = False) -> Booked:
    by_uid = {line.uid: line.number for line in lines if line.uid}
    by_patient: dict[str, list[_Line]] = {}
    for line in lines:
        if line.patient_id and not line.uid:
            by_patient.setdefault(line.patient_id, []).append(line)
    studies, keys, seen = set(), set(), set()
    for part in batches(run_folder, "identities", [UID, "patient_key", PATIENT, ISSUER]):
        for uid, key, patient_id, issuer in zip(*part.values(), strict=True):
            if uid in by_uid:
                studies.add(uid)
                seen.add(by_uid[uid])
            for line in by_patient.get((patient_id or "").strip(), ()):
                stated = (issuer or "").strip()
                if not line.issuer or line.issuer == stated or (issuer_may_lack and not stated):
                    keys.add(key)
                    seen.add(line.number)
    unmatched = tuple(line.number for line in lines if line.number not in seen)
    return Booked(studies=frozenset(studies), patient_keys=frozenset(keys), lines=len(lines), unmatched=unmatched)
