"""The probes, in order: first this machine, then the source, then the destination.

A probe is a function of the scene that learns facts and says lines. A line of the table names the
probes without which it makes no sense, what it learns, and what to do where an error brings no hint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from migrate.profiles import Side
from migrate.stages.assess import (
    accepting,
    caps,
    coercing,
    contact,
    counting,
    destination,
    fetching,
    local,
    matching,
    pace,
    sampling,
)
from migrate.stages.assess.check import Check
from migrate.stages.assess.scene import Assessment, Scene

_ALLOW = "ask its administrator whether our AE title may query, and what its log says about us"
_LATER = "look at the peer's log, then assess again"


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """One line of `PROBES`."""

    name: str
    side: Side
    run: Callable[[Scene], None]
    needs: tuple[str, ...] = ()
    learns: tuple[str, ...] = ()
    remedy: str = _LATER


LOCAL_CHECKS: Final[dict[str, Callable[[Assessment], Iterator[Check]]]] = {
    "journal": local.journal_lease,
    "staging folder": local.staging_folder,
    "disk space": local.disk_space,
    "receiver ports": local.receiver_ports,
    "clock": local.clock,
    "rule packs": local.rule_packs,
    "TLS": local.tls,
}

PROBES: Final = (
    Probe(name="C-ECHO", side="source", run=contact.echo, learns=("echo_latency_s", "implementation")),
    Probe(
        name="product",
        side="source",
        run=contact.product,
        needs=("C-ECHO",),
        learns=("product", "kept_outside_dicom"),
    ),
    Probe(
        name="services",
        side="source",
        run=contact.services,
        needs=("C-ECHO",),
        learns=("models", "storage_commitment", "extended_negotiation"),
    ),
    Probe(
        name="C-FIND",
        side="source",
        run=sampling.see_studies,
        needs=("services",),
        learns=("character_sets",),
        remedy=_ALLOW,
    ),
    Probe(
        name="date ranges",
        side="source",
        run=matching.date_ranges,
        needs=("C-FIND",),
        learns=("date_ranges", "undated_in_ranges"),
    ),
    Probe(
        name="result cap",
        side="source",
        run=caps.cap,
        needs=("C-FIND",),
        learns=("result_cap", "cap_signal", "complete_answers"),
    ),
    Probe(
        name="matching",
        side="source",
        run=matching.text,
        needs=("C-FIND",),
        learns=("wildcard", "uid_lists", "empty_value_matching"),
    ),
    Probe(
        name="time ranges",
        side="source",
        run=matching.times,
        needs=("C-FIND",),
        learns=("time_ranges", "datetime_interval"),
    ),
    Probe(
        name="series and instances",
        side="source",
        run=counting.optional_keys,
        needs=("C-FIND",),
        learns=("optional_keys", "counts_instances", "counts_series"),
    ),
    Probe(
        name="relational queries",
        side="source",
        run=matching.relational,
        needs=("series and instances",),
        learns=("relational_queries",),
    ),
    Probe(
        name="Patient Root",
        side="source",
        run=matching.patient_root,
        needs=("C-FIND",),
        learns=("patient_root",),
    ),
    Probe(
        name="C-GET",
        side="source",
        run=fetching.c_get,
        needs=("series and instances",),
        learns=("c_get",),
    ),
    Probe(
        name="C-MOVE",
        side="source",
        run=fetching.c_move,
        needs=("series and instances",),
        learns=("c_move", "retrieve", "move_destinations", "move_status_honest", "move_nothing_status"),
    ),
    Probe(
        name="latency",
        side="source",
        run=pace.latency,
        needs=("C-FIND",),
        learns=("find_latency_s", "find_latency_p90_s", "find_latency_by_hour"),
    ),
    Probe(
        name="associations",
        side="source",
        run=pace.associations,
        needs=("C-FIND",),
        learns=("associations",),
    ),
    Probe(name="C-ECHO", side="destination", run=contact.echo, learns=("echo_latency_s", "implementation")),
    Probe(
        name="services",
        side="destination",
        run=contact.services,
        needs=("C-ECHO",),
        learns=("models", "storage_commitment", "extended_negotiation"),
    ),
    Probe(
        name="C-FIND",
        side="destination",
        run=destination.finds,
        needs=("services",),
        learns=("finds_images",),
        remedy=_ALLOW,
    ),
    Probe(
        name="reading back",
        side="destination",
        run=destination.reading_back,
        needs=("services",),
        learns=("c_get", "c_move"),
    ),
    Probe(
        name="storage commitment",
        side="destination",
        run=destination.commitment,
        needs=("services",),
    ),
    Probe(
        name="coercions",
        side="destination",
        run=coercing.coercions,
        learns=("proposed_coercions",),
    ),
    Probe(
        name="kinds of objects",
        side="destination",
        run=accepting.contexts,
        needs=("C-ECHO",),
        learns=("contexts", "refused_contexts"),
    ),
)
