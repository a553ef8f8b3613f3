"""What the command line says: errors with a hint, one JSON object, the right exit code, and no patient."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from migrate.journal.opening import FILE_NAME
from migrate.manifest.read import read_table
from tests.engine.command import Ended, migrate
from tests.engine.inline import run_inline
from tests.engine.migration import Migrate, Migration
from tests.engine.objects import CANARY_BIRTH_DATE, CANARY_ID, CANARY_NAME, UID_ROOT, many
from tests.engine.seeded import write_config

SECRETS = (CANARY_NAME, "CANARY", "ZZQ", CANARY_ID, CANARY_BIRTH_DATE)


def error_of(ended: Ended) -> tuple[str, str]:
    """The error and its hint, which are all that stderr says."""
    lines = ended.stderr.splitlines()
    assert len(lines) == 2, ended.stderr
    assert lines[0].startswith("error: ")
    assert lines[1].startswith("hint: ")
    return lines[0].removeprefix("error: "), lines[1].removeprefix("hint: ")


def test_without_a_run_folder_the_hint_says_how_to_make_one(tmp_path: Path) -> None:
    ended = migrate(tmp_path / "nowhere", "status")
    assert ended.code == 20
    _, hint = error_of(ended)
    assert "migrate init" in hint


def test_a_wrong_key_shows_file_line_and_what_is_allowed(tmp_path: Path) -> None:
    write_config(tmp_path / "run")
    path = tmp_path / "run" / "migration.toml"
    path.write_text(path.read_text() + "speed = 9\n")
    ended = migrate(tmp_path / "run", "status")
    error, hint = error_of(ended)
    assert ended.code == 20
    assert f"{path}:{len(path.read_text().splitlines())}" in error
    assert "reserve_gb" in hint


def test_an_error_under_json_is_one_object_that_says_the_same(tmp_path: Path) -> None:
    ended = migrate(tmp_path / "nowhere", "--json", "status")
    assert ended.code == 20
    assert set(ended.json) == {"error", "facts", "hint", "exit_code"}
    assert ended.json["exit_code"] == 20
    assert ended.json["error"] in error_of(ended)[0]


@pytest.mark.parametrize(
    "arguments", [("nonsense",), ("run", "--nonsense"), ("run", "--limit", "0"), ("exceptions",), ()]
)
def test_wrong_usage_is_2_and_no_traceback(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ended = migrate(tmp_path, *arguments)
    assert ended.code == 2
    assert "Traceback" not in ended.stderr


def test_init_makes_a_folder_for_its_owner_that_the_tool_can_read_and_never_overwrites_it(tmp_path: Path) -> None:
    folder = tmp_path / "R"
    assert migrate(tmp_path, "init", str(folder)).code == 0
    assert folder.stat().st_mode & 0o777 == 0o700
    status = migrate(folder, "--json", "status")
    assert status.code == 0
    assert status.json["states"] == {}
    again = migrate(tmp_path, "init", str(folder))
    assert again.code == 20
    assert "run folder already" in error_of(again)[0]


STATUS_KEYS = {"run", "source", "states", "instances", "bytes", "exceptions", "rates", "eta"}


def moved(one: Migration) -> Migration:
    assert run_inline(one.run) is None
    return one


@pytest.fixture
def troubled(migration: Migrate) -> Migration:
    """Two studies moved, one in quarantine because nothing of it came."""
    orders = {"move": {"success_nothing_sent_for": (f"{UID_ROOT}.3",)}}
    return moved(migration(many(3), {"limits": {"attempts": 1, "backoff_s": 0.01}}, legacy=orders))


def test_a_quarantined_study_can_be_listed_shown_waived_exported_and_retried(troubled: Migration) -> None:
    folder, study = troubled.run.folder, f"{UID_ROOT}.3"
    status = migrate(folder, "--json", "status").json
    assert set(status) >= STATUS_KEYS
    assert status["states"] == {"QUARANTINED": 1, "VERIFIED": 2}
    assert status["exceptions"] == {"MISSING_AT_SOURCE": 1}
    assert status["instances"] == {"source": 9, "received": 6, "uploaded": 6, "verified": 6}

    listed = migrate(folder, "--json", "exceptions", "list").json["exceptions"]
    assert {row["study_instance_uid"] for row in listed} == {study}
    assert len(migrate(folder, "--json", "exceptions", "show", study).json["exceptions"]) == 3

    exported = migrate(folder, "--json", "exceptions", "export", "--to", str(folder / "x.csv"))
    assert exported.json["rows"] == 3
    assert "MISSING_AT_SOURCE" in (folder / "x.csv").read_text()

    assert migrate(folder, "exceptions", "waive", study).code == 2
    waived = migrate(folder, "--json", "exceptions", "waive", study, "--reason", "lost in 2009", "--by", "Lee")
    assert waived.json == {"studies": 1}
    assert migrate(folder, "--json", "exceptions", "list").json["exceptions"] == []
    dispositions = {row["reason"] for row in migrate(folder, "--json", "exceptions", "show", study).json["exceptions"]}
    assert dispositions == {"lost in 2009"}

    assert migrate(folder, "--json", "exceptions", "retry", study).json == {"studies": 1}
    assert migrate(folder, "--json", "status").json["states"] == {"PLANNED": 1, "VERIFIED": 2}
    story = [event["kind"] for event in migrate(folder, "--json", "status", "--story", study).json["events"]]
    assert story[-3:] == ["Quarantined", "Waived", "Retried"]


def test_a_run_with_quarantined_studies_ends_with_3_and_says_where_to_look(migration: Migrate) -> None:
    orders = {"move": {"success_nothing_sent_for": (f"{UID_ROOT}.1",)}}
    one = migration(many(1), {"limits": {"attempts": 1}}, legacy=orders)
    ended = migrate(one.run.folder, "run")
    assert ended.code == 3
    assert "migrate exceptions list" in ended.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("exceptions", "show", "1.2.3"),
        ("exceptions", "retry", "1.2.3"),
        ("exceptions", "retry"),
        ("status", "--story", "1.2.3"),
        ("plan", "--explain", "1.2.3"),
    ],
)
def test_a_study_that_is_not_known_is_wrong_usage(migration: Migrate, arguments: tuple[str, ...]) -> None:
    ended = migrate(migration(many(1)).run.folder, *arguments)
    assert ended.code == 2
    error_of(ended)


def test_a_plan_explains_where_a_study_is_and_why_it_stays_behind(migration: Migrate) -> None:
    one = migration(many(1), {"plan": {"exclude": ["modalities_in_study = CT"]}})
    told = migrate(one.run.folder, "--json", "plan", "--explain", f"{UID_ROOT}.1").json
    assert told["excluded_by"] == ["modalities_in_study = CT"]
    assert migrate(one.run.folder, "--json", "status").json["states"] == {"EXCLUDED": 1}


def test_every_command_can_be_run_again(migration: Migrate) -> None:
    one = moved(migration(many(1)))
    for arguments in (("plan",), ("run",), ("reconcile",), ("report",), ("reconcile",)):
        ended = migrate(one.run.folder, "--json", *arguments)
        assert ended.code == 0, ended.stderr
        json.loads(ended.stdout)
    assert one.sent() == one.once()


def test_the_patient_is_in_no_output_no_event_no_path_and_no_report(migration: Migrate, tmp_path: Path) -> None:
    orders = {"move": {"success_nothing_sent_for": (f"{UID_ROOT}.2",), "truncate_every": 4}}
    coercing = {"store": {"coerce": {"InstitutionName": "DI-R"}}}
    packs = {"normalize": {"packs": ["common"]}, "normalize.values": {"issuer_of_patient_id": "TEST"}}
    settings = {**packs, "limits": {"attempts": 1}}
    one = migration(many(3), settings, legacy=orders, dir_=coercing)
    folder = one.run.folder
    commands = (
        ("-vv", "crawl"),
        ("-vv", "plan"),
        ("-vv", "run"),
        ("-vv", "status"),
        ("-vv", "--json", "status", "--story", f"{UID_ROOT}.1"),
        ("-vv", "exceptions", "list", "--all"),
        ("-vv", "reconcile"),
        ("-vv", "report", "--redact"),
    )
    said = []
    for arguments in commands:
        ended = migrate(folder, *arguments)
        assert ended.code in {0, 3, 4, 5}, (arguments, ended.stderr)
        said.append(ended.stdout + ended.stderr)
    with sqlite3.connect(folder / FILE_NAME) as db:
        said += [str(row) for row in db.execute("SELECT * FROM events")]
        said += [str(row) for row in db.execute("SELECT * FROM exceptions")]
        said += [str(row) for row in db.execute("SELECT study_instance_uid, detail FROM studies")]
    db.close()
    said += [str(path) for path in folder.rglob("*")]
    said += [path.read_text(errors="replace") for path in (folder / "reports").rglob("*") if path.is_file()]
    everything = "\n".join(said)
    assert len(everything) > 5000
    assert [secret for secret in SECRETS if secret in everything] == []
    assert CANARY_ID in _identities(folder)


def _identities(folder: Path) -> str:
    """The one table that may say it: proof that the search would have found the patient."""
    return str(read_table(folder, "identities").to_pylist()) + str(read_table(folder, "identity_changes").to_pylist())
