"""The tables of a run folder: columns, what they mean, their units, how they are encoded.

Every table also has the partition column `source` (from its folder name). A count that a peer did
not return is null, never 0; a text that a peer returned empty is "", one it left out is null. UIDs
are strings as received. Digests are xxh3_128, 32 hex digits. Times are ISO 8601 with an offset.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pyarrow as pa

from migrate.errors import UsageError
from migrate.manifest.columns import COUNT, FLAG, ROW_KEY, TEXT
from migrate.manifest.columns import column as _column
from migrate.manifest.columns import table as _table
from migrate.manifest.delta_tables import DELTA_TABLES
from migrate.manifest.fidelity_tables import FIDELITY_TABLES

__all__ = [
    "COUNT", "FLAG", "FORMAT_KEY", "FORMAT_VERSION", "RAW", "ROW_KEY", "TABLES", "TABLE_KEY", "TEXT",
    "dictionary_coded", "prefix_coded", "schema_of",
]  # fmt: skip

FORMAT_VERSION = 1
FORMAT_KEY = b"migrate_format_version"
TABLE_KEY = b"migrate_table"
RAW = pa.list_(pa.struct([("keyword", pa.string()), ("value", pa.binary())]))

_STUDY = _column("study_instance_uid", TEXT, "Study Instance UID (0020,000D)")
_SERIES = _column("series_instance_uid", TEXT, "Series Instance UID (0020,000E)")
_SOP = _column("sop_instance_uid", TEXT, "SOP Instance UID (0008,0018)")
_SOP_CLASS = _column("sop_class_uid", TEXT, "SOP Class UID (0008,0016)")
_CRAWL = _column("crawl_id", TEXT, "the crawl that saw this row; later crawls sort after earlier ones")
_FIRST_SEEN = _column("first_seen_at", TEXT, "when a crawl first saw this row")
_LAST_SEEN = _column("last_seen_at", TEXT, "when a crawl last saw this row")
_PATIENT_KEY = _column("patient_key", TEXT, "random surrogate of (issuer, patient id)")
_ATTEMPT = _column("attempt", COUNT, "1 for the first time; the latest attempt counts")
_PATH = _column("path", TEXT, "ggggeeee, with [item].ggggeeee for each level below")
_KEYWORD = _column("keyword", TEXT, "DICOM keyword of the attribute")
_BEFORE = _column("before", TEXT, "value before, for people; null = absent")
_AFTER = _column("after", TEXT, "value after, for people; null = absent")
_RULE = _column("rule", TEXT, "name of the rule")
_PACK = _column("pack", TEXT, "rule pack")
_PACK_VERSION = _column("pack_version", TEXT, "version of the rule pack")
_LEVEL = _column("level", TEXT, "STUDY, SERIES or IMAGE")
_UID = _column("uid", TEXT, "UID of the study, series or instance that `level` says")
_CLASS = _column("exception_class", TEXT, "one of the exception classes")
_DETAIL = _column("detail", TEXT, "what was seen; never a patient's name, id or birth date")

TABLES: Mapping[str, pa.Schema] = MappingProxyType(
    {
        "windows": _table(
            "C-FIND window",
            _column("window_id", TEXT, "name of the window; long identifier prefixes are masked"),
            _column("parent_id", TEXT, "the window it was split from; null at the root of an axis"),
            _column("axis", TEXT, "date, patient, accession or recheck"),
            _column("from", TEXT, "first date, time or prefix of the window, masked when it could identify a patient"),
            _column("to", TEXT, "last date, time or prefix of the window, inclusive"),
            _LEVEL,
            _column("status", TEXT, "final DIMSE status, four hex digits; null when never asked"),
            _column("matches", COUNT, "answers before the final status, repeats included", "answers"),
            _column("capped", FLAG, "the peer cut the answer short, by signal or by count"),
            _column("closed", FLAG, "nothing in this window can have been missed"),
            _column("attempts", COUNT, "how often the window was asked"),
            _column("started_at", TEXT, "when it was first asked"),
            _column("finished_at", TEXT, "when it was decided"),
            _CRAWL,
            _column(
                "state",
                TEXT,
                "open, split, leaf, or covered: not proven itself, it lies in a window that is closed by other keys",
            ),
            _column("why", TEXT, "why the window counts as closed, or what keeps it open"),
            _column("called_ae_title", TEXT, "who was asked: counts depend on it"),
        ),
        "studies": _table(
            "study seen",
            _STUDY,
            _PATIENT_KEY,
            _column("study_date", TEXT, "Study Date (0008,0020) as received"),
            _column("study_time", TEXT, "Study Time (0008,0030) as received"),
            _column("modalities_in_study", TEXT, "Modalities in Study (0008,0061), joined by a backslash"),
            _column("accession_number", TEXT, "Accession Number (0008,0050)"),
            _column("institution_name", TEXT, "Institution Name (0008,0080)"),
            _column("study_description", TEXT, "Study Description (0008,1030)"),
            _column("number_of_study_related_series", COUNT, "what the peer said; null = it did not say", "series"),
            _column("number_of_study_related_instances", COUNT, "what the peer said; null = not said", "instances"),
            _column(
                "instance_count", COUNT, "distinct instances listed at IMAGE level; null = not listed", "instances"
            ),
            _CRAWL,
            _FIRST_SEEN,
            _LAST_SEEN,
            _column("study_day", pa.date32(), "the study date as a date; null when absent or illegal"),
            _column("study_id", TEXT, "Study ID (0020,0010)"),
            _column("sop_classes_in_study", TEXT, "SOP Classes in Study (0008,0062), joined by a backslash"),
            _column("instance_availability", TEXT, "Instance Availability (0008,0056): ONLINE, NEARLINE, OFFLINE"),
            _column("timezone_offset_from_utc", TEXT, "Timezone Offset From UTC (0008,0201); recorded, never applied"),
            _column("series_count", COUNT, "distinct series listed at SERIES level; null = not listed", "series"),
            _column(
                "answers",
                COUNT,
                "how often the study was returned in this crawl, repeats in one answer left out",
                "answers",
            ),
            _column(
                "found_by", TEXT, "closed axes that returned it: date, patient, accession; or list: asked for alone"
            ),
            _column("gone_at", TEXT, "when a delta crawl saw that the source no longer has it; null = it is there"),
        ),
        "identities": _table(
            "study",
            _STUDY,
            _PATIENT_KEY,
            _column("patient_id", TEXT, "Patient ID (0010,0020)"),
            _column("issuer_of_patient_id", TEXT, "Issuer of Patient ID (0010,0021)"),
            _column("patient_name", TEXT, "Patient's Name (0010,0010)"),
            _column("patient_birth_date", TEXT, "Patient's Birth Date (0010,0030)"),
            _column("patient_sex", TEXT, "Patient's Sex (0010,0040)"),
            _column("raw", RAW, "bytes of the values that the declared character set cannot decode"),
        ),
        "series": _table(
            "series",
            _STUDY,
            _SERIES,
            _column("modality", TEXT, "Modality (0008,0060)"),
            _column("series_number", TEXT, "Series Number (0020,0011)"),
            _column("series_description", TEXT, "Series Description (0008,103E)"),
            _column("number_of_series_related_instances", COUNT, "what the peer said; null = not said", "instances"),
            _column(
                "instance_count", COUNT, "distinct instances listed at IMAGE level; null = not listed", "instances"
            ),
            _CRAWL,
            _LAST_SEEN,
        ),
        "instances": _table(
            "instance listed",
            _STUDY,
            _SERIES,
            _SOP,
            _SOP_CLASS,
            _column("instance_number", TEXT, "Instance Number (0020,0013) as received"),
            _column("instance_availability", TEXT, "Instance Availability (0008,0056)"),
            _column("available_transfer_syntax_uid", TEXT, "Available Transfer Syntax UID (0008,3002)"),
            _CRAWL,
            _LAST_SEEN,
        ),
        "crawl_defects": _table("thing that a crawl found wrong", _STUDY, _LEVEL, _UID, _CLASS, _DETAIL, _CRAWL),
        "evidence": _table(
            "instance received",
            _STUDY,
            _SERIES,
            _SOP,
            _SOP_CLASS,
            _column("transfer_syntax_uid", TEXT, "Transfer Syntax UID it came in (0002,0010)"),
            _column("size_bytes", COUNT, "length of the data set as received", "bytes"),
            _column("wire_xxh3", TEXT, "digest of the data set's bytes as received"),
            _column("bulk_xxh3", TEXT, "digest of the bulk data; null without bulk data"),
            _column("dataset_xxh3", TEXT, "digest of the canonical data set"),
            _column("pixels_xxh3", TEXT, "digest of the bulk data with decoded pixels; null when not computed"),
            _column("received_at", TEXT, "when it was durable in the staging area"),
            _ATTEMPT,
        ),
        "changes": _table(
            "attribute changed by a rule",
            _SOP,
            _PATH,
            _KEYWORD,
            _BEFORE,
            _AFTER,
            _column("identifying", FLAG, "before and after stand in identity_changes, here they are null"),
            _RULE,
            _PACK,
            _PACK_VERSION,
            _STUDY,
        ),
        "identity_changes": _table(
            "identifying attribute changed by a rule",
            _SOP,
            _PATH,
            _KEYWORD,
            _BEFORE,
            _AFTER,
            _RULE,
            _PACK,
            _PACK_VERSION,
            _STUDY,
        ),
        "uploads": _table(
            "instance sent",
            _SOP,
            _column("status", TEXT, "C-STORE status, four hex digits; null = no answer, outcome unknown"),
            _column("warning", TEXT, "what a warning status means"),
            _column("error_comment", TEXT, "Error Comment (0000,0902)"),
            _column("sent_transfer_syntax_uid", TEXT, "transfer syntax it was sent in"),
            _column("sent_at", TEXT, "when the answer came, or the connection was lost"),
            _ATTEMPT,
            _STUDY,
            _column("sent_wire_xxh3", TEXT, "digest of the data set's bytes as sent"),
            _column("dataset_xxh3", TEXT, "digest of the canonical data set that was sent"),
            _column("refused_context", TEXT, "no presentation context was accepted for this one"),
            _column(
                "sent_sop_instance_uid", TEXT, "SOP Instance UID it was sent under; another one where it was invalid"
            ),
        ),
        "verification": _table(
            "instance checked at the destination",
            _SOP,
            _column("method", TEXT, "uid, commitment, metadata, content or pixels"),
            _column("outcome", TEXT, "match, missing, extra, differs or unverifiable"),
            _column("differs", pa.list_(TEXT), "paths of the tags that differ, never values"),
            _column("verified_at", TEXT, "when it was checked"),
            _STUDY,
            _DETAIL,
            _ATTEMPT,
            _column("held_dataset_xxh3", TEXT, "digest of the canonical data set that the destination gave back"),
        ),
        "findings": _table(
            "difference between the two sides",
            _LEVEL,
            _UID,
            _column("outcome", TEXT, "match, missing, extra, differs or unverifiable"),
            _CLASS,
            _DETAIL,
            _STUDY,
        ),
        "balance": _table(
            "year x modality x facility x level",
            _column("year", COUNT, "year of the study date; null when absent or illegal"),
            _column("modality", TEXT, "main modality of the study: it counts once"),
            _column("facility", TEXT, "institution name"),
            _column("level", TEXT, "STUDY, SERIES, IMAGE or BYTES"),
            _column("source", COUNT, "what the source held"),
            _column("migrated", COUNT, "proven at the destination"),
            _column("excluded", COUNT, "left out on purpose, with a reason"),
            _column("failed", COUNT, "in quarantine"),
            _column("pending", COUNT, "not finished"),
            _column("rejected", COUNT, "of what is excluded: rejected, deleted or hidden at the source"),
        ),
        "exceptions": _table(
            "entry of the exception register",
            _STUDY,
            _CLASS,
            _LEVEL,
            _UID,
            _DETAIL,
            _FIRST_SEEN,
            _column("owner", TEXT, "who works on it"),
            _column("due", TEXT, "until when"),
            _column("disposition", TEXT, "open, retry, waived or resolved"),
            _column("reason", TEXT, "why it was decided so"),
            _column("by", TEXT, "who decided"),
            _column("at", TEXT, "when it was decided"),
        ),
        **FIDELITY_TABLES,
        **DELTA_TABLES,
    }
)


def schema_of(table: str) -> pa.Schema:
    """The schema of one table, with the format version in its metadata.

    Raises:
        UsageError: There is no such table.
    """
    schema = TABLES.get(table)
    if schema is None:
        raise UsageError("there is no such table", f"tables are {', '.join(sorted(TABLES))}", table=table)
    metadata = dict(schema.metadata or {})
    metadata.update({FORMAT_KEY: str(FORMAT_VERSION).encode(), TABLE_KEY: table.encode()})
    return schema.with_metadata(metadata)


def prefix_coded(schema: pa.Schema) -> list[str]:
    """Columns of UIDs and digests: stored as the difference to the row before, a fifth of the size."""
    return [f.name for f in schema if f.type == TEXT and f.name.endswith(("uid", "_xxh3"))]


def dictionary_coded(schema: pa.Schema) -> list[str]:
    """Text columns whose values repeat."""
    coded = set(prefix_coded(schema))
    return [f.name for f in schema if f.type == TEXT and f.name not in coded]
