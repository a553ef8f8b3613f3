"""Every crawled study against the list of orders: the table `order_matches`, and the rates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from migrate.checks.orders import Match, OrderList, order_of, read_orders
from migrate.manifest.place import Manifests
from migrate.manifest.read import batches, rows_of_studies
from migrate.manifest.table_file import read_rows
from migrate.manifest.write import replace_table
from migrate.model import now

OUTCOMES = ("matched", "ambiguous", "unmatched")
_COLUMNS = ["study_instance_uid", "accession_number", "study_date", "modalities_in_study"]


def match_orders(manifests: Manifests, path: Path) -> dict[str, int]:
    """Write `order_matches` anew; how many studies have each outcome.

    Raises:
        ConfigError: The list is wrong.
        ManifestDamaged, LocalError: A table cannot be read or written; the old one stays.
    """
    orders, counts = read_orders(path, read_rows), Counter[str]()
    replace_table(manifests, "order_matches", _batches(manifests.run_folder, orders, counts))
    return {outcome: counts[outcome] for outcome in OUTCOMES}


def _batches(run_folder: Path, orders: OrderList, counts: Counter[str]) -> Iterator[dict[str, list[object]]]:
    at = now()
    for columns in batches(run_folder, "studies", _COLUMNS):
        uids = columns["study_instance_uid"]
        known = rows_of_studies(run_folder, "identities", uids, ["study_instance_uid", "patient_name"])
        names = dict(zip(known["study_instance_uid"], known["patient_name"], strict=True))
        found: list[Match] = []
        for uid, accession, date, modalities in zip(*(columns[name] for name in _COLUMNS), strict=True):
            line = {"accession_number": accession, "study_date": date, "modality": modalities}
            found.append(orders.match(order_of({**line, "patient_name": names.get(uid)})))
        counts.update(one.outcome for one in found)
        yield {
            "study_instance_uid": uids,
            **{name: [getattr(one, name) for one in found] for name in ("outcome", "row", "rows", "by")},
            "exception_class": [one.exception_class.value if one.exception_class else None for one in found],
            "matched_at": [at] * len(found),
        }
