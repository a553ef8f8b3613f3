"""The journal is written whole or not at all, held by one engine, and damage is told, never a traceback."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from migrate.errors import FormatTooNew, IllegalEvent, JournalError, JournalLocked
from migrate.journal import events as e
from migrate.journal import read
from migrate.journal.opening import FILE_NAME, FORMAT_VERSION
from migrate.journal.states import State
from migrate.journal.store import Journal
from tests.engine.events import MAKERS, STUDY, checked, defect, sop, straight

HOLD = """
import sys
from pathlib import Path
from migrate.journal.store import Journal
Journal(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held_elsewhere(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the journal until its standard input closes."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


def filled(folder: Path, studies: int = 30) -> Path:
    """A run folder with a closed journal of some studies in every stage."""
    folder.mkdir(exist_ok=True)
    with Journal(folder) as journal:
        for number in range(studies):
            until = (e.Planned, e.Retrieved, e.Uploaded, e.Verified)[number % 4]
            journal.append(straight(f"1.2.{number}", until))
    return folder


def test_a_batch_with_an_illegal_event_leaves_nothing_behind(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append([MAKERS[e.Found]("1.1")])
        with pytest.raises(IllegalEvent):
            journal.append([MAKERS[e.Planned]("1.1"), MAKERS[e.Found]("1.2"), MAKERS[e.Verified]("1.1")])
        journal.append([MAKERS[e.Found]("1.3")])
    assert {row["study_instance_uid"]: row["state"] for row in read.study_states(tmp_path)} == {
        "1.1": "FOUND",
        "1.3": "FOUND",
    }
    assert read.first_broken_link(tmp_path) is None


def test_what_a_study_went_through_is_told_in_order(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append(straight())
    assert [event["kind"] for event in read.story(tmp_path, STUDY)] == [
        *("Found", "Planned", "Retrieved", "Checksummed", "Normalized", "UploadStarted", "Uploaded", "Verified")
    ]


def test_events_keep_counts_and_bytes_but_no_instance(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append(straight())
    retrieved = read.story(tmp_path, STUDY)[2]["payload"]
    assert retrieved == {"evidence": 2, "size_bytes": 203}


def test_a_lost_file_takes_its_instance_out_and_the_study_back(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append([*straight(until=e.Retrieved), MAKERS[e.Lost](STUDY)])
        assert [row["sop_instance_uid"] for row in journal.instances(STUDY)] == [sop(STUDY, 2)]
        assert journal.states_of([STUDY]) == {STUDY: State.PLANNED}


def test_setbacks_are_counted_through_the_stages_until_a_person_forgives_them(tmp_path: Path) -> None:
    def attempts(state: State) -> int:
        return journal.ready(state, 1e12, 1)[0].attempts

    with Journal(tmp_path) as journal:
        journal.append(straight(until=e.Uploaded))
        journal.append([MAKERS[e.SentInVain](STUDY), MAKERS[e.UploadStarted](STUDY), MAKERS[e.Uploaded](STUDY)])
        assert attempts(State.UPLOADED) == 1
        journal.append([MAKERS[e.Lost](STUDY), MAKERS[e.Retrieved](STUDY)])
        assert attempts(State.RETRIEVED) == 2
        journal.append([MAKERS[e.Quarantined](STUDY), MAKERS[e.Retried](STUDY)])
        assert attempts(State.PLANNED) == 0


def test_a_study_that_changed_after_it_was_moved_is_asked_about_before_it_is_sent(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append([*straight(), MAKERS[e.Changed](STUDY), MAKERS[e.Planned](STUDY)])
        [again] = journal.ready(State.PLANNED, 1e12, 1)
    assert (again.round, again.doubtful) == (2, True)


def test_what_is_verified_of_a_quarantined_study_is_kept_for_its_next_round_and_counted_once(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        quarantined = e.Quarantined(study_instance_uid=STUDY, defects=(defect(),), checked=(checked(),))
        journal.append([*straight(until=e.Uploaded), quarantined])
        assert read.in_flight_instances(tmp_path)["verified"] == 1
        journal.flushed(journal.to_flush(10))
        assert read.in_flight_instances(tmp_path)["received"] == 0
        journal.append([MAKERS[e.Retried](STUDY)])
        rows = journal.instances(STUDY)
        assert [(row["sop_instance_uid"], row["state"], row["flushed"]) for row in rows] == [
            (sop(STUDY, 1), "VERIFIED", 1)
        ]
        assert read.in_flight_instances(tmp_path)["verified"] == 0


def test_a_second_engine_is_told_who_holds_the_run_folder(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path) as process:
        with pytest.raises(JournalLocked) as caught:
            Journal(tmp_path)
        assert caught.value.exit_code == 31
        assert f"pid {process.pid} on " in str(caught.value.facts["holder"])
        assert process.stdin is not None
        process.stdin.close()


def test_a_holder_that_was_killed_frees_the_run_folder(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        Journal(tmp_path).close()


def test_an_engine_that_was_overtaken_writes_nothing_more(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    (tmp_path / "journal.lock").unlink()  # as a shared disk whose locks do not work would have it
    with Journal(tmp_path) as second:
        with pytest.raises(JournalLocked, match="took this journal over"):
            journal.append([MAKERS[e.Found]("1.1")])
        second.append([MAKERS[e.Found]("1.2")])
    journal.close()
    assert read.states(tmp_path) == {"FOUND": 1}


def test_a_journal_of_a_newer_version_is_refused_by_writers_and_readers(tmp_path: Path) -> None:
    filled(tmp_path, 1)
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        db.execute(f"PRAGMA user_version={FORMAT_VERSION + 1}")
    db.close()
    with pytest.raises(FormatTooNew) as caught:
        Journal(tmp_path)
    assert caught.value.exit_code == 33
    with pytest.raises(FormatTooNew):
        read.states(tmp_path)


GARBAGE = {
    "text": b"this is no database, and it is longer than a page header needs to be " * 4,
    "zeros": bytes(4096),
    "a header alone": b"SQLite format 3\0" + bytes(84),
    "a page of noise": bytes(range(256)) * 16,
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
def test_a_file_that_is_no_journal_is_refused_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(JournalError) as caught:
        Journal(tmp_path)
    assert caught.value.exit_code == 30
    assert "journal rebuild" in caught.value.hint


def test_a_folder_in_the_place_of_the_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(JournalError):
        Journal(tmp_path)


def test_a_run_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JournalError):
        Journal(tmp_path / "nowhere")


def test_a_refused_journal_leaves_the_run_folder_unlocked(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(GARBAGE["text"])
    with pytest.raises(JournalError):
        Journal(tmp_path)
    (tmp_path / FILE_NAME).unlink()
    Journal(tmp_path).close()


@pytest.mark.parametrize("share", [n / 24 for n in range(24)])
def test_a_journal_cut_anywhere_opens_or_says_that_it_is_damaged(tmp_path: Path, share: float) -> None:
    path = filled(tmp_path) / FILE_NAME
    os.truncate(path, int(path.stat().st_size * share) + int(share * 1000) % 7)
    try:
        with Journal(tmp_path) as journal:
            states = journal.states_of(["1.2.0"])
    except JournalError as error:
        refused = error
    else:
        assert states in ({"1.2.0": State.PLANNED}, {})
        return
    assert refused.exit_code == 30
    assert refused.hint


@pytest.mark.parametrize("keep_wal", [True, False], ids=["with its WAL", "without its WAL"])
def test_a_copy_taken_while_an_engine_runs_opens(tmp_path: Path, keep_wal: bool) -> None:
    live, copy = tmp_path / "live", tmp_path / "copy"
    live.mkdir()
    copy.mkdir()
    with Journal(live) as journal:
        journal.append([MAKERS[e.Found]("1.1")])
        shutil.copy(live / FILE_NAME, copy)
        if keep_wal:
            shutil.copy(live / f"{FILE_NAME}-wal", copy)
    with Journal(copy) as journal:
        assert journal.states_of(["1.1"]) == ({"1.1": State.FOUND} if keep_wal else {})


def test_a_wal_cut_anywhere_loses_whole_transactions_at_its_end_and_nothing_else(tmp_path: Path) -> None:
    live = tmp_path / "live"
    live.mkdir()
    with Journal(live) as journal:
        for number in range(12):
            journal.append(straight(f"1.{number}"))
        wal = (live / f"{FILE_NAME}-wal").read_bytes()
        database = (live / FILE_NAME).read_bytes()
    for share in range(20):
        folder = tmp_path / f"cut-{share}"
        folder.mkdir()
        (folder / FILE_NAME).write_bytes(database)
        (folder / f"{FILE_NAME}-wal").write_bytes(wal[: len(wal) * share // 20])
        with Journal(folder):
            pass
        kept = list(read.study_states(folder))
        assert [row["state"] for row in kept] == ["VERIFIED"] * len(kept)
        assert read.first_broken_link(folder) is None


COLUMNS = ("at", "study_instance_uid", "kind", "payload", "chain")


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("seq", [1, 17, 60])
def test_one_altered_character_in_an_event_breaks_the_chain_at_that_event(
    tmp_path: Path, column: str, seq: int
) -> None:
    filled(tmp_path)
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        [text] = db.execute(f"SELECT {column} FROM events WHERE seq = ?", (seq,)).fetchone()
        place = seq % len(text)
        altered = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
        db.execute(f"UPDATE events SET {column} = ? WHERE seq = ?", (altered, seq))
    db.close()
    assert read.first_broken_link(tmp_path) == seq


def test_an_event_that_was_taken_out_breaks_the_chain(tmp_path: Path) -> None:
    filled(tmp_path)
    with sqlite3.connect(tmp_path / FILE_NAME) as db:
        db.execute("DELETE FROM events WHERE seq = 40")
    db.close()
    assert read.first_broken_link(tmp_path) == 40


def test_the_chain_goes_on_over_restarts(tmp_path: Path) -> None:
    for number in range(3):
        with Journal(tmp_path) as journal:
            journal.append([MAKERS[e.Found](f"1.{number}")])
    assert read.first_broken_link(tmp_path) is None
    assert len(list(read.events(tmp_path))) == 3


def test_a_folder_without_a_journal_reads_as_empty(tmp_path: Path) -> None:
    assert read.states(tmp_path) == {}
    assert list(read.exceptions(tmp_path)) == []
    assert not (tmp_path / FILE_NAME).exists()


def test_a_damaged_journal_is_an_error_of_ours_for_readers_too(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(GARBAGE["text"])
    with pytest.raises(JournalError) as caught:
        read.states(tmp_path)
    assert caught.value.exit_code == 30


def test_the_files_of_the_journal_are_for_their_owner_alone(tmp_path: Path) -> None:
    with Journal(tmp_path):
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}, modes


def test_a_disk_that_is_full_is_told_and_nothing_is_half_written(tmp_path: Path, small_disk: Path) -> None:
    with Journal(small_disk) as journal:
        journal.append([MAKERS[e.Found]("1.0")])
        (small_disk / "ballast").write_bytes(bytes(_free_bytes(small_disk) - 8192))
        with pytest.raises(JournalError) as caught:
            journal.append([MAKERS[e.Found](f"2.{number}") for number in range(5000)])
        assert "full" in str(caught.value)
        (small_disk / "ballast").unlink()
        journal.append([MAKERS[e.Found]("1.1")])
    assert read.states(small_disk) == {"FOUND": 2}
    assert read.first_broken_link(small_disk) is None


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


@pytest.mark.root
def test_a_read_only_run_folder_can_be_read_and_is_refused_to_an_engine(small_disk: Path) -> None:
    filled(small_disk, 2)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(JournalError) as caught:
        Journal(small_disk)
    assert caught.value.exit_code == 30
    assert "permissions" in caught.value.hint
    assert read.states(small_disk) == {"PLANNED": 1, "RETRIEVED": 1}


def test_a_run_folder_may_have_any_name(tmp_path: Path) -> None:
    folder = filled(tmp_path / "100% of ward #3?", 1)
    assert read.states(folder) == {"PLANNED": 1}
