"""Both sides walked together, on an example run folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from migrate.checks.reconcile import Destination, ReconcileOptions, Reconciliation, reconcile
from migrate.errors import LocalError, ManifestDamaged
from migrate.journal import events as e
from migrate.journal.store import Journal
from migrate.manifest.read import read_table
from tests.report.example import SOURCE, Study, build_run

Held = dict[str, set[str]]


@pytest.fixture
def run(tmp_path: Path) -> tuple[Path, list[Study]]:
    return tmp_path, build_run(tmp_path, count=24)


def everything(studies: Iterable[Study]) -> Held:
    """What an honest destination holds: all of VERIFIED, and of QUARANTINED what was received."""
    moved = [study for study in studies if study.fate in {"VERIFIED", "QUARANTINED"}]
    lost = {study.uid: study.sops[-1][0] for study in moved if study.fate == "QUARANTINED" and study.number % 2}
    return {study.uid: {sop for sop, _ in study.sops} - {lost.get(study.uid, "")} for study in moved}


def against(folder: Path, named: Held, held: Held | None = None) -> tuple[Reconciliation, list[str]]:
    """Reconcile; the destination names `named` at first and `held` when asked again."""
    asked: list[str] = []
    truth = named if held is None else held

    def holds(uid: str) -> set[str]:
        asked.append(uid)
        return truth.get(uid, set())

    options = ReconcileOptions(destination=Destination(held=sorted(named.items()), holds=holds))
    return reconcile(folder, SOURCE, options), asked


def test_an_honest_destination_gives_no_unexplained_finding(run: tuple[Path, list[Study]]) -> None:
    folder, studies = run
    result, _ = against(folder, everything(studies))
    assert result.balanced
    assert result.unexplained == 0
    assert result.findings["extra"] == 0
    assert result.studies["source"] == len(studies)
    assert result.instances["source"] == sum(study.instances for study in studies)


def test_the_outcomes_account_for_every_instance_of_the_source(run: tuple[Path, list[Study]]) -> None:
    folder, studies = run
    result, _ = against(folder, everything(studies))
    found = result.findings
    assert found["match"] + found["missing"] + found["differs"] + found["unverifiable"] == result.instances["source"]


def test_an_instance_is_asked_for_again_before_it_is_called_missing(run: tuple[Path, list[Study]]) -> None:
    folder, studies = run
    held = everything(studies)
    victim = next(study for study in studies if study.fate == "VERIFIED")
    named = {uid: sops for uid, sops in held.items() if uid != victim.uid}
    result, asked = against(folder, named, held)
    assert victim.uid in asked
    assert result.unexplained == 0


def test_an_instance_that_is_truly_missing_is_a_finding(run: tuple[Path, list[Study]]) -> None:
    folder, studies = run
    held = everything(studies)
    victim = next(study for study in studies if study.fate == "VERIFIED")
    gone = victim.sops[0][0]
    held[victim.uid] = held[victim.uid] - {gone}
    result, asked = against(folder, held)
    assert victim.uid in asked
    assert result.unexplained == 1
    findings = read_table(folder, "findings").to_pylist()
    assert [(f["outcome"], f["exception_class"]) for f in findings if f["uid"] == gone] == [
        ("missing", "COUNT_MISMATCH")
    ]


def test_studies_not_yet_moved_are_not_asked_for(run: tuple[Path, list[Study]]) -> None:
    folder, studies = run
    _, asked = against(folder, everything(studies))
    waiting = {study.uid for study in studies if study.fate in {"PLANNED", "EXCLUDED"}}
    assert waiting.isdisjoint(asked)


def test_what_stands_only_at_the_destination_is_extra(run: tuple[Path, list[Study]]) -> None:
    folder, studies = run
    held = everything(studies)
    victim = next(study for study in studies if study.fate == "VERIFIED")
    held[victim.uid] = held[victim.uid] | {"1.2.99"}
    held["9.9.9"] = {"9.9.9.1"}
    result, _ = against(folder, held)
    assert result.findings["extra"] == 2
    assert result.unexplained == 2
    assert result.studies["source"] == len(studies)


def test_without_a_destination_the_last_proof_stands(run: tuple[Path, list[Study]]) -> None:
    folder, studies = run
    asked, _ = against(folder, everything(studies))
    offline = reconcile(folder, SOURCE)
    assert offline.instances == asked.instances
    assert offline.findings["match"] == asked.findings["match"]
    assert offline.findings["missing"] == 0


def test_a_study_that_only_the_journal_knows_unbalances_the_books(run: tuple[Path, list[Study]]) -> None:
    folder, _ = run
    with Journal(folder) as journal:
        journal.append([e.Found(study_instance_uid="1.2.9999")])
    assert not reconcile(folder, SOURCE).balanced


def test_reconciling_twice_gives_the_same_tables(run: tuple[Path, list[Study]]) -> None:
    folder, studies = run
    tables = []
    for _ in range(2):
        against(folder, everything(studies))
        tables.append([read_table(folder, name).to_pylist() for name in ("findings", "balance")])
    assert tables[0] == tables[1]


def test_a_destination_that_answers_out_of_order_stops_the_walk_and_the_old_tables_stay(
    run: tuple[Path, list[Study]],
) -> None:
    folder, studies = run
    before = read_table(folder, "balance").to_pylist()
    answers = sorted(everything(studies).items(), reverse=True)
    destination = Destination(held=answers, holds=lambda _uid: set())
    with pytest.raises(LocalError, match="not sorted"):
        reconcile(folder, SOURCE, ReconcileOptions(destination=destination))
    assert read_table(folder, "balance").to_pylist() == before


def test_a_damaged_table_is_named(run: tuple[Path, list[Study]]) -> None:
    folder, _ = run
    part = next((folder / "manifests" / "evidence").rglob("*.parquet"))
    content = bytearray(part.read_bytes())
    for place in range(100, len(content) // 2, 40):
        content[place] ^= 0xFF
    part.write_bytes(content)
    with pytest.raises(ManifestDamaged) as caught:
        reconcile(folder, SOURCE)
    assert part.name in str(caught.value)


def test_the_json_has_the_fields_of_the_contract(run: tuple[Path, list[Study]]) -> None:
    found = reconcile(run[0], SOURCE).to_json()
    books = ["source", "migrated", "excluded", "failed", "pending"]
    assert list(found) == ["balanced", "studies", "instances", "findings", "rejected"]
    assert list(found["studies"]) == books
    assert list(found["instances"]) == books
    assert list(found["findings"]) == ["match", "missing", "extra", "differs", "unverifiable"]
