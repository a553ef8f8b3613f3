"""A plan over tables: waves, who is booked, estimates, and what happens when the plan changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from migrate.config import Config, load
from migrate.engine.planning import Outline, make_plan, register_found
from migrate.errors import ConfigError
from migrate.journal import read
from migrate.journal.states import State
from migrate.journal.store import Journal
from migrate.manifest.place import Manifests
from migrate.manifest.sizes import learnt_sizes, main_modality
from migrate.manifest.write import replace_table, write_part
from migrate.stages.booked import read_booked
from tests.cli.inline import say

STUDIES = (
    # uid, patient key, patient id, date, modalities, instances
    ("1.2.3.1", "k1", "SECRET-1", "20240101", "CT", 100),
    ("1.2.3.2", "k1", "SECRET-1", "19990101", "CR\\SR", None),
    ("1.2.3.3", "k2", "SECRET-2", "20200101", "MR", 50),
    ("1.2.3.4", "k3", "SECRET-3", "", "", None),
)
TOML = """[run]
name = "t"
source = "TEST"
[plan]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    manifests = Manifests(tmp_path, "TEST")
    uids, keys, patients, dates, modalities, counts = (list(column) for column in zip(*STUDIES, strict=True))
    studies = {"study_instance_uid": uids, "patient_key": keys, "study_date": dates, "modalities_in_study": modalities}
    replace_table(manifests, "studies", [{**studies, "instance_count": counts}])
    people = {"study_instance_uid": uids, "patient_key": keys, "patient_id": patients}
    replace_table(manifests, "identities", [{**people, "issuer_of_patient_id": ["A", "A", "B", None]}])
    return tmp_path


def configured(folder: Path, plan: str) -> Config:
    (folder / "migration.toml").write_text(TOML + plan, encoding="utf-8")
    return load(folder / "migration.toml")


def planned(folder: Path, plan: str) -> Outline:
    config = configured(folder, plan)
    with Journal(folder) as journal:
        register_found(journal, folder)
        return make_plan(journal, folder, config)


def order_of(folder: Path) -> list[str]:
    with Journal(folder) as journal:
        return [study.study_instance_uid for study in journal.ready(State.PLANNED, 9e9, 10)]


def listed(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "list.csv"
    path.write_text(text, encoding=encoding)
    return path


LISTS: list[Any] = [
    ("SECRET-1\n1.2.3.4\n", {"1.2.3.1", "1.2.3.2", "1.2.3.4"}, ()),
    ("patient_id\nSECRET-2\nNOBODY\n", {"1.2.3.3"}, (3,)),
    ("\ufeffPatient ID;Issuer of Patient ID\r\nSECRET-1;A\r\nSECRET-2;A\r\n", {"1.2.3.1", "1.2.3.2"}, (3,)),
    ("study_instance_uid,patient_id\n1.2.3.3,\n,SECRET-3\n9.9.9.9,\n", {"1.2.3.3", "1.2.3.4"}, (4,)),
    ("1.2.3.3\n1.2.3.3\n\n", {"1.2.3.3"}, (1,)),
]


@pytest.mark.parametrize(("text", "expected", "unmatched"), LISTS)
def test_a_list_finds_studies_by_uid_and_every_study_of_a_patient(
    folder: Path, text: str, expected: set[str], unmatched: tuple[int, ...]
) -> None:
    booked = read_booked(folder, listed(folder, text))
    rows = [{"study_instance_uid": uid, "patient_key": key} for uid, key, *_ in STUDIES]
    assert {row["study_instance_uid"] for row in rows if booked.holds(row)} == expected
    assert booked.unmatched == unmatched


@pytest.mark.parametrize("text", ["", "\n\n", "patient_id\n"], ids=["empty", "blank", "heading"])
def test_an_empty_list_is_refused(folder: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="empty"):
        read_booked(folder, listed(folder, text))


def test_a_list_that_is_not_there_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_booked(folder, folder / "no.csv")


def test_booked_patients_go_first_and_nothing_says_who_they_are(folder: Path) -> None:
    listed(folder, "SECRET-2\nSECRET-9\n")
    configured(folder, 'waves = ["booked"]\nbooked = "list.csv"\n')
    with Journal(folder) as journal:
        register_found(journal, folder)
    said = say(folder, "plan")
    assert said.code == 0, said.stderr
    assert order_of(folder)[0] == "1.2.3.3"
    assert "lines of list.csv that match nobody: 1 (2)" in said.stdout
    explained = say(folder, "plan", "--explain", "1.2.3.3")
    assert "wave       1 of 2: booked" in explained.stdout
    assert "SECRET" not in said.stdout + said.stderr + explained.stdout


def test_a_changed_plan_moves_studies_and_keeps_the_time_of_the_first_one(folder: Path) -> None:
    first = planned(folder, 'order = ["newest"]\n')
    assert (first.planned, first.reordered) == (4, 0)
    before = {row["study_instance_uid"]: row for row in read.events(folder) if row["kind"] == "Planned"}
    assert order_of(folder) == ["1.2.3.1", "1.2.3.3", "1.2.3.2", "1.2.3.4"]
    second = planned(folder, 'order = ["oldest"]\n')
    assert (second.planned, second.reordered) == (0, 3)
    assert order_of(folder) == ["1.2.3.2", "1.2.3.3", "1.2.3.1", "1.2.3.4"]
    times = {row["payload"]["modified_at"] for row in read.events(folder) if row["kind"] == "Planned"}
    assert times == {before["1.2.3.1"]["payload"]["modified_at"]}
    assert planned(folder, 'order = ["oldest"]\n').reordered == 0


def received(folder: Path, sizes: Sequence[tuple[str, int, int]]) -> None:
    rows = [(uid, f"{uid}.{n}", size) for uid, count, size in sizes for n in range(count)]
    uids, sops, size_bytes = (list(column) for column in zip(*rows, strict=True))
    columns = {"study_instance_uid": uids, "sop_instance_uid": sops, "size_bytes": size_bytes}
    write_part(Manifests(folder, "TEST"), "evidence", "0001", columns)


def test_nothing_is_estimated_before_anything_has_arrived(folder: Path) -> None:
    [wave] = planned(folder, "").waves
    assert wave.to_json() == {"wave": "everything else", "studies": 4, "instances": 150, "estimated_bytes": None}


def test_sizes_are_learnt_by_modality_and_the_mean_of_all_serves_the_others(folder: Path) -> None:
    received(folder, [("1.2.3.1", 10, 500), ("1.2.3.3", 10, 100)])
    sizes = learnt_sizes(folder)
    assert sizes.bytes_per_instance() == {"*": 300, "CT": 500, "MR": 100}
    assert sizes.expected({"modalities_in_study": "CT\\SR", "instance_count": 7}) == (7, 3500)
    assert sizes.expected({"modalities_in_study": "SR\\MR", "number_of_study_related_instances": 2}) == (2, 200)
    assert sizes.expected({"modalities_in_study": "US"}) == (10, 3000)


def test_waves_say_how_much_they_hold(folder: Path) -> None:
    received(folder, [("1.2.3.1", 10, 1000)])
    waves = planned(folder, 'waves = ["modalities_in_study = MR"]\n').waves
    assert [wave.to_json() for wave in waves] == [
        {"wave": "modalities_in_study = MR", "studies": 1, "instances": 50, "estimated_bytes": 50_000},
        {"wave": "everything else", "studies": 3, "instances": 120, "estimated_bytes": 120_000},
    ]


@pytest.mark.parametrize(
    ("text", "expected"), [("CT", "CT"), ("SR\\CT", "CT"), ("PR\\SR", "PR"), ("", ""), (None, ""), ("OT\\MG", "MG")]
)
def test_the_main_modality_is_the_one_that_makes_the_size(text: str | None, expected: str) -> None:
    assert main_modality(text) == expected
