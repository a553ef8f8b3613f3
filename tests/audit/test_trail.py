"""The trail's files: numbered without a gap by any number of writers, and honest about what is missing."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrate.audit import codes
from migrate.audit.check import check
from migrate.audit.messages import Message, Participant, Subject, to_xml
from migrate.audit.trail import FOLDER, LOCK_FILE, Trail, files
from migrate.errors import LocalError
from tests.audit.schema import violations


def written(folder: Path, count: int) -> Path:
    trail = Trail(folder)
    for number in range(count):
        trail.append([f"<m n='{number}'/>"])
    trail.sync()
    [path] = files(folder / FOLDER)
    return path


def _write(folder: str) -> None:
    written(Path(folder), 50)


def test_several_processes_write_one_trail_without_a_gap(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_write, args=(str(tmp_path),)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    report = check(tmp_path)
    assert (report.problems, report.messages) == ((), 150)


@pytest.mark.parametrize("at", [1, 4, 9])
def test_one_altered_character_is_found_at_its_message(tmp_path: Path, at: int) -> None:
    path = written(tmp_path, 10)
    path.write_text(path.read_text().replace(f"n='{at}'", f"n='{at + 1}'"))
    assert check(tmp_path).problems == (f"{path.name} line {at + 1}: message {at + 1} is not what was written",)


@pytest.mark.parametrize(
    ("keep", "told"),
    [(slice(0, 7), "messages 8 to 10 are missing at the end"), (slice(2, 10), "messages 1 to 2 are missing")],
    ids=["the end", "the beginning"],
)
def test_lines_that_were_taken_away_are_missed(tmp_path: Path, keep: slice, told: str) -> None:
    path = written(tmp_path, 10)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[keep]))
    assert told in check(tmp_path).problems[0]
    written(tmp_path, 1)
    assert not check(tmp_path).whole


def test_a_file_that_was_deleted_is_missed_and_its_numbers_are_not_given_again(tmp_path: Path) -> None:
    written(tmp_path, 10).unlink()
    written(tmp_path, 1)
    assert "messages 1 to 10 are missing" in check(tmp_path).problems[0]


@given(share=st.floats(0, 1), lose_lock=st.booleans())
@settings(max_examples=25, deadline=None)
def test_a_trail_that_was_cut_anywhere_goes_on_with_whole_lines(share: float, lose_lock: bool) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        path = written(folder, 8)
        os.truncate(path, int(path.stat().st_size * share))
        if lose_lock:
            (folder / FOLDER / LOCK_FILE).unlink()
        kept = path.read_bytes().count(b"\n")
        written(folder, 2)
        report = check(folder)
        assert report.messages == kept + 2
        assert report.whole == (lose_lock or kept == 8)


def test_a_trail_that_cannot_be_written_stops_what_it_should_record(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("a file in the way")
    with pytest.raises(LocalError, match="audit trail"):
        Trail(tmp_path)


def test_the_trail_is_for_its_owner_alone(tmp_path: Path) -> None:
    written(tmp_path, 1)
    assert (tmp_path / FOLDER).stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / FOLDER).iterdir()} == {0o600}


@given(text=st.text(min_size=1, max_size=60))
def test_no_text_becomes_markup_or_breaks_a_message(text: str) -> None:
    message = to_xml(
        Message(
            kind=codes.TRANSFERRED,
            at="2026-11-24T04:00:00.000+00:00",
            source_id=text,
            participants=(
                Participant(user_id=text, role=codes.SOURCE, ae_titles=(text,), host=text),
                Participant(user_id=text, role=codes.DESTINATION),
            ),
            subjects=(
                Subject(id="1.2", id_type=codes.STUDY_ID, type="2", role="3", name=text, accession=text),
                Subject(id=text, id_type=codes.PATIENT_NUMBER, type="1", role="1", details={"a": text}),
            ),
            outcome_text=text,
        )
    )
    assert violations(message) == []
    assert "\n" not in message
    assert len(ET.fromstring(message).findall(".//ParticipantObjectIdentification")) == 2
