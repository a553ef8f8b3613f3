"""`migrate exceptions`: the register on a spreadsheet and back, owners, decisions, and four eyes."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from migrate.journal import events as e
from migrate.journal import read
from migrate.journal.operators import Operator, here, note_run, runs
from migrate.journal.store import Journal
from tests.cli.inline import Said, say
from tests.engine.events import MAKERS, defect
from tests.report.example import build_run

Rows = list[dict[str, str]]
Edit = Callable[[Rows], None]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build_run(folder := tmp_path_factory.mktemp("register") / "run", count=30)
    return folder


@pytest.fixture
def folder(tmp_path: Path, template: Path) -> Path:
    return shutil.copytree(template, tmp_path / "run")


def register(folder: Path) -> dict[str, dict[str, Any]]:
    return {row["study_instance_uid"]: row for row in read.exceptions(folder)}


def exported(folder: Path, name: str = "sheet.csv") -> Path:
    path = folder.parent / name
    assert say(folder, "exceptions", "export", "--to", str(path)).code == 0
    return path


def rewritten(path: Path, edit: Edit, *, separator: str = ",", encoding: str = "utf-8-sig") -> None:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    heads = list(rows[0])
    edit(rows)
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, heads, delimiter=separator)
        writer.writeheader()
        writer.writerows(rows)


def imported(folder: Path, edit: Edit, *options: str) -> Said:
    path = exported(folder)
    rewritten(path, edit)
    return say(folder, "exceptions", "import", str(path), *options)


def decide(row: dict[str, str], disposition: str, reason: str = "looked at the film", by: str = "Benoît") -> None:
    row.update(disposition=disposition, reason=reason, by=by)


@pytest.mark.parametrize("name", ["sheet.csv", "sheet.xlsx"])
def test_an_export_that_nobody_edited_changes_nothing(folder: Path, name: str) -> None:
    path, before = exported(folder, name), register(folder)
    said = say(folder, "--json", "exceptions", "import", str(path))
    assert said.code == 0, said.stderr
    assert said.json["unchanged"] == len(before)
    assert register(folder) == before


def test_a_sheet_brings_every_kind_of_decision_back_with_reason_and_name(folder: Path) -> None:
    def edit(rows: Rows) -> None:
        decide(rows[0], "retry")
        decide(rows[1], "accepted")
        decide(rows[2], "excluded", reason="=test patient")
        rows[0].update(owner="Ana", due="2026-12-31")

    uids = list(register(folder))
    said = imported(folder, edit)
    assert said.code == 0, said.stderr
    after = register(folder)
    assert [after[uid]["disposition"] for uid in uids[:3]] == ["retry", "accepted", "excluded"]
    assert after[uids[0]]["owner"] == "Ana"
    assert after[uids[0]]["due"] == "2026-12-31"
    assert after[uids[1]]["by"] == f"Benoît (account {here().os_user})"
    assert after[uids[2]]["reason"] == "=test patient"
    states = {row["study_instance_uid"]: row["state"] for row in read.study_states(folder)}
    assert [states[uid] for uid in uids[:3]] == ["PLANNED", "QUARANTINED", "EXCLUDED"]


def test_a_sheet_that_excel_saved_in_french_is_read(folder: Path) -> None:
    path = exported(folder)
    rewritten(path, lambda rows: rows[0].update(owner="Hélène"), separator=";", encoding="cp1252")
    assert say(folder, "exceptions", "import", str(path)).code == 0
    assert "Hélène" in {row["owner"] for row in register(folder).values()}


def test_a_workbook_gives_dates_back_as_days(folder: Path) -> None:
    path = exported(folder, "sheet.xlsx")
    book = openpyxl.load_workbook(path)
    sheet = book.worksheets[0]
    heads = [cell.value for cell in sheet[1]]
    sheet.cell(2, heads.index("due") + 1).value = datetime(2026, 9, 30)  # noqa: DTZ001 - as Excel stores it
    book.save(path)
    said = say(folder, "--json", "exceptions", "import", str(path))
    assert said.json["assigned"] == 1, said.stderr
    assert "2026-09-30" in {row["due"] for row in register(folder).values()}


WRONG: list[Any] = [
    pytest.param(lambda row: row.update(exception_class="CORRUPT"), "exception_class was edited", id="class"),
    pytest.param(lambda row: row.update(study_instance_uid="1.2.3"), "no such line", id="study"),
    pytest.param(lambda row: row.update(level="IMAGE"), "level was edited", id="level"),
    pytest.param(lambda row: decide(row, "ignored"), "no such disposition: ignored", id="disposition"),
    pytest.param(lambda row: decide(row, ""), "no such disposition: empty", id="empty"),
    pytest.param(lambda row: decide(row, "fixed"), "no such disposition: fixed", id="fixed"),
    pytest.param(lambda row: decide(row, "accepted", reason=""), "a decision needs a reason", id="reason"),
    pytest.param(lambda row: decide(row, "accepted", by=""), "a decision needs a reason and a name", id="name"),
    pytest.param(lambda row: row.update(due="31/12/2026"), "due is no date", id="date"),
    pytest.param(
        lambda row: row.update(reason="because"), "reason or by was edited without a decision", id="reason alone"
    ),
]


@pytest.mark.parametrize(("spoil", "complaint"), WRONG)
def test_one_wrong_row_is_named_by_its_number_and_nothing_is_applied(
    folder: Path, spoil: Callable[[dict[str, str]], None], complaint: str
) -> None:
    def edit(rows: Rows) -> None:
        decide(rows[0], "accepted")
        spoil(rows[1])

    before = register(folder)
    said = imported(folder, edit)
    assert said.code == 2
    assert "nothing was imported: 1 rows are wrong (rows=3)" in said.stderr
    assert f"row 3: {complaint}" in said.stderr
    assert register(folder) == before


def test_the_same_line_twice_is_refused(folder: Path) -> None:
    said = imported(folder, lambda rows: rows.append(rows[0]))
    assert said.code == 2
    assert "the same line as row 2" in said.stderr


def test_a_line_that_was_sent_round_again_is_not_decided_twice(folder: Path) -> None:
    uid = next(iter(register(folder)))
    with Journal(folder) as journal:
        journal.append([e.Retried(study_instance_uid=uid, by="ops", reason="again"), MAKERS[e.Quarantined](uid)])
    lines = [row for row in read.exceptions(folder) if row["study_instance_uid"] == uid]
    assert [line["disposition"] for line in lines].count("open") == 1

    def again(rows: Rows) -> None:
        for row in rows:
            if row["study_instance_uid"] == uid:
                decide(row, "accepted")

    said = imported(folder, again)
    assert "is retry, not open" in said.stderr


def test_the_open_lines_of_one_study_are_decided_alike_and_all_of_them(folder: Path) -> None:
    uid = next(iter(register(folder)))
    with Journal(folder) as journal:
        journal.append([e.Retried(study_instance_uid=uid, by="ops", reason="again"), quarantined_twice(uid)])

    def edit(rows: Rows) -> None:
        mine = [row for row in rows if row["study_instance_uid"] == uid and row["disposition"] == "open"]
        assert len(mine) == 2
        decide(mine[0], "accepted")

    said = imported(folder, edit)
    assert said.code == 2
    assert "2 open lines and 1 of them decided" in said.stderr


def quarantined_twice(uid: str) -> e.Quarantined:
    return e.Quarantined(study_instance_uid=uid, defects=(defect(uid, 1), defect(uid, 2)))


def test_a_dry_run_checks_and_changes_nothing(folder: Path) -> None:
    before = register(folder)
    said = imported(folder, lambda rows: decide(rows[0], "accepted"), "--dry-run")
    assert said.code == 0
    assert "would import" in said.stdout
    assert register(folder) == before


@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff\x00", b"a,b\n1,2\n", b"uid,uid\n1,2\n"], ids=["empty", "binary", "other", "twice"]
)
@pytest.mark.parametrize("name", ["sheet.csv", "sheet.xlsx", "sheet.ods"])
def test_what_is_no_sheet_of_ours_is_refused_with_a_sentence(folder: Path, name: str, content: bytes) -> None:
    path = folder.parent / name
    path.write_bytes(content)
    said = say(folder, "exceptions", "import", str(path))
    assert said.code == 2
    assert said.stderr.startswith("error: ")


def test_owners_and_due_dates_are_given_kept_and_taken_away(folder: Path) -> None:
    uid = next(iter(register(folder)))
    assert say(folder, "exceptions", "assign", uid, "--owner", "Ana", "--due", "2020-01-31").code == 0
    assert say(folder, "exceptions", "assign", uid, "--due", "2020-02-29").code == 0
    assert (register(folder)[uid]["owner"], register(folder)[uid]["due"]) == ("Ana", "2020-02-29")
    assert "owner Ana  OVERDUE since 2020-02-29" in say(folder, "exceptions", "list").stdout
    assert say(folder, "exceptions", "assign", uid, "--owner", "", "--due", "").code == 0
    assert (register(folder)[uid]["owner"], register(folder)[uid]["due"]) == (None, None)
    assert say(folder, "exceptions", "assign", uid, "--due", "soon").code == 2
    assert say(folder, "exceptions", "assign", uid).code == 2


def test_what_is_verified_after_a_retry_is_fixed(folder: Path) -> None:
    uid = next(iter(register(folder)))
    assert say(folder, "exceptions", "retry", uid, "--reason", "cable").code == 0
    with Journal(folder) as journal:
        chain = (e.Retrieved, e.Checksummed, e.Normalized, e.UploadStarted, e.Uploaded, e.Verified)
        journal.append([MAKERS[kind](uid) for kind in chain])
    assert register(folder)[uid]["disposition"] == "fixed"


def with_four_eyes(folder: Path, name: str = "") -> None:
    path = folder / "migration.toml"
    path.write_text(path.read_text() + "[acceptance]\nfour_eyes = true\n")
    with Journal(folder) as journal:
        note_run(journal, here(name), ["retrieve"], "common")


@pytest.mark.parametrize(
    ("ran", "by", "code"),
    [("Ana", "ana ", 2), ("Ana", "Ben", 0), ("", "Ben", 2), ("", here().os_user, 2)],
    ids=["the same name", "another name", "the same account without a name", "the account's name"],
)
def test_with_four_eyes_nobody_accepts_what_they_ran(folder: Path, ran: str, by: str, code: int) -> None:
    with_four_eyes(folder, ran)
    uid = next(iter(register(folder)))
    assert say(folder, "exceptions", "waive", uid, "--reason", "known", "--by", by).code == code
    assert register(folder)[uid]["disposition"] == ("accepted" if code == 0 else "open")


def test_with_four_eyes_a_sheet_is_refused_too_but_a_retry_is_nobody_s_acceptance(folder: Path) -> None:
    with_four_eyes(folder, "Ana")
    said = imported(folder, lambda rows: decide(rows[0], "excluded", by="Ana"))
    assert said.code == 2
    assert "another person" in said.stderr
    assert imported(folder, lambda rows: decide(rows[0], "retry", by="Ana")).code == 0


def test_a_run_is_noted_with_its_operator(folder: Path) -> None:
    with_four_eyes(folder, " Ana  Maria ")
    [note] = runs(folder)
    assert note.operator == Operator(name="Ana Maria", os_user=here().os_user)
    assert note.stages == "retrieve"


def test_a_journal_that_does_not_exist_has_no_runs(tmp_path: Path) -> None:
    assert runs(tmp_path) == []
