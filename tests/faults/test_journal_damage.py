"""A journal that a disk has altered is never believed: at its opening or by `journal check` it is found out."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrate.errors import JournalError, JournalLocked
from migrate.journal import events as e
from migrate.journal import windows
from migrate.journal.check import check
from migrate.journal.guards import GUARDED
from migrate.journal.opening import FILE_NAME
from migrate.journal.store import Journal
from tests.engine.events import MAKERS, STUDY, defect, straight

ROWS = 3_000
FLIPS = int(os.environ.get("MIGRATE_FLIPS", "120"))
SAMPLES = Path(__file__).resolve().parent.parent / "samples"


def written(folder: Path) -> Path:
    """A closed journal of about 3,000 rows: events, studies in every state, instances, exceptions."""
    folder.mkdir(exist_ok=True)
    with Journal(folder) as journal:
        for number in range(ROWS // 8):
            until = (e.Planned, e.Retrieved, e.Normalized, e.Uploaded, e.Verified)[number % 5]
            journal.append(straight(f"1.2.{number}", until))
        journal.append(_quarantined(number) for number in range(0, 200, 5))
        crawled(journal)
        rows = sum(journal.db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in (*GUARDED, "events"))
    assert rows > 2_500
    return folder / FILE_NAME


def crawled(journal: Journal) -> None:
    """A crawl on its way: forty windows, one part, one batch that is listed."""
    windows.start_crawl(journal.db, "c1", "[]", "2026-11-24T07:00:00.000Z")
    put = tuple(
        windows.WindowRow(ordinal=number, window_id=f"w{number}", parent="w0", query="[]", state="open")
        for number in range(40)
    )
    windows.commit_batch(journal.db, windows.Batch(put=put, part="part-000000", rows=9))
    windows.commit_listing(journal.db, 0, (1, 2, 0))


def _quarantined(number: int) -> e.Event:
    return e.Quarantined(study_instance_uid=f"1.2.{number}", defects=(defect(f"1.2.{number}"),))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("journal"))


def content(path: Path) -> list[tuple[object, ...]] | None:
    """Every row of every table as it reads, or None when it does not."""
    tables = ("events", *GUARDED)
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as db:
            db.text_factory = bytes
            return [tuple(row) for name in tables for row in db.execute(f"SELECT * FROM {name} NOT INDEXED")]
    except (sqlite3.Error, OverflowError, UnicodeDecodeError):
        return None


def flipped(sound: Path, bit: int) -> bytes:
    altered = bytearray(sound.read_bytes())
    bit %= len(altered) * 8
    altered[bit // 8] ^= 1 << bit % 8
    return bytes(altered)


def is_found_out(folder: Path) -> bool:
    """The check says what is wrong, or the journal is refused when it is opened."""
    try:
        if not check(folder / FILE_NAME).sound:
            return True
        Journal(folder).close()
    except JournalError:
        return True
    return False


def fresh(folder: Path, journal: bytes) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / FILE_NAME).write_bytes(journal)
    return folder


def test_every_bit_that_changes_what_the_journal_says_is_found(tmp_path: Path, sound: Path) -> None:
    reference = content(fresh(tmp_path / "sound", sound.read_bytes()) / FILE_NAME)
    chance = random.Random(5)
    effective, missed = 0, []
    for _ in range(FLIPS):
        bit = chance.getrandbits(40)
        folder = fresh(tmp_path / "flipped", flipped(sound, bit))
        if content(folder / FILE_NAME) == reference:
            continue
        effective += 1
        if not is_found_out(folder):
            missed.append(bit)
    assert effective > FLIPS // 4
    assert missed == []


@given(bit=st.integers(0, 2**40), anywhere=st.booleans())
@settings(max_examples=25, deadline=None)
def test_a_flipped_bit_is_an_error_of_ours_and_never_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, sound: Path, bit: int, anywhere: bool
) -> None:
    place = bit if anywhere else bit % (100 * 8)  # the first 100 bytes are SQLite's header
    folder = fresh(tmp_path_factory.mktemp("flip") / "run", flipped(sound, place))
    with suppress(JournalError):
        assert isinstance(check(folder / FILE_NAME).problems, tuple)
        Journal(folder).close()


@pytest.mark.parametrize(
    ("statement", "look"),
    [
        ("UPDATE studies SET rank = 77 WHERE study_instance_uid = '1.2.7'", "a row of studies"),
        ("UPDATE instances SET wire_xxh3 = 'x' WHERE study_instance_uid = '1.2.7'", "a row of instances"),
        ("UPDATE exceptions SET disposition = 'accepted'", "a row of exceptions"),
        ("UPDATE meta SET value = '99' WHERE key = 'epoch'", "a row of meta"),
        ("UPDATE windows SET state = 'leaf' WHERE ordinal = 7", "a row of windows"),
        ("UPDATE crawls SET phase = 'done'", "a row of crawls"),
        ("UPDATE crawl_parts SET part = 'part-other'", "a row of crawl_parts"),
        ("UPDATE crawl_listings SET instances = 99", "a row of crawl_listings"),
        ("DELETE FROM studies WHERE study_instance_uid = '1.2.7'", "not what its events say"),
        ("DELETE FROM events WHERE seq > 1000", "not the one that was written last"),
        ("DELETE FROM events WHERE seq = 5", "event 5 does not follow"),
    ],
)
def test_check_says_what_was_altered(tmp_path: Path, sound: Path, statement: str, look: str) -> None:
    path = fresh(tmp_path / "run", sound.read_bytes()) / FILE_NAME
    assert check(path).sound
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute(statement)
    Journal(path.parent).close() if "studies" in statement else None
    assert any(look in problem for problem in check(path).problems), check(path)


def test_a_row_that_was_altered_is_not_written_over_nor_believed(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append(straight(until=e.Retrieved))
        journal.db.execute("DROP TRIGGER instances_checked")
        journal.db.execute("DROP TRIGGER instances_changed")
        journal.db.execute("UPDATE instances SET dataset_xxh3 = 'altered'")
    with Journal(tmp_path) as journal:
        with pytest.raises(JournalError, match="damaged"):
            journal.instances(STUDY)
        journal.append([MAKERS[e.Checksummed](STUDY)])
        with pytest.raises(JournalError, match="a row of instances is damaged"):
            journal.append([MAKERS[e.Normalized](STUDY)])


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    with Journal(tmp_path) as journal:
        for number in range(20):
            journal.append(straight(f"1.2.{number}"))
    return tmp_path


def test_a_journal_that_was_deleted_is_missed(run_folder: Path) -> None:
    (run_folder / FILE_NAME).unlink()
    with pytest.raises(JournalError, match="lost its newest events") as caught:
        Journal(run_folder)
    assert "journal rebuild" in caught.value.hint


@pytest.mark.parametrize("cut", [0.0, 0.5, None], ids=["empty", "half", "gone"])
def test_a_wal_that_lost_acknowledged_events_is_missed(tmp_path: Path, cut: float | None) -> None:
    live, copy = tmp_path / "live", tmp_path / "copy"
    live.mkdir()
    with Journal(live) as journal:
        for number in range(12):
            journal.append(straight(f"1.{number}"))
        shutil.copytree(live, copy)
    wal = copy / f"{FILE_NAME}-wal"
    (copy / f"{FILE_NAME}-shm").unlink()
    wal.unlink() if cut is None else wal.write_bytes(wal.read_bytes()[: int(wal.stat().st_size * cut)])
    with pytest.raises(JournalError, match="lost its newest events"):
        Journal(copy)


def test_a_checkpoint_while_an_engine_works_loses_nothing(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append(straight("1.1"))
        assert journal.db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        journal.append(straight("1.2"))
    assert check(tmp_path / FILE_NAME).sound


READS: dict[str, Callable[[sqlite3.Connection], object]] = {
    "windows": lambda db: list(windows.all_windows(db)),
    "crawls": windows.latest_crawl,
    "crawl_parts": windows.durable_parts,
    "crawl_listings": windows.listed_sums,
}
ALTERED = {
    "windows": "UPDATE windows SET closed = 1 WHERE ordinal = 7",
    "crawls": "UPDATE crawls SET terms = '[1]'",
    "crawl_parts": "UPDATE crawl_parts SET part = 'part-other'",
    "crawl_listings": "UPDATE crawl_listings SET instances = 99",
}


@pytest.mark.parametrize("table", READS)
def test_a_row_of_the_crawl_that_was_altered_is_not_believed(tmp_path: Path, table: str) -> None:
    with Journal(tmp_path) as journal:
        crawled(journal)
        READS[table](journal.db)
        journal.db.execute(f"DROP TRIGGER {table}_changed")
        journal.db.execute(ALTERED[table])
        with pytest.raises(JournalError, match="damaged"):
            READS[table](journal.db)


def test_a_crawl_of_a_former_owner_writes_nothing(tmp_path: Path) -> None:
    with Journal(tmp_path) as former:
        crawled(former)
        with Journal(tmp_path, take_over=True) as owner:
            writes: tuple[Callable[[], object], ...] = (
                lambda: windows.commit_batch(former.db, windows.Batch(put=(), part="part-late", rows=1)),
                lambda: windows.set_phase(former.db, "c1", "list", "{}"),
                lambda: windows.finish_crawl(former.db, "c1", "{}", "2026-11-24T08:00:00.000Z"),
                lambda: windows.commit_listing(former.db, 7, (1, 1, 1)),
                lambda: windows.start_crawl(former.db, "c2", "[]", "2026-11-24T08:00:00.000Z"),
            )
            for write in writes:
                with pytest.raises(JournalLocked):
                    write()
            latest = windows.latest_crawl(owner.db)
            assert latest is not None
            assert (latest.crawl_id, latest.phase) == ("c1", "sweep")
            assert windows.durable_parts(owner.db) == ["part-000000"]
            assert windows.listed_batches(owner.db) == {0}


@pytest.mark.parametrize("format_", [2, 3])
def test_a_crawl_that_an_older_version_began_goes_on(tmp_path: Path, format_: int) -> None:
    folder = shutil.copytree(SAMPLES / f"run-format-{format_}", tmp_path / "run")
    with Journal(folder) as journal:
        assert [row.state for row in windows.all_windows(journal.db)] == ["split", "leaf", "open"]
        assert windows.durable_parts(journal.db) == ["part-000000"]
        assert windows.listed_sums(journal.db) == (3, 9, 0)
        latest = windows.latest_crawl(journal.db)
        assert latest is not None
        windows.finish_crawl(journal.db, latest.crawl_id, "{}", "2026-11-24T08:00:00.000Z")
        assert windows.delta_rounds(journal.db) == 0
    assert check(folder / FILE_NAME).sound, check(folder / FILE_NAME)


@pytest.mark.parametrize("format_", [1, 2, 3])
def test_a_journal_of_every_format_that_was_ever_written_opens_and_goes_on(tmp_path: Path, format_: int) -> None:
    folder = shutil.copytree(SAMPLES / f"run-format-{format_}", tmp_path / "run")
    with Journal(folder) as journal:
        assert {state.value for state in journal.states_of(f"1.2.{n}" for n in range(9)).values()} == {
            *("FOUND", "PLANNED", "RETRIEVED", "CHECKSUMMED", "NORMALIZED", "UPLOADED", "VERIFIED", "QUARANTINED"),
            "EXCLUDED",
        }
        journal.append([MAKERS[e.Uploaded]("1.2.4"), MAKERS[e.Verified]("1.2.4")])
        assert [row["outcome"] for row in journal.instances("1.2.4")] == ["match", "match"]
    assert check(folder / FILE_NAME).sound, check(folder / FILE_NAME)
