"""Whose number is this: crosswalk, PIXm, cache and work list; nothing is guessed, nothing is shown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from migrate.engine.identifying import look_up
from migrate.errors import ConfigError, PeerUnavailable
from migrate.journal import read
from migrate.manifest.crosswalk import known_phns
from migrate.manifest.place import Manifests
from migrate.manifest.table_file import read_rows
from migrate.manifest.write import replace_table
from migrate.rules.crosswalk import read_crosswalk
from migrate.wire.pixm import PixmClient, PixmOutcome, PixmServer
from tests.cli.inline import say
from tests.engine.inline import run_inline
from tests.engine.migration import Migrate
from tests.engine.objects import CANARY_ID, many
from tests.engine.seeded import SOURCE, write_config
from tests.peers.pixm import SOURCE_SYSTEM, TARGET_SYSTEM, Pixm, pixm_running
from tests.peers.ports import free_port
from tests.rules.kit import OTHER_PHN, PHN, WRONG_PHN

NOW = datetime(2026, 3, 4, tzinfo=UTC)
KNOWN = {"MRN1": (PHN,), "TWO": (PHN, OTHER_PHN), "NONE": (), "WRONG": (WRONG_PHN,), "ELSE": (PHN,), "SLOW": (PHN,)}
KNOWN |= {"HTML": (PHN,), "CLOSED": (PHN,)}
ORDERS = {"ELSE": "elsewhere", "SLOW": "slow", "HTML": "html", "CLOSED": "closes", "S400": "400", "S403": "403"}
ORDERS |= {"S500": "500", "S401": "401"}


@pytest.fixture(scope="module")
def pixm() -> Iterator[Pixm]:
    with pixm_running(Pixm(KNOWN, ORDERS)) as running:
        yield running


ANSWERS = {
    "one number": ("MRN1", PixmOutcome.FOUND),
    "404: not known": ("NOBODY", PixmOutcome.UNKNOWN),
    "no number in the target domain": ("NONE", PixmOutcome.UNKNOWN),
    "a number of another domain": ("ELSE", PixmOutcome.UNKNOWN),
    "two numbers": ("TWO", PixmOutcome.AMBIGUOUS),
    "400: source domain not known": ("S400", PixmOutcome.REFUSED),
    "401: no access": ("S401", PixmOutcome.REFUSED),
    "403: target domain not known": ("S403", PixmOutcome.REFUSED),
    "500": ("S500", PixmOutcome.UNAVAILABLE),
    "slow": ("SLOW", PixmOutcome.UNAVAILABLE),
    "a page instead of FHIR": ("HTML", PixmOutcome.UNAVAILABLE),
    "hangs up": ("CLOSED", PixmOutcome.UNAVAILABLE),
}


@pytest.mark.parametrize(("number", "outcome"), ANSWERS.values(), ids=ANSWERS)
def test_every_answer_has_its_outcome_and_only_one_has_a_number(number: str, outcome: PixmOutcome, pixm: Pixm) -> None:
    client = PixmClient(PixmServer(url=pixm.url, target_system=TARGET_SYSTEM, timeout_s=0.3))
    found = client.lookup(SOURCE_SYSTEM, number)
    after = client.lookup(SOURCE_SYSTEM, "MRN1")
    client.close()
    assert (found.outcome, found.value) == (outcome, PHN if outcome is PixmOutcome.FOUND else None)
    assert number not in found.why
    assert after.value == PHN


def test_a_server_that_is_down_is_unavailable() -> None:
    client = PixmClient(PixmServer(url=f"http://127.0.0.1:{free_port()}/fhir", target_system=TARGET_SYSTEM))
    assert client.lookup(SOURCE_SYSTEM, "MRN1").outcome is PixmOutcome.UNAVAILABLE


def test_the_token_goes_out_as_a_bearer_token() -> None:
    with pixm_running(Pixm(KNOWN, token="secret")) as running:
        outcomes = []
        for token in ("secret", ""):
            client = PixmClient(PixmServer(url=running.url, target_system=TARGET_SYSTEM, token=token))
            outcomes.append(client.lookup(SOURCE_SYSTEM, "MRN1").outcome)
            client.close()
    assert outcomes == [PixmOutcome.FOUND, PixmOutcome.REFUSED]


def seed(folder: Path, *patients: tuple[str, str], **identity: Any) -> Any:
    """A run folder whose crawl saw these patients."""
    systems = {"identity.systems": {"FHA": SOURCE_SYSTEM}}
    config = write_config(folder, {"identity": {"timeout_s": 0.3, "target_system": TARGET_SYSTEM, **identity}}, systems)
    columns = {
        "study_instance_uid": [f"1.2.{number}" for number, _ in enumerate(patients)],
        "patient_id": [number for number, _ in patients],
        "issuer_of_patient_id": [issuer for _, issuer in patients],
    }
    replace_table(Manifests(folder, SOURCE), "identities", [columns])
    return config


def outcomes(folder: Path, config: Any, at: datetime = NOW) -> dict[str, tuple[str, str | None]]:
    rows = look_up(folder, config, at, lambda _: None)
    return {row.patient_id: (row.outcome, row.exception_class) for row in rows}


def test_every_answer_goes_to_its_work_list_and_only_valid_numbers_are_used(tmp_path: Path, pixm: Pixm) -> None:
    patients = [(name, "FHA") for name in ("MRN1", "TWO", "NOBODY", "WRONG", "S400", "S403", "SLOW")]
    config = seed(tmp_path, *patients, ("ALIEN", "ELSEWHERE"), pixm_url=pixm.url)
    assert outcomes(tmp_path, config) == {
        "MRN1": ("found", None),
        "TWO": ("ambiguous", "PATIENT_CONFLICT"),
        "WRONG": ("invalid", "PATIENT_CONFLICT"),
        "NOBODY": ("unknown", "UNMATCHED_ORDER"),
        "S400": ("refused", "UNMATCHED_ORDER"),
        "S403": ("refused", "UNMATCHED_ORDER"),
        "SLOW": ("unavailable", "UNMATCHED_ORDER"),
        "ALIEN": ("refused", "UNMATCHED_ORDER"),
    }
    assert known_phns(tmp_path) == {("MRN1", "FHA"): PHN}


def test_an_answer_is_kept_until_it_is_old_and_silence_is_asked_again(tmp_path: Path, pixm: Pixm) -> None:
    config = seed(tmp_path, ("MRN1", "FHA"), ("NOBODY", "FHA"), ("S500", "FHA"), pixm_url=pixm.url)
    outcomes(tmp_path, config)
    for days, expected in ((1, ["S500"]), (31, ["MRN1", "NOBODY", "S500"])):
        pixm.asked.clear()
        outcomes(tmp_path, config, NOW + timedelta(days=days))
        assert sorted(pixm.asked) == expected


def test_the_file_goes_before_the_server(tmp_path: Path, pixm: Pixm) -> None:
    config = seed(tmp_path, ("MRN1", "FHA"), ("MRN1", ""), crosswalk="walk.csv", pixm_url=pixm.url)
    (tmp_path / "walk.csv").write_text(f"mrn,issuer,phn\nMRN1,FHA,{OTHER_PHN}\n", encoding="utf-8")
    outcomes(tmp_path, config)
    assert known_phns(tmp_path) == {("MRN1", "FHA"): OTHER_PHN}


def test_a_silent_server_stops_the_lookup_and_keeps_what_was_learnt(tmp_path: Path, pixm: Pixm) -> None:
    silent = [(f"S500{number:03}", "FHA") for number in range(30)]
    with pixm_running(Pixm(KNOWN, {number: "500" for number, _ in silent})) as running:
        config = seed(tmp_path, ("MRN1", "FHA"), *silent, pixm_url=running.url)
        with pytest.raises(PeerUnavailable, match="does not answer"):
            look_up(tmp_path, config, NOW, lambda _: None)
        assert len(running.asked) < 30
    assert known_phns(tmp_path) == {("MRN1", "FHA"): PHN}


def test_without_a_place_to_look_the_hint_names_both(tmp_path: Path) -> None:
    config = seed(tmp_path, ("MRN1", ""))
    with pytest.raises(ConfigError, match="nowhere to look") as caught:
        look_up(tmp_path, config, NOW, lambda _: None)
    assert "pixm_url" in caught.value.hint


HEAD = "mrn,issuer,phn\n"
BAD_FILES = {
    "a wrong column": ("mrn,issuer,number\nA,,1\n", "has no phn", {"row": 2}),
    "a short row": (f"{HEAD}A,,{PHN}\nB\n", "has no issuer", {"row": 3}),
    "an empty number": (f"{HEAD}A,,\n", "empty number", {"row": 2}),
    "a duplicate": (f"{HEAD}A,F,{PHN}\nB,F,{PHN}\nA,F,{PHN}\n", "stands twice", {"rows": "2, 4"}),
    "a contradiction": (f"{HEAD}A,F,{PHN}\nA,F,{OTHER_PHN}\n", "has two PHNs", {"rows": "2, 3"}),
}


@pytest.mark.parametrize(("text", "fact", "facts"), BAD_FILES.values(), ids=BAD_FILES)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_doubtful_crosswalk_is_refused_with_its_rows_and_no_number(
    kind: str, text: str, fact: str, facts: dict[str, object], tmp_path: Path
) -> None:
    path = tmp_path / f"walk.{kind}"
    lines = [line.split(",") for line in text.splitlines()]
    if kind == "csv":
        path.write_text(text, encoding="utf-8")
    else:
        names = lines[0]
        rows = [dict(zip(names, line, strict=False)) for line in lines[1:]]
        pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in names}), path)
    with pytest.raises(ConfigError, match=fact) as caught:
        read_crosswalk(path, read_rows)
    assert facts.items() <= caught.value.facts.items()
    assert PHN not in str(caught.value)


def test_a_crosswalk_is_read_from_csv_and_parquet_alike(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"{HEAD}A,F,{PHN}\nA,,{OTHER_PHN}\n", encoding="utf-8")
    table = pa.table({"mrn": ["A", "A"], "issuer": ["F", ""], "phn": [int(PHN), int(OTHER_PHN)]})
    pq.write_table(table, tmp_path / "a.parquet")
    found = [read_crosswalk(tmp_path / name, read_rows) for name in ("a.csv", "a.parquet")]
    assert found[0] == found[1] == {("A", "F"): PHN, ("A", ""): OTHER_PHN}


PACK = """name = "ours"
version = "1"
description = "PHN looked up"
[[rule]]
name = "phn"
kind = "phn_from_crosswalk"
issuer = "BC_PHN"
"""


def test_what_was_looked_up_before_the_run_is_written_by_it_and_stays_out_of_sight(migration: Migrate) -> None:
    one = migration(
        many(1, instances=1), {"identity": {"crosswalk": "walk.csv"}, "normalize": {"packs": ["ours.toml"]}}
    )
    (one.run.folder / "ours.toml").write_text(PACK, encoding="utf-8")
    (one.run.folder / "walk.csv").write_text(f"{HEAD}{CANARY_ID},,{PHN}\n", encoding="utf-8")
    study = one.objects[0].study_instance_uid
    identity = {"study_instance_uid": [study], "patient_id": [CANARY_ID], "issuer_of_patient_id": [""]}
    replace_table(Manifests(one.run.folder, SOURCE), "identities", [identity])
    said = say(one.run.folder, "--json", "identities", "lookup")
    assert (said.code, said.json["outcomes"]) == (0, {"found": 1})
    assert run_inline(one.run) is None
    after = [row["after"] for row in one.run.rows("identity_changes") if row["path"].endswith("00100020")]
    assert PHN in after
    shown = said.stdout + say(one.run.folder, "identities", "lookup").stdout
    assert PHN not in shown
    assert {row["outcome"] for row in one.run.rows("verification")} == {"match"}


def test_a_patient_that_nobody_knows_is_noted_and_moved_as_it_is(migration: Migrate) -> None:
    one = migration(many(1, instances=1), {"normalize": {"packs": ["ours.toml"]}})
    (one.run.folder / "ours.toml").write_text(PACK, encoding="utf-8")
    assert run_inline(one.run) is None
    assert [(row["exception_class"], row["disposition"]) for row in read.exceptions(one.run.folder)] == [
        ("UNMATCHED_ORDER", "noted")
    ]
    assert one.held() == one.expected()
