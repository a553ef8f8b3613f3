"""What is known about one peer: the values that count, learnt or given by a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal

HEAD = ("format", "side", "peer", "assessed_at")


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """What is known about one peer; None is not known.

    Attributes:
        peer: `AE@host:port` that was asked.
        assessed_at: When, last.
        implementation: How the peer names its software: version name and class UID (PS3.7 D.3.3.2).
        product: The product that is told from it, by `manifests/products.csv`.
        kept_outside_dicom: What this product is known to keep where no DICOM object has it: nothing here counts it.
        models: Services offered: `study-root-find`, `patient-root-move` and the like.
        extended_negotiation: What C-FIND granted of it, in hex; "" when the peer did not answer (PS3.4 C.5.2).
        result_cap: So many answers come at most; with `cap_signal` A700 or Cxxx, so many came at least.
        cap_signal: How a capped answer ends: a status in hex, `silent` (0000), or `none` (no cap was met).
        complete_answers: The largest answer that came whole.
        wildcard: `*` matches in text keys.
        date_ranges: Ranges of StudyDate match.
        time_ranges: Ranges of StudyTime within one day match.
        datetime_interval: Ranges of date and time are one interval (else two filters, PS3.4 C.2.2.2.5).
        undated_in_ranges: A range of dates returns studies without a date.
        uid_lists: Lists of UIDs match.
        empty_value_matching: `""` finds empty values (PS3.4 C.2.2.2.6).
        relational_queries: Levels below STUDY answer without the keys above.
        patient_root: Patient Root C-FIND answers.
        optional_keys: `LEVEL.Keyword` -> `filled`, `empty` or `absent`.
        counts_instances: NumberOfStudyRelatedInstances comes back and is right.
        counts_series: NumberOfStudyRelatedSeries comes back and is right.
        character_sets: Specific Character Sets of the answers seen.
        c_get: C-GET brought an instance (at a destination: is offered).
        c_move: C-MOVE brought an instance to us (at a destination: is offered and knows us).
        retrieve: Which of them to use.
        move_destinations: Our AE titles -> `arrived`, or what happened instead.
        move_status_honest: The counters of final responses agreed with what arrived.
        move_nothing_status: Final status of a C-MOVE for a study that does not exist, in hex.
        echo_latency_s: Median of C-ECHO.
        find_latency_s: Median of small C-FINDs.
        find_latency_p90_s: Nine of ten small C-FINDs are quicker.
        find_latency_by_hour: Hour of the day (run.timezone) -> median of small C-FINDs.
        associations: So many at once before the latency doubles or the peer refuses.
        finds_images: C-FIND at IMAGE level answers.
        storage_commitment: The service is offered (PS3.4 J).
        proposed_coercions: Tags that the destination changed in what was read back; only what is declared is allowed.
        contexts: SOP class -> transfer syntaxes that the destination accepts.
        refused_contexts: SOP class -> transfer syntaxes that it refuses.
    """

    peer: str | None = None
    assessed_at: str | None = None
    implementation: str | None = None
    product: str | None = None
    kept_outside_dicom: str | None = None
    models: tuple[str, ...] | None = None
    extended_negotiation: str | None = None
    result_cap: int | None = None
    cap_signal: str | None = None
    complete_answers: int | None = None
    wildcard: bool | None = None
    date_ranges: bool | None = None
    time_ranges: bool | None = None
    datetime_interval: bool | None = None
    undated_in_ranges: bool | None = None
    uid_lists: bool | None = None
    empty_value_matching: bool | None = None
    relational_queries: bool | None = None
    patient_root: bool | None = None
    optional_keys: Mapping[str, str] | None = None
    counts_instances: bool | None = None
    counts_series: bool | None = None
    character_sets: tuple[str, ...] | None = None
    c_get: bool | None = None
    c_move: bool | None = None
    retrieve: Literal["c-move", "c-get"] | None = None
    move_destinations: Mapping[str, str] | None = None
    move_status_honest: bool | None = None
    move_nothing_status: str | None = None
    echo_latency_s: float | None = None
    find_latency_s: float | None = None
    find_latency_p90_s: float | None = None
    find_latency_by_hour: Mapping[str, float] | None = None
    associations: int | None = None
    finds_images: bool | None = None
    storage_commitment: bool | None = None
    proposed_coercions: tuple[str, ...] | None = None
    contexts: Mapping[str, tuple[str, ...]] | None = None
    refused_contexts: Mapping[str, tuple[str, ...]] | None = None


UNKNOWN = Profile()
"""Nobody assessed the peer."""

FACTS = tuple(field.name for field in fields(Profile) if field.name not in HEAD)
"""What may be learnt, in the order in which it is written."""
