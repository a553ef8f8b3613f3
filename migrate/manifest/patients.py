"""The random surrogate of a patient: the same in every crawl of a run folder, meaningless elsewhere."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from migrate.manifest.place import Manifests
from migrate.manifest.read import arrow_batches
from migrate.manifest.sightings import SIGHTINGS
from migrate.manifest.spill import Spill, buckets_for, by_checksum, part_batches

KEYED = SIGHTINGS.append(pa.field("patient_key", pa.string()))
_WHO = pa.schema([pa.field("who", pa.string()), pa.field("patient_key", pa.string())])
_MARKED = SIGHTINGS.append(pa.field("who", pa.string()))
_KEY_BYTES = 12


def identity_of(issuer: str | None, patient_id: str | None, raw: bytes | None) -> str:
    """What tells one person from another: issuer and id; the bytes where the id cannot be decoded.

    "" when there is no patient id: then nobody can say that two studies are of one person.
    """
    told = f"raw {raw.hex()}" if raw is not None else (patient_id or "").strip()
    return f"{(issuer or '').strip()}\x1f{told}" if told else ""


def with_patient_keys(manifests: Manifests, parts: list[Path], rows: int) -> Iterator[pa.Table]:
    """The sightings with their `patient_key`, in no particular order; one bucket at a time.

    A person known from the `identities` table keeps the key. A study without patient id is its own
    person.
    """
    buckets = buckets_for(rows)
    folder = manifests.work_folder
    with (
        Spill(folder / "known", _WHO, buckets, by_checksum("who", buckets)) as known,
        Spill(folder / "seen", _MARKED, buckets, by_checksum("who", buckets)) as seen,
    ):
        for batch in _known_people(manifests):
            known.add(batch)
        for batch in part_batches(parts):
            seen.add(_marked(batch))
        for old, new in zip(known.tables(), seen.tables(), strict=True):
            keys = dict(zip(old["who"].to_pylist(), old["patient_key"].to_pylist(), strict=True))
            yield _keyed(new, keys)


def _who(identity: str | None, study_instance_uid: str | None) -> str:
    return identity or f"study {study_instance_uid}"


def _marked(batch: pa.RecordBatch) -> pa.RecordBatch:
    pairs = zip(batch["patient_identity"].to_pylist(), batch["study_instance_uid"].to_pylist(), strict=True)
    who = pa.array([_who(*pair) for pair in pairs], pa.string())
    return pa.RecordBatch.from_arrays([*batch.columns, who], schema=_MARKED)


def _keyed(rows: pa.Table, keys: dict[str, str]) -> pa.Table:
    people = rows["who"].to_pylist()
    new = [who for who in dict.fromkeys(people) if who not in keys]
    keys |= zip(new, _random_keys(len(new)), strict=True)
    found = [keys[who] for who in people]
    return rows.drop_columns(["who"]).append_column("patient_key", pa.array(found, pa.string())).cast(KEYED)


def _random_keys(count: int) -> list[str]:
    """As many as are wanted in one call to the system."""
    letters = secrets.token_hex(_KEY_BYTES * count)
    width = 2 * _KEY_BYTES
    return [letters[start : start + width] for start in range(0, len(letters), width)]


def _known_people(manifests: Manifests) -> Iterator[pa.RecordBatch]:
    columns = ["study_instance_uid", "patient_key", "patient_id", "issuer_of_patient_id", "raw"]
    for batch in arrow_batches(manifests.run_folder, "identities", columns):
        rows = batch.to_pylist()
        who = [_who(_identity_of_row(row), row["study_instance_uid"]) for row in rows]
        yield pa.RecordBatch.from_arrays([pa.array(who, pa.string()), batch["patient_key"]], schema=_WHO)


def _identity_of_row(row: dict[str, Any]) -> str:
    raw = {item["keyword"]: item["value"] for item in row["raw"] or ()}
    return identity_of(row["issuer_of_patient_id"], row["patient_id"], raw.get("PatientID"))
