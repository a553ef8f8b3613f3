"""What a crawl was answered, row by row, before it is folded into one row per study.

Sightings stand in the crawl's work folder and are deleted when its tables are published.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from migrate.manifest.columns import COUNT, TEXT
from migrate.manifest.place import Manifests
from migrate.manifest.schema import RAW, TABLES
from migrate.manifest.write import Columns, PartWriter

STUDY_TEXTS = (
    "study_instance_uid",
    "study_date",
    "study_time",
    "modalities_in_study",
    "accession_number",
    "institution_name",
    "study_description",
    "study_id",
    "sop_classes_in_study",
    "instance_availability",
    "timezone_offset_from_utc",
)
STUDY_COUNTS = ("number_of_study_related_series", "number_of_study_related_instances")
IDENTITY_TEXTS = ("patient_id", "issuer_of_patient_id", "patient_name", "patient_birth_date", "patient_sex")

#: `patient_identity` is what tells one person from another (see `stages.crawl.answers`), "" when the
#: peer says nobody; `window` is the ordinal of the window that returned the row.
SIGHTINGS = pa.schema(
    [
        *(pa.field(name, TEXT) for name in STUDY_TEXTS),
        *(pa.field(name, COUNT) for name in STUDY_COUNTS),
        *(pa.field(name, TEXT) for name in IDENTITY_TEXTS),
        pa.field("raw", RAW),
        pa.field("patient_identity", TEXT),
        pa.field("window", COUNT),
        pa.field("seen_at", TEXT),
    ]
)
COUNTS = pa.schema(
    [pa.field("study_instance_uid", TEXT), pa.field("series_count", COUNT), pa.field("instance_count", COUNT)]
)
#: What was wrong with the answers below STUDY level, and how often.
SINS = pa.schema([pa.field("sin", TEXT), pa.field("count", COUNT)])
#: The last six are what a delta crawl decides; see `manifest.carry`.
WORK_SCHEMAS = {
    "sightings": SIGHTINGS,
    "counts": COUNTS,
    "sins": SINS,
    "known_counts": COUNTS,
    "again": pa.schema([pa.field("study_instance_uid", TEXT)]),
    "gone_studies": TABLES["studies"],
    "gone_identities": TABLES["identities"],
    "first_deltas": TABLES["deltas"],
    "deltas": TABLES["deltas"],
    **{table: TABLES[table] for table in ("series", "instances", "crawl_defects")},
}


def crawl_folder(manifests: Manifests, crawl_id: str) -> Path:
    """Where one crawl keeps what is not yet published."""
    return manifests.work_folder / f"crawl-{crawl_id}"


def work_parts(manifests: Manifests, crawl_id: str, kind: str) -> list[Path]:
    """The durable files of one kind, in order."""
    return sorted((crawl_folder(manifests, crawl_id) / kind).glob("part-*.parquet"))


def work_writer(manifests: Manifests, crawl_id: str, kind: str, part: str) -> PartWriter:
    """A writer for one part of one kind (a key of `WORK_SCHEMAS`) in the crawl's work folder."""
    path = crawl_folder(manifests, crawl_id) / kind / f"part-{part}.parquet"
    return PartWriter(path, WORK_SCHEMAS[kind], manifests.work_folder)


def write_work_part(writer: PartWriter, columns: Columns) -> int:
    """Write one part in one go; durable when this returns. Gives its rows."""
    with writer:
        writer.write(columns)
    return writer.rows
