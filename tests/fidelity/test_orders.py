"""Studies against a list of orders: matched, ambiguous, unmatched; a guess is none of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from migrate.checks.orders import Match, OrderList, order_of, read_orders, similarity
from migrate.errors import ConfigError
from migrate.manifest.place import Manifests
from migrate.manifest.read import read_table
from migrate.manifest.table_file import read_rows
from migrate.manifest.write import replace_table
from tests.cli.inline import say
from tests.engine.seeded import SOURCE, write_config

ORDERS = [
    {"accession_number": "A1", "study_date": "20260101", "modality": "CT", "patient_name": "Doe^Jane"},
    {"accession_number": "A2", "study_date": "20260101", "modality": "CT", "patient_name": "Roe^Richard"},
    {"accession_number": "A3", "study_date": "2026-01-02", "modality": "MR", "patient_name": "Müller^Anna"},
    {"accession_number": "D", "study_date": "20260103", "modality": "US", "patient_name": "Poe^Pat"},
    {"accession_number": "D", "study_date": "20260104", "modality": "US", "patient_name": "Poe^Pat"},
    {"accession_number": "E", "study_date": "20260105", "modality": "CR", "patient_name": "Moe^Max"},
    {"accession_number": "E", "study_date": "20260105", "modality": "MG", "patient_name": "Moe^Max"},
    {"accession_number": "F1", "study_date": "20260106", "modality": "CT", "patient_name": "Lee^Ann"},
    {"accession_number": "F2", "study_date": "20260106", "modality": "CT", "patient_name": "Lee^Anna"},
]
STUDY = {"accession_number": "A1", "study_date": "20260101", "modality": "CT", "patient_name": "DOE^JANE"}

#: What the study says otherwise -> outcome, row of the list, class.
CASES: dict[str, tuple[dict[str, Any], tuple[str, int | None, str | None]]] = {
    "everything agrees": ({}, ("matched", 2, None)),
    "only the accession number is known": (
        {"study_date": "", "modality": "", "patient_name": ""},
        ("matched", 2, None),
    ),
    "the accession number agrees, the name is another": (
        {"patient_name": "Zimmer^Karl"},
        ("ambiguous", None, "PATIENT_CONFLICT"),
    ),
    "the accession number agrees, the modality is another": (
        {"modality": "MR"},
        ("ambiguous", None, "PATIENT_CONFLICT"),
    ),
    "two orders with one accession number": (
        {"accession_number": "D", "study_date": "20260103", "modality": "US", "patient_name": "Poe^Pat"},
        ("ambiguous", None, "UNMATCHED_ORDER"),
    ),
    "two orders that the modality tells apart": (
        {"accession_number": "E", "study_date": "20260105", "modality": "MG", "patient_name": "Moe^Max"},
        ("matched", 8, None),
    ),
    "no accession number, the name agrees": ({"accession_number": ""}, ("matched", 2, None)),
    "no accession number, other spelling": (
        {"accession_number": "", "study_date": "20260102", "modality": "MR", "patient_name": "Anna Mueller"},
        ("matched", 4, None),
    ),
    "no accession number, a name like it": (
        {"accession_number": "", "study_date": "20260102", "modality": "MR", "patient_name": "Anna Miller"},
        ("ambiguous", None, "UNMATCHED_ORDER"),
    ),
    "no accession number, without accents and in another order": (
        {"accession_number": "", "study_date": "20260102", "modality": "SR\\MR", "patient_name": "anna, muller"},
        ("matched", 4, None),
    ),
    "no accession number, two that may be meant": (
        {"accession_number": "", "study_date": "20260106", "patient_name": "Lee^Anna"},
        ("ambiguous", None, "UNMATCHED_ORDER"),
    ),
    "no accession number, no name": (
        {"accession_number": "", "patient_name": ""},
        ("ambiguous", None, "UNMATCHED_ORDER"),
    ),
    "nobody": ({"accession_number": "X", "study_date": "19990101"}, ("unmatched", None, "UNMATCHED_ORDER")),
}


@pytest.fixture(scope="module")
def orders() -> OrderList:
    found = OrderList()
    for row, line in enumerate(ORDERS, 2):
        found.add(order_of(line, row))
    return found


@pytest.mark.parametrize(("said", "expected"), CASES.values(), ids=CASES)
def test_a_study_is_matched_only_by_the_one_order_that_agrees(
    said: dict[str, Any], expected: tuple[str, int | None, str | None], orders: OrderList
) -> None:
    found: Match = orders.match(order_of({**STUDY, **said}))
    assert (found.outcome, found.row, found.exception_class) == expected


@pytest.mark.parametrize(("one", "other"), [("", "Doe^Jane"), ("^^", "Doe")])
def test_a_name_that_is_not_known_is_like_no_other(one: str, other: str) -> None:
    assert similarity(one, other) is None


def test_a_list_without_its_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("accession_number,date\nA1,20260101\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="no column study_date"):
        read_orders(path, read_rows)


def test_the_command_reports_the_rates_and_writes_rows_without_names(tmp_path: Path) -> None:
    write_config(tmp_path)
    uids = ["1.1", "1.2", "1.3"]
    studies = {
        "study_instance_uid": uids,
        "accession_number": ["A1", "D", None],
        "study_date": ["20260101", "20260103", "19990101"],
        "modalities_in_study": ["CT", "US", "CT"],
    }
    names = {"study_instance_uid": uids, "patient_name": ["DOE^JANE", "Poe^Pat", "Zimmer^Karl"]}
    replace_table(Manifests(tmp_path, SOURCE), "studies", [studies])
    replace_table(Manifests(tmp_path, SOURCE), "identities", [names])
    lines = [",".join(ORDERS[0]), *(",".join(order.values()) for order in ORDERS)]
    (tmp_path / "orders.csv").write_text("\n".join(lines), encoding="utf-8")
    said = say(tmp_path, "--json", "identities", "match", str(tmp_path / "orders.csv"))
    assert said.json == {"studies": 3, "matched": 1, "ambiguous": 1, "unmatched": 1}
    rows = read_table(tmp_path, "order_matches").to_pylist()
    assert [(row["study_instance_uid"], row["outcome"], row["row"]) for row in rows] == [
        ("1.1", "matched", 2),
        ("1.2", "ambiguous", None),
        ("1.3", "unmatched", None),
    ]
    assert "DOE" not in repr(rows)
