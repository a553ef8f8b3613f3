"""A run folder of any size, invented: tables written in the order of a migration, and the journal beside them.

Studies are 100 instances in three series; 97 in 100 are verified, the others are in quarantine, excluded or
planned. One study in 25 was fetched and verified twice. UIDs are in no order, digests are random, so the files are
about as large as real ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.archive import SOURCE, write_config
from benchmarks.invented_journal import write_journal
from migrate.journal import events as e
from migrate.manifest.place import Manifests
from migrate.manifest.schema import schema_of
from migrate.manifest.write import TableWriter, write_part
from migrate.model import Checked, Defect, ExceptionClass, Level, Outcome
from tests.engine.events import life

PER_STUDY = 100
SERIES = 3
ROOT = "1.2.826.0.1.3680043.8.498"
PRIME = 2**61 - 1
SPREAD = 1_181_783_497_276_652_981
PER_CHUNK = 5_000  # studies: half a million instances
CHUNKS_PER_PART = 2
BEGIN = datetime(2026, 1, 5, 19, 0, tzinfo=UTC)
FIRST_DAY, DAYS = date(2000, 1, 1), 9_400
MODALITIES = ("CT", "MR", "CR", "US", "MG", "XA")
CLASSES = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.1")
SYNTAXES = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.70")
FACILITIES = 40
FATES = {7: "QUARANTINED", 31: "EXCLUDED", 57: "PLANNED"}
PARTS = ("studies", "series", "instances", "evidence", "uploads", "verification", "changes")


@dataclass(frozen=True, slots=True)
class Study:
    """One invented study: everything follows from its number."""

    number: int

    @property
    def uid(self) -> str:
        """Its Study Instance UID; the order of UIDs has nothing to do with that of numbers."""
        return f"{ROOT}.{self.number * SPREAD % PRIME}"

    @property
    def fate(self) -> str:
        """The state it ends in."""
        return FATES.get(self.number % 100, "VERIFIED")

    @property
    def moved(self) -> bool:
        """It was fetched and sent."""
        return self.fate in {"VERIFIED", "QUARANTINED"}

    @property
    def day(self) -> date:
        """Its study date: the newest went first."""
        return FIRST_DAY + timedelta(days=DAYS - self.number * 7 % DAYS)

    @property
    def modality(self) -> str:
        """Modality of all its series."""
        return MODALITIES[self.number % 7 % len(MODALITIES)]

    def row(self) -> dict[str, Any]:
        """Its row of `studies`."""
        return {
            "study_instance_uid": self.uid,
            "patient_key": f"{self.number // 3 * SPREAD % 2**64:016x}",
            "study_date": f"{self.day:%Y%m%d}",
            "study_day": self.day,
            "modalities_in_study": self.modality,
            "institution_name": f"Facility {self.number % FACILITIES:02}",
            "study_description": f"Examination {self.number % 90}",
            "number_of_study_related_instances": PER_STUDY,
            "instance_count": PER_STUDY,
            "series_count": SERIES,
            "crawl_id": "c1",
            "found_by": "date,patient",
        }

    def history(self) -> Iterator[e.Event]:
        """The events that lead to its fate."""
        kind = ExceptionClass.CONTENT_MISMATCH
        checked = Checked(sop_instance_uid=f"{self.uid}.0.0", method="content", outcome=Outcome.DIFFERS)
        defect = Defect(exception_class=kind, level=Level.STUDY, uid=self.uid, detail="one instance differs")
        quarantined = e.Quarantined(study_instance_uid=self.uid, defects=(defect,), checked=(checked,))
        return life(self.uid, self.fate, self.number, quarantined)


class Chunk:
    """Some consecutive studies as batches of every table."""

    def __init__(self, first: int, count: int) -> None:
        self.studies = [Study(number) for number in range(first, first + count)]
        self._first = first

    def batches(self) -> Iterator[tuple[str, pa.RecordBatch]]:
        """(table, batch) of each table that is large."""
        yield "studies", pa.RecordBatch.from_pylist([study.row() for study in self.studies])
        yield "series", self._series
        every = self._all
        yield "instances", pa.record_batch({**every, "crawl_id": _same("c1", len(every["sop_instance_uid"]))})
        yield "evidence", self._evidence()
        keys = {name: self._moved[name] for name in ("study_instance_uid", "sop_instance_uid")}
        count = len(self._numbers)
        yield "uploads", pa.record_batch({**keys, "status": _same("0000", count), **self._told("sent_at", 4)})
        yield "verification", self._verification()
        names = {"keyword": "IssuerOfPatientID", "rule": "issuer_of_patient_id_set", "path": "00100021"}
        texts = {name: _same(text, count) for name, text in {**names, "pack": "common", "pack_version": "1"}.items()}
        yield "changes", pa.record_batch({**keys, **texts, "identifying": pa.array([True] * count)})

    @cached_property
    def _series(self) -> pa.RecordBatch:
        uids = pa.array([study.uid for study in self.studies for _ in range(SERIES)])
        places = pa.array([str(place) for _ in self.studies for place in range(SERIES)])
        return pa.record_batch(
            {
                "study_instance_uid": uids,
                "series_instance_uid": pc.binary_join_element_wise(uids, places, "."),
                "modality": pa.array([study.modality for study in self.studies for _ in range(SERIES)]),
                "instance_count": pa.array([PER_STUDY // SERIES] * len(uids)),
                "crawl_id": _same("c1", len(uids)),
            }
        )

    def _instances(self, numbers: np.ndarray[Any, Any], places: np.ndarray[Any, Any]) -> dict[str, pa.Array]:
        uids = pc.take(pa.array([study.uid for study in self.studies]), pa.array(numbers - self._first))
        series = [f".{place % SERIES}" for place in range(PER_STUDY)]
        ends = [f"{of_series}.{place}" for place, of_series in enumerate(series)]
        at = pa.array(places)
        return {
            "study_instance_uid": uids,
            "series_instance_uid": pc.binary_join_element_wise(uids, pc.take(pa.array(series), at), ""),
            "sop_instance_uid": pc.binary_join_element_wise(uids, pc.take(pa.array(ends), at), ""),
            "sop_class_uid": pc.take(pa.array(CLASSES), pa.array(numbers % len(CLASSES))),
        }

    @cached_property
    def _all(self) -> dict[str, pa.Array]:
        count = len(self.studies)
        numbers = np.repeat(np.arange(self._first, self._first + count), PER_STUDY)
        return self._instances(numbers, np.tile(np.arange(PER_STUDY), count))

    @cached_property
    def _numbers(self) -> np.ndarray[Any, Any]:
        moved = [study.number for study in self.studies if study.moved for _ in range(1 + (study.number % 25 == 0))]
        return np.repeat(np.array(moved), PER_STUDY)

    @cached_property
    def _attempts(self) -> np.ndarray[Any, Any]:
        again = np.append(False, self._numbers[PER_STUDY::PER_STUDY] == self._numbers[:-PER_STUDY:PER_STUDY])
        return np.repeat(1 + again.astype(int), PER_STUDY)

    @cached_property
    def _moved(self) -> dict[str, pa.Array]:
        return self._instances(self._numbers, np.tile(np.arange(PER_STUDY), len(self._numbers) // PER_STUDY))

    def _told(self, column: str, minutes: int) -> dict[str, pa.Array]:
        at = [(BEGIN + timedelta(seconds=7 * int(n), minutes=minutes)).isoformat() for n in self._numbers[::PER_STUDY]]
        of_study = pa.array(np.arange(len(self._numbers)) // PER_STUDY)
        return {column: pc.take(pa.array(at), of_study), "attempt": pa.array(self._attempts)}

    def _evidence(self) -> pa.RecordBatch:
        count = len(self._numbers)
        names = ("wire_xxh3", "bulk_xxh3", "dataset_xxh3")
        digests = {name: _digests(count, self._first * len(names) + place) for place, name in enumerate(names)}
        syntaxes = pc.take(pa.array(SYNTAXES), pa.array(self._numbers % 2))
        sizes = pa.array(200_000 + self._numbers % 1_000)
        facts = {"transfer_syntax_uid": syntaxes, "size_bytes": sizes, **self._told("received_at", 0)}
        return pa.record_batch({**self._moved, **facts, **digests})

    def _verification(self) -> pa.RecordBatch:
        count = len(self._numbers)
        quarantined = np.array([key for key, fate in FATES.items() if fate == "QUARANTINED"])
        wrong = np.isin(self._numbers % 100, quarantined) & (np.arange(count) % PER_STUDY == 0)
        facts = {
            "method": _same("content", count),
            "outcome": pc.if_else(pa.array(wrong), "differs", "match"),
            "differs": pa.ListArray.from_arrays(_ends(wrong), _same("00080080", int(wrong.sum()))),
        }
        keys = {name: self._moved[name] for name in ("study_instance_uid", "sop_instance_uid")}
        return pa.record_batch({**keys, **facts, **self._told("verified_at", 6)})


def write_run(folder: Path, studies: int) -> None:
    """A run folder with so many studies: configuration, tables, journal."""
    write_config(
        folder, {"source": {"ae_title": "LEGACY", "port": 104}}, {"destination": {"ae_title": "DIR", "port": 105}}
    )
    write_tables(Manifests(folder, SOURCE), studies)
    write_journal(folder, studies, lambda number: Study(number).uid, lambda number: Study(number).history())


def write_tables(manifests: Manifests, studies: int) -> None:
    """The tables that a crawl and a run write, in parts of about a million instances."""
    write_part(manifests, "windows", "0000", _window(studies))
    span = PER_CHUNK * CHUNKS_PER_PART
    for part, start in enumerate(range(0, studies, span)):
        with ExitStack() as stack:
            writers = {name: stack.enter_context(TableWriter(manifests, name, f"{part:04}")) for name in PARTS}
            for first in range(start, min(start + span, studies), PER_CHUNK):
                for name, batch in Chunk(first, min(PER_CHUNK, studies - first)).batches():
                    writers[name].write(_fitted(batch, name))


def _fitted(batch: pa.RecordBatch, table: str) -> pa.RecordBatch:
    """With every column of the table: those that are not invented are null."""
    schema = schema_of(table)
    columns = [
        batch[field.name].cast(field.type) if field.name in batch.schema.names else pa.nulls(len(batch), field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _window(studies: int) -> dict[str, list[object]]:
    facts = {"window_id": "patient:0", "axis": "patient", "level": "STUDY", "status": "0000", "matches": studies}
    facts |= {"capped": False, "closed": True, "attempts": 1, "crawl_id": "c1", "state": "leaf"}
    return {name: [value] for name, value in facts.items()}


def _ends(lists_of_one: np.ndarray[Any, Any]) -> pa.Array:
    """Offsets of lists that hold one value or none."""
    return pa.array(np.append(0, np.cumsum(lists_of_one)).astype(np.int32))


def _same(text: str, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(text), count)


def _digests(count: int, seed: int) -> pa.Array:
    """So many random digests, 32 hexadecimal digits each; another seed gives others."""
    digits = np.random.default_rng(seed).bytes(16 * count).hex().encode()
    ends = pa.array(np.arange(count + 1, dtype=np.int32) * 32)
    return pa.StringArray.from_buffers(count, ends.buffers()[1], pa.py_buffer(digits))
