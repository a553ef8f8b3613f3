"""The source side, study by study: what the crawl listed, what arrived, how it was proven.

This is what reconciliation walks: one value for each study of the run, in the order of the Study
Instance UIDs, at any size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from migrate.manifest.by_study import KEY, ROWS_PER_SLICE, Slice, by_study, first_of, one_of

SOP = "sop_instance_uid"
SERIES = "series_instance_uid"
SYNTAX = "transfer_syntax_uid"
WANTED: Mapping[str, tuple[str, ...]] = {
    "studies": (
        "study_date",
        "institution_name",
        "modalities_in_study",
        "number_of_study_related_instances",
        "number_of_study_related_series",
        "instance_count",
        "series_count",
        "crawl_id",
    ),
    "series": (SERIES, "modality", "crawl_id"),
    "instances": (SOP, SERIES),
    "evidence": (SOP, SERIES, SYNTAX, "size_bytes", "attempt", "received_at"),
    "rejections": (SOP, "code", "policy"),
    "verification": (SOP, "method", "outcome", "differs", "attempt", "verified_at"),
}


class InstanceSide(NamedTuple):
    """One instance that the crawl listed or that arrived; its latest verification, if any.

    `differs` holds tag paths, a blank between. `size_bytes` is None when it never arrived. `rejected`
    is the code under which the source has rejected or hidden it, where policy leaves it behind.
    """

    sop_instance_uid: str
    series_instance_uid: str | None
    listed: bool
    received: bool
    size_bytes: int | None
    method: str | None
    outcome: str | None
    differs: str | None
    rejected: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StudySide:
    """One study of the source. Stated counts are the peer's; None = it did not say or was not asked.

    `deleted`: a list says that the source has deleted or hidden the whole study. `transfer_syntax_uid`
    is that of most instances that arrived. `alike` is one of its instances where all fare alike: what it says
    of being listed, received, compared and rejected is true of each. Most studies are like this, so what is
    asked about every instance need be asked once.
    """

    study_instance_uid: str
    in_crawl: bool
    study_date: str | None
    institution_name: str | None
    main_modality: str | None
    stated_series: int | None
    stated_instances: int | None
    instances_listed: bool
    series: frozenset[str]
    instances: tuple[InstanceSide, ...]
    deleted: bool = False
    transfer_syntax_uid: str | None = None
    alike: InstanceSide | None = None


_SERIES_OF = attrgetter("series_instance_uid")
_FATE = [attrgetter(name) for name in ("listed", "received", "method", "outcome", "differs", "rejected")]


def study_sides(run_folder: Path, rows_per_slice: int = ROWS_PER_SLICE) -> Iterator[StudySide]:
    """Every study of the run, by rising Study Instance UID.

    A study counts once however often it was crawled (the latest crawl speaks), an instance once
    however often it arrived or was verified (the latest attempt speaks).

    Raises:
        FormatTooNew: A file was written by a newer version.
        ManifestDamaged: A file cannot be read.
    """
    for rows in by_study(run_folder, WANTED, rows_per_slice):
        yield from sides_of(rows)


def sides_of(rows: Slice) -> Iterator[StudySide]:
    """The same for one range of studies; `rows` has the columns of `WANTED`."""
    latest = [("crawl_id", "descending")]
    studies = {row[KEY]: row for row in first_of(rows["studies"], [KEY], latest).to_pylist()}
    series = first_of(rows["series"], [KEY, SERIES], latest)
    of_study = _grouped(series, (SERIES, "modality"))
    instances = _grouped(_instances(rows), InstanceSide._fields)
    whole = rows["rejections"].filter(pc.is_null(rows["rejections"][SOP]))
    deleted, syntaxes = set(whole[KEY].to_pylist()), _syntaxes(rows["evidence"])
    for uid in sorted({*studies, *of_study, *instances}):
        side = _side(uid, studies.get(uid), of_study.get(uid, []), instances.get(uid, []))
        yield replace(side, deleted=uid in deleted, transfer_syntax_uid=syntaxes.get(uid))


def _syntaxes(evidence: pa.Table) -> dict[str, str | None]:
    """Study -> the transfer syntax of most of its instances."""
    counts = evidence.group_by([KEY, SYNTAX]).aggregate([([], "count_all")])
    ranked = sorted(counts.to_pylist(), key=lambda row: (row["count_all"], row[SYNTAX] or ""))
    return {row[KEY]: row[SYNTAX] for row in ranked}


def _grouped(rows: pa.Table, columns: tuple[str, ...]) -> dict[str, list[tuple[Any, ...]]]:
    """Study -> its rows, which lie together."""
    values = [rows[name].to_pylist() for name in columns]
    grouped, at = {}, 0
    for uid, found in groupby(rows[KEY].to_pylist()):
        after = at + sum(1 for _ in found)
        grouped[uid] = list(zip(*(column[at:after] for column in values), strict=True))
        at = after
    return grouped


def _instances(rows: Slice) -> pa.Table:
    """One row for each instance, sorted by study and SOP Instance UID."""
    keys = [KEY, SOP]
    listed = _marked(one_of(rows["instances"], keys), "listed")
    newest = [("attempt", "descending"), ("received_at", "descending")]
    evidence = one_of(rows["evidence"], keys, newest).drop_columns([SYNTAX, "attempt", "received_at"])
    evidence = _marked(evidence, "received").rename_columns({SERIES: "series_received"})
    newest = [("attempt", "descending"), ("verified_at", "descending")]
    verified = one_of(_joined(rows["verification"]), keys, newest).drop_columns(["attempt", "verified_at"])
    both = listed.join(evidence, keys, join_type="full outer")
    both = both.set_column(both.column_names.index(SERIES), SERIES, pc.coalesce(both[SERIES], both["series_received"]))
    for name in ("listed", "received"):
        both = both.set_column(both.column_names.index(name), name, pc.fill_null(both[name], fill_value=False))
    both = both.join(verified, keys, join_type="left outer")
    both = both.join(_left_behind(rows["rejections"]), keys, join_type="left outer")
    return both.sort_by([(key, "ascending") for key in keys])


def _left_behind(rejections: pa.Table) -> pa.Table:
    """Study, SOP Instance UID and code of what policy leaves behind."""
    out = rejections.filter(pc.and_(pc.equal(rejections["policy"], "exclude"), pc.is_valid(rejections[SOP])))
    return first_of(out.select([KEY, SOP, "code"]), [KEY, SOP]).rename_columns({"code": "rejected"})


def _marked(rows: pa.Table, name: str) -> pa.Table:
    return rows.append_column(name, pa.array([True] * rows.num_rows, type=pa.bool_()))


def _joined(rows: pa.Table) -> pa.Table:
    """`differs` as one text: Arrow cannot carry lists through a join."""
    place = rows.column_names.index("differs")
    return rows.set_column(place, "differs", pc.binary_join(rows["differs"], " "))


def _side(
    uid: str, study: Mapping[str, Any] | None, series: list[tuple[Any, ...]], instances: list[tuple[Any, ...]]
) -> StudySide:
    found = tuple(map(InstanceSide._make, instances))
    said = study or {}
    return StudySide(
        study_instance_uid=uid,
        in_crawl=study is not None,
        study_date=said.get("study_date"),
        institution_name=said.get("institution_name"),
        main_modality=main_modality(dict(series), found, said.get("modalities_in_study")),
        stated_series=said.get("number_of_study_related_series"),
        stated_instances=said.get("number_of_study_related_instances"),
        instances_listed=said.get("instance_count") is not None,
        series=frozenset({*(row[0] for row in series), *map(_SERIES_OF, found)} - {None, ""}),
        instances=found,
        alike=alike_of(found),
    )


def alike_of(instances: tuple[InstanceSide, ...]) -> InstanceSide | None:
    """The first instance if all were listed, received, compared and rejected alike."""
    for fate in _FATE:
        values = list(map(fate, instances))
        if values.count(values[0] if values else None) != len(values):
            return None
    return instances[0] if instances else None


def main_modality(
    series: Mapping[str, str | None], instances: tuple[InstanceSide, ...], modalities_in_study: str | None
) -> str | None:
    """The modality of most instances, ties in alphabetical order; without instances the first one stated."""
    counts = Counter(map(series.get, map(_SERIES_OF, instances)))
    ranked = sorted((-n, modality) for modality, n in counts.items() if modality)
    if ranked:
        return ranked[0][1]
    stated = sorted(filter(None, [*series.values(), *(modalities_in_study or "").split("\\")]))
    return stated[0] if stated else None
