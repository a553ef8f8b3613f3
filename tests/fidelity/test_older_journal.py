"""A journal from before the content proof had columns of its own is brought up, its checksums with it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from migrate.journal.events import Normalized
from migrate.journal.opening import FILE_NAME
from migrate.journal.sql import LATE_COLUMNS
from migrate.journal.store import Journal
from tests.engine.events import STUDY, straight


def test_a_journal_without_the_late_columns_is_opened_and_its_rows_are_sound(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append(straight(until=Normalized))
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db:
        for name in ("added", "checked", "changed"):
            db.execute(f"DROP TRIGGER instances_{name}")
        for column in LATE_COLUMNS:
            db.execute(f"ALTER TABLE instances DROP COLUMN {column}")
        db.commit()
    with Journal(tmp_path) as journal:
        rows = journal.instances(STUDY)
        assert [row["state"] for row in rows] == ["READY", "READY"]
        assert all(column in rows[0] for column in LATE_COLUMNS)
        journal.append(straight()[5:])
    with Journal(tmp_path) as journal:
        assert {row["outcome"] for row in journal.instances(STUDY)} == {"match"}
