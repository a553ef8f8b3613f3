"""Tables of what changes under a migration: deltas, lists that name more than was found, rejections."""

from __future__ import annotations

import pyarrow as pa

from migrate.manifest.columns import COUNT, TEXT, column, table

_STUDY = column("study_instance_uid", TEXT, "Study Instance UID (0020,000D)")
_SERIES = column("series_instance_uid", TEXT, "Series Instance UID (0020,000E)")
_SOP = column("sop_instance_uid", TEXT, "SOP Instance UID (0008,0018)")
_CRAWL = column("crawl_id", TEXT, "the crawl that saw it; later crawls sort after earlier ones")
_CLASS = column("exception_class", TEXT, "one of the exception classes")
_DETAIL = column("detail", TEXT, "what was seen; never a patient's name, id or birth date")

DELTA_TABLES: dict[str, pa.Schema] = {
    "deltas": table(
        "change that a delta crawl saw in a study",
        _STUDY,
        column("kind", TEXT, "NEW, GROWN, SHRUNK, HEADER_CHANGED, PATIENT_CHANGED or GONE"),
        column("series_before", COUNT, "series that the manifests knew; null = unknown", "series"),
        column("series_after", COUNT, "series that the source has now; null = unknown", "series"),
        column("instances_before", COUNT, "instances that the manifests knew; null = unknown", "instances"),
        column("instances_after", COUNT, "instances that the source has now; null = unknown", "instances"),
        _DETAIL,
        _CRAWL,
        column("round", COUNT, "1 for the first delta crawl after a whole one"),
        column("seen_at", TEXT, "when the change was seen: what was received later has it"),
    ),
    "list_missing": table(
        "line of a list that the source does not answer for",
        column("line", COUNT, "line of the file; the heading is line 1"),
        _STUDY,
        column("accession_number", TEXT, "Accession Number (0008,0050), where the list names studies by it"),
        _CLASS,
        _DETAIL,
        column("list_name", TEXT, "name of the file"),
        _CRAWL,
    ),
    "rejections": table(
        "instance that the source has rejected or hidden",
        _STUDY,
        _SERIES,
        _SOP,
        column("code", TEXT, "113001, 113037, 113038 or 113039 of the rejection note; deleted: a list says it"),
        column("policy", TEXT, "exclude: it stays behind; migrate: it moves, and the register says so"),
        column("note_sop_instance_uid", TEXT, "the rejection note; null when a list says it"),
        column("seen_at", TEXT, "when it was seen"),
    ),
}
