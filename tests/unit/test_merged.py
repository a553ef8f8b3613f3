"""Merges change keys and nothing else, leave a record, and stay when the source is crawled again."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from migrate.demo.simulated import ListArchive, SimulatedSource, study_facts
from migrate.dicom.identifiers import IssuedId
from migrate.errors import UsageError
from migrate.manifest.merged import apply_merges
from migrate.manifest.place import Manifests
from migrate.manifest.read import read_table
from migrate.manifest.write import replace_table
from migrate.stages.crawl import crawl
from migrate.stages.crawl.request import DeltaTerms
from tests.crawling import journal
from tests.delta import delta_request

PEOPLE = [("1.1", "A", None), ("1.2", "A", None), ("1.3", "B", None), ("1.4", "C", "HOSP"), ("1.5", "C", "LAB")]


@pytest.fixture
def place(tmp_path: Path) -> Manifests:
    manifests = Manifests(tmp_path, "TEST")
    keys = [f"k{patient}{issuer or ''}" for _, patient, issuer in PEOPLE]
    uids = [uid for uid, _, _ in PEOPLE]
    columns = {"study_instance_uid": uids, "patient_key": keys}
    ids: dict[str, list[Any]] = {
        "patient_id": [patient for _, patient, _ in PEOPLE],
        "issuer_of_patient_id": [issuer for _, _, issuer in PEOPLE],
    }
    replace_table(manifests, "studies", [columns])
    replace_table(manifests, "identities", [{**columns, **ids}])
    return manifests


def keys(place: Manifests, table: str) -> dict[str, str]:
    rows = read_table(place.run_folder, table).to_pylist()
    return {row["study_instance_uid"]: row["patient_key"] for row in rows}


def who(patient_id: str, issuer: str = "") -> IssuedId:
    return IssuedId(patient_id, issuer)


def test_the_studies_of_the_prior_patient_get_the_key_of_the_survivor(place: Manifests) -> None:
    ids = read_table(place.run_folder, "identities", ["patient_id"]).to_pylist()
    found = apply_merges(place, {who("A"): who("B")})
    assert (found.patients, found.studies) == (1, ["1.1", "1.2"])
    for table in ("studies", "identities"):
        assert [keys(place, table)[uid] for uid in ("1.1", "1.2", "1.3")] == ["kB"] * 3
    assert read_table(place.run_folder, "identities", ["patient_id"]).to_pylist() == ids
    rows = read_table(place.run_folder, "identity_changes").to_pylist()
    assert {(row["study_instance_uid"], row["before"], row["after"], row["rule"]) for row in rows} == {
        ("1.1", "A", "B", "adt_a40"),
        ("1.2", "A", "B", "adt_a40"),
    }


def test_the_same_list_again_changes_nothing(place: Manifests) -> None:
    apply_merges(place, {who("A"): who("B")})
    again = apply_merges(place, {who("A"): who("B")})
    assert again.studies == []
    assert read_table(place.run_folder, "identity_changes").num_rows == 2


def test_two_patients_merged_into_one_of_whom_nothing_is_known_become_one(place: Manifests) -> None:
    found = apply_merges(place, {who("A"): who("Z"), who("B"): who("Z"), who("Y"): who("Z")})
    assert len(set(list(keys(place, "studies").values())[:3])) == 1
    assert (found.unknown_priors, found.unknown_survivors) == (1, 1)


def test_an_id_of_two_issuers_needs_its_issuer(place: Manifests) -> None:
    with pytest.raises(UsageError, match="several issuers"):
        apply_merges(place, {who("C"): who("B")})
    found = apply_merges(place, {who("C", "LAB"): who("B", "LAB")})
    assert found.studies == ["1.5"]


def test_a_later_crawl_keeps_who_is_one_person_and_sees_no_change(tmp_path: Path) -> None:
    studies = [study_facts(f"1.2.{n}", StudyDate="20200105", StudyTime="101500", PatientID=f"P{n}") for n in (1, 2)]
    source = SimulatedSource(ListArchive(studies))
    with journal(tmp_path) as db:
        asked = delta_request(tmp_path, db, lambda: source)
        crawl(asked)
        apply_merges(asked.manifests, {who("P1"): who("P2")})
        merged = keys(asked.manifests, "studies")
        again = crawl(replace(asked, delta=DeltaTerms(today=date(2020, 3, 31))))
    assert again.delta is not None
    assert again.delta.fixed_point
    assert keys(asked.manifests, "studies") == keys(asked.manifests, "identities") == merged
    assert len(set(merged.values())) == 1
