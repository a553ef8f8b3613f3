"""Patient merges applied to the tables: studies of a prior patient get the `patient_key` of the survivor.

Ids stay as the source gave them; the key says who is one person, and later crawls keep it. What was
done stands in `identity_changes` under the rule `adt_a40`. A repeat changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from migrate.dicom.digest import xxh3
from migrate.dicom.identifiers import IssuedId
from migrate.errors import UsageError
from migrate.manifest.carry import old_batches
from migrate.manifest.place import Manifests
from migrate.manifest.schema import TABLES
from migrate.manifest.write import replace_table, write_part

RULE, PACK = "adt_a40", "merges"
PATIENT_ID = "00100020"


@dataclass(slots=True)
class Merged:
    """What came of it. `studies` are those whose patient has another key now."""

    studies: list[str] = field(default_factory=list)
    patients: int = 0
    unknown_priors: int = 0
    unknown_survivors: int = 0


def apply_merges(manifests: Manifests, into: Mapping[IssuedId, IssuedId]) -> Merged:
    """Give the studies of prior patients the key of the survivor, in `identities` and in `studies`.

    Raises:
        UsageError: An id without issuer stands for patients of several issuers; nothing is changed.
        ManifestDamaged: The tables cannot be read.
        LocalError: The disk is full or not writable.
    """
    keys = _known_keys(manifests, {*into, *into.values()})
    found, new_keys, new_ids = Merged(), dict[str, str](), dict[str, str]()
    for prior, surviving in into.items():
        old, new = keys.get(prior), keys.get(surviving)
        found.unknown_priors += old is None
        found.unknown_survivors += new is None and old is not None
        if old is not None and old != keys.setdefault(surviving, new or old):
            new_keys[old], new_ids[old] = keys[surviving], surviving.patient_id
    changes = [_change(row, new_ids) for row in _rows(manifests) if row["patient_key"] in new_keys]
    found.studies = [change["study_instance_uid"] for change in changes]
    found.patients = len({change["before"] for change in changes})
    if changes:
        part = f"merges-{xxh3(repr(sorted(found.studies)).encode())}"
        columns = {name: [change.get(name) for change in changes] for name in TABLES["identity_changes"].names}
        write_part(manifests, "identity_changes", part, columns)
        # `identities` comes last: until it has changed, a repeat after a kill does all of it again.
        for table in ("studies", "identities"):
            replace_table(manifests, table, _rekeyed(manifests, table, new_keys))
    return found


def _rows(manifests: Manifests) -> Iterator[dict[str, Any]]:
    names = ["study_instance_uid", "patient_key", "patient_id", "issuer_of_patient_id"]
    for batch in old_batches(manifests, "identities", names):
        yield from batch.to_pylist()


def _who(row: Mapping[str, Any]) -> IssuedId:
    return IssuedId((row["patient_id"] or "").strip(), (row["issuer_of_patient_id"] or "").strip())


def _known_keys(manifests: Manifests, wanted: set[IssuedId]) -> dict[IssuedId, str]:
    """Patient -> key. An id that the source gives without an issuer may be of any; one that the list does, too."""
    ids = {one.patient_id for one in wanted}
    keys: dict[IssuedId, str] = {}
    issuers: dict[str, Counter[str]] = {}
    for row in _rows(manifests):
        patient = _who(row)
        if patient.patient_id in ids:
            keys.setdefault(patient, row["patient_key"])
            issuers.setdefault(patient.patient_id, Counter())[patient.issuer] += 1
    found = {}
    for one in wanted:
        known = [issuer for issuer in issuers.get(one.patient_id, ()) if issuer in (one.issuer, "") or not one.issuer]
        exact = one.issuer if one.issuer in known else None
        if exact is None and len(known) > 1:
            hint = "give the issuer of each id; nothing was changed"
            raise UsageError("an id of the list stands for patients of several issuers", hint, issuers=len(known))
        if known:
            found[one] = keys[IssuedId(one.patient_id, known[0] if exact is None else exact)]
    return found


def _change(row: Mapping[str, Any], new_ids: Mapping[str, str]) -> dict[str, Any]:
    return {
        "study_instance_uid": row["study_instance_uid"],
        "path": PATIENT_ID,
        "keyword": "PatientID",
        "before": row["patient_id"],
        "after": new_ids[row["patient_key"]],
        "rule": RULE,
        "pack": PACK,
        "pack_version": "1",
    }


def _rekeyed(manifests: Manifests, table: str, new_keys: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    for batch in old_batches(manifests, table):
        keys = [new_keys.get(key, key) for key in batch["patient_key"].to_pylist()]
        place = batch.schema.get_field_index("patient_key")
        yield batch.set_column(place, batch.schema.field(place), pa.array(keys, pa.string()))
