"""A small synthetic run folder: invented studies, no patient, the same bytes every time.

`python -m tests.report.example manifests/samples` writes the sample that the notebooks read.
"""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from migrate.checks.reconcile import reconcile
from migrate.journal import events as e
from migrate.journal.store import Journal
from migrate.manifest.place import Manifests
from migrate.manifest.write import write_part
from migrate.model import Checked, Defect, ExceptionClass, Level, Outcome
from tests.engine.events import life

SOURCE = "SAMPLE"
ROOT = "1.2.826.0.1.3680043.8.498"
NASTY = '=HYPERLINK("http://x","y") <script>alert(1)</script> \u202eabc\r\nsecond line'
FACILITIES = ("Abbotsford Regional", "Royal Columbian", "Surrey Memorial", None)
EXPLICIT, JPEG_LOSSLESS = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.70"
SOP_CLASSES = {
    "CT": "1.2.840.10008.5.1.4.1.1.2",
    "MR": "1.2.840.10008.5.1.4.1.1.4",
    "CR": "1.2.840.10008.5.1.4.1.1.1",
    "US": "1.2.840.10008.5.1.4.1.1.6.1",
    "MG": "1.2.840.10008.5.1.4.1.1.1.2",
    "SR": "1.2.840.10008.5.1.4.1.1.88.11",
}
TOML = """\
[run]
name = "sample-2026"
source = "SAMPLE"
[destination]
ae_title = "DIR"
"""
BEGIN = datetime(2026, 3, 1, 19, 0, tzinfo=UTC)


@dataclass(slots=True)
class Study:
    """One invented study and what became of it."""

    number: int
    modality: str
    facility: str | None
    date: str | None
    instances: int
    fate: str
    uid: str = ""
    series: list[str] = field(default_factory=list)
    sops: list[tuple[str, str]] = field(default_factory=list)


def studies(count: int, *, nasty: bool = False) -> list[Study]:
    """`count` studies with every fate: VERIFIED, QUARANTINED, EXCLUDED, PLANNED."""
    chance = random.Random(20260301)
    found: list[Study] = []
    for number in range(count):
        fate = {3: "QUARANTINED", 7: "EXCLUDED", 9: "PLANNED"}.get(number % 11, "VERIFIED")
        study = Study(
            number=number,
            modality=chance.choice(["CT", "MR", "CR", "US", "MG"]),
            facility=NASTY if nasty and number % 5 == 0 else chance.choice(FACILITIES),
            date=("" if number % 2 else None)
            if number % 13 == 5
            else f"{chance.randint(2009, 2025)}{chance.randint(1, 12):02}15",
            instances=chance.randint(2, 9),
            fate=fate,
            uid=f"{ROOT}.1.{number + 1}",
        )
        if number % 10 == 1 and found[-1].date:  # the same exam again, twelve days later
            study.modality, study.date = found[-1].modality, f"{found[-1].date[:6]}27"
        study.series = [f"{study.uid}.{n}" for n in (1, 2)]
        study.sops = [(f"{study.uid}.9.{n}", study.series[n % 2]) for n in range(study.instances)]
        found.append(study)
    return found


def build_run(folder: Path, count: int = 40, *, nasty: bool = False, journal: bool = True) -> list[Study]:
    """Write a whole run folder: configuration, manifests, journal, and the reconciled books."""
    found = studies(count, nasty=nasty)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "migration.toml").write_text(TOML, encoding="utf-8")
    for table, rows in tables(found).items():
        columns = {name: [row.get(name) for row in rows] for name in rows[0]}
        write_part(Manifests(folder, SOURCE), table, "0001", columns)
    with Journal(folder) as book:
        for study in found:
            book.append(history(study))
    reconcile(folder, SOURCE)
    if not journal:
        for name in ("journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm", "journal.lock"):
            (folder / name).unlink(missing_ok=True)
    return found


def tables(found: Sequence[Study]) -> dict[str, list[dict[str, Any]]]:
    """Table -> rows. Some studies were crawled twice, some instances received and verified twice."""
    moved = [study for study in found if study.fate in {"VERIFIED", "QUARANTINED"}]
    return {
        "windows": list(_windows(found)),
        "studies": [_study(study, crawl) for study in found for crawl in ("c1", "c2")[: 1 + (study.number % 4 == 0)]],
        "series": [_series(study, uid) for study in found for uid in study.series],
        "instances": [_instance(study, place) for study in found for place in range(study.instances)],
        "evidence": [row for study in moved for row in _evidence(study)],
        "uploads": [_upload(study, place) for study in moved for place in range(_received(study))],
        "verification": [row for study in moved for row in _verification(study)],
        "changes": [_change(study, place) for study in moved for place in range(_received(study))],
    }


def history(study: Study) -> Iterator[e.Event]:
    """The events that lead to the study's fate."""
    kind = ExceptionClass.COUNT_MISMATCH if study.number % 2 else ExceptionClass.CONTENT_MISMATCH
    defect = Defect(
        exception_class=kind, level=Level.STUDY, uid=study.uid, detail="one instance is not what it should be"
    )
    checked = Checked(sop_instance_uid=study.sops[0][0], method="content", outcome=Outcome.DIFFERS)
    quarantined = e.Quarantined(study_instance_uid=study.uid, defects=(defect,), checked=(checked,))
    return life(study.uid, study.fate, study.number, quarantined)


def _received(study: Study) -> int:
    """A study in quarantine with an odd number lost its last instance on the way."""
    lost = study.fate == "QUARANTINED" and study.number % 2
    return study.instances - (1 if lost else 0)


def _at(study: Study, minutes: int) -> str:
    return (BEGIN + timedelta(minutes=study.number * 3 + minutes)).isoformat(timespec="milliseconds")


def _windows(found: Sequence[Study]) -> Iterator[dict[str, Any]]:
    for axis, matches in (("date", sum(s.date is not None for s in found)), ("patient", len(found))):
        for number in range(4):
            yield {
                "window_id": f"{axis}:{number}",
                "parent_id": None if number == 0 else f"{axis}:0",
                "axis": axis,
                "from": f"{2005 + number * 5}0101",
                "to": f"{2009 + number * 5}1231",
                "level": "STUDY",
                "status": "0000",
                "matches": matches if number == 0 else matches // 3,
                "capped": number == 0,
                "closed": True,
                "attempts": 1,
                "started_at": BEGIN.isoformat(),
                "finished_at": BEGIN.isoformat(),
                "crawl_id": "c2",
                "state": "split" if number == 0 else "leaf",
                "why": None,
            }


def _study(study: Study, crawl: str) -> dict[str, Any]:
    date = datetime.strptime(study.date, "%Y%m%d").replace(tzinfo=UTC).date() if study.date else None
    return {
        "study_instance_uid": study.uid,
        "patient_key": f"{study.number // 2:08x}",
        "study_date": study.date,
        "study_day": date,
        "modalities_in_study": study.modality if crawl == "c2" else f"{study.modality}\\SR",
        "institution_name": study.facility if crawl == "c2" or study.number % 4 else "an older name",
        "study_description": "Sample study",
        "number_of_study_related_series": None,
        "number_of_study_related_instances": study.instances,
        "instance_count": study.instances,
        "series_count": 2,
        "crawl_id": crawl,
        "first_seen_at": BEGIN.isoformat(),
        "last_seen_at": BEGIN.isoformat(),
        "answers": 1,
        "found_by": "date,patient" if study.date else "patient",
    }


def _series(study: Study, uid: str) -> dict[str, Any]:
    second = uid.endswith(".2") and study.number % 3 == 0
    modality = "SR" if second else study.modality
    return {"study_instance_uid": study.uid, "series_instance_uid": uid, "modality": modality, "crawl_id": "c2"}


def _instance(study: Study, place: int) -> dict[str, Any]:
    sop, series = study.sops[place]
    return {
        "study_instance_uid": study.uid,
        "series_instance_uid": series,
        "sop_instance_uid": sop,
        "sop_class_uid": SOP_CLASSES[_series(study, series)["modality"]],
        "instance_number": str(place + 1),
        "crawl_id": "c2",
    }


def _evidence(study: Study) -> Iterator[dict[str, Any]]:
    for place in range(_received(study)):
        for attempt in (1, 2)[: 1 + (study.number % 6 == 0)]:
            digest = f"{study.number:016x}{place:016x}"
            yield {
                **{k: v for k, v in _instance(study, place).items() if k not in {"instance_number", "crawl_id"}},
                "transfer_syntax_uid": JPEG_LOSSLESS if study.number % 4 == 1 else EXPLICIT,
                "size_bytes": 250_000 * (attempt + study.number % 7) + place,
                "wire_xxh3": digest,
                "bulk_xxh3": digest,
                "dataset_xxh3": digest,
                "received_at": _at(study, attempt),
                "attempt": attempt,
            }


def _upload(study: Study, place: int) -> dict[str, Any]:
    return {
        "study_instance_uid": study.uid,
        "sop_instance_uid": study.sops[place][0],
        "status": "B000" if place == 0 else "0000",
        "sent_transfer_syntax_uid": EXPLICIT,
        "sent_at": _at(study, 4),
        "attempt": 1,
    }


def _verification(study: Study) -> Iterator[dict[str, Any]]:
    for place in range(_received(study)):
        wrong = study.fate == "QUARANTINED" and place == 0 and study.number % 2 == 0
        for attempt in (1, 2)[: 1 + (study.number % 5 == 0)]:
            early = attempt == 1 and study.number % 5 == 0
            yield {
                "study_instance_uid": study.uid,
                "sop_instance_uid": study.sops[place][0],
                "method": "uid" if early else "content",
                "outcome": "unverifiable" if early else "differs" if wrong else "match",
                "differs": ["00080080"] if wrong and not early else [],
                "verified_at": _at(study, 5 + attempt),
                "attempt": attempt,
            }


def _change(study: Study, place: int) -> dict[str, Any]:
    return {
        "study_instance_uid": study.uid,
        "sop_instance_uid": study.sops[place][0],
        "path": "00100021",
        "keyword": "IssuerOfPatientID",
        "before": None,
        "after": None,
        "identifying": True,
        "rule": "issuer_of_patient_id_set",
        "pack": "common",
        "pack_version": "1",
    }


if __name__ == "__main__":
    target = Path(sys.argv[1])
    shutil.rmtree(target, ignore_errors=True)
    build_run(target, count=60, journal=False)
