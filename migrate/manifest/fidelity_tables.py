"""Tables of the content proof: replaced UIDs, patients' numbers looked up, what is missed first, look-alikes."""

from __future__ import annotations

import pyarrow as pa

from migrate.manifest.columns import COUNT, RATE, TEXT, column, table

_STUDY = column("study_instance_uid", TEXT, "Study Instance UID (0020,000D)")
_SOP = column("sop_instance_uid", TEXT, "SOP Instance UID (0008,0018)")
_CLASS = column("exception_class", TEXT, "one of the exception classes; null = nothing is wrong")

FIDELITY_TABLES: dict[str, pa.Schema] = {
    "uid_map": table(
        "UID that was replaced, in every object of the run and every reference",
        column("old_uid", TEXT, "as received: it breaks PS3.5 9.1"),
        column("new_uid", TEXT, "what stands in its place at the destination"),
        column("reason", TEXT, "why it was replaced: invalid"),
        column("pack", TEXT, "rule pack that replaced it"),
        _STUDY,
    ),
    "identities_xwalk": table(
        "patient's number looked up",
        column("patient_id", TEXT, "Patient ID (0010,0020) at the source"),
        column("issuer_of_patient_id", TEXT, "Issuer of Patient ID (0010,0021); '' where none is named"),
        column("phn", TEXT, "the one number found; null when none or several"),
        column("outcome", TEXT, "found, unknown, ambiguous, invalid, refused or unavailable"),
        _CLASS,
        column("looked_up_in", TEXT, "file or pixm"),
        column("looked_up_at", TEXT, "when it was asked"),
    ),
    "order_matches": table(
        "study matched against a list of orders",
        _STUDY,
        column("outcome", TEXT, "matched, ambiguous or unmatched"),
        column("row", COUNT, "row of the list, its heading is row 1; null unless matched"),
        column("rows", COUNT, "how many orders came into question", "rows"),
        column("by", TEXT, "what agreed: accession, date, modality, name"),
        _CLASS,
        column("matched_at", TEXT, "when it was compared"),
    ),
    "census": table(
        "study x kind of content that is missed first when it is gone",
        _STUDY,
        column("kind", TEXT, "presentation_state, key_object, structured_report, overlay, burned_in, laterality, "
                             "private_annotation or annotation"),
        column("source", COUNT, "instances that have it, as received", "instances"),
        column("destination", COUNT, "instances that had it when they were read back", "instances"),
        column("attempt", COUNT, "1 for the first time; the latest attempt counts"),
    ),
    "acceptance": table(
        "stratum, and one for all studies: what was compared by content, and what that proves",
        column("scope", TEXT, "all or stratum"),
        column("year", COUNT, "year of the study date; null when absent or illegal"),
        column("modality", TEXT, "main modality"),
        column("facility", TEXT, "institution name"),
        column("transfer_syntax_uid", TEXT, "of most instances"),
        column("studies", COUNT, "studies that moved", "studies"),
        column("compared", COUNT, "of those, every instance was compared by content", "studies"),
        column("defective", COUNT, "of those, some instance differs or is missing", "studies"),
        column("confidence", RATE, "one-sided"),
        column("bound", RATE, "with this confidence a smaller share is defective (Clopper-Pearson)"),
        column("max_defect_rate", RATE, "what was asked for"),
    ),
    "forensics": table(
        "instance that shares its UID or its pixels with another one",
        column("kind", TEXT, "identical, header_drift, other_pixels, drift_at_retrieve or same_pixels"),
        _STUDY,
        _SOP,
        column("other_study_instance_uid", TEXT, "study of the other one"),
        column("other_sop_instance_uid", TEXT, "SOP Instance UID of the other one"),
        column("source", TEXT, "where the first one came from"),
        column("other_source", TEXT, "where the other one came from"),
        _CLASS,
        column("policy", TEXT, "what is done about it; never an automatic merge"),
    ),
}  # fmt: skip
