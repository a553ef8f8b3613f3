"""Copies of a journal: a backup while an engine works, and the events as lines of JSON."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from migrate.errors import JournalError, LocalError
from migrate.journal import read
from migrate.journal.check import check
from migrate.journal.opening import FILE_NAME, told

PAGES_AT_ONCE = 4096


def backup(run_folder: Path, target: Path) -> int:
    """Copy the journal as it is now, durably, and check the copy. Returns its size in bytes.

    An engine may go on writing: the copy is one consistent moment (SQLite's online backup).

    Raises:
        JournalError: There is no journal, or the copy is not sound: then there is no copy.
        LocalError: `target` exists, or cannot be written.
    """
    path = run_folder / FILE_NAME
    if not path.is_file():
        raise JournalError("there is no journal to back up", journal=path)
    if target.exists():
        raise LocalError("the backup's file exists", "choose another name; backups are never overwritten", file=target)
    part = target.with_name(f".{target.name}.part")
    try:
        _copy(path, part)
        report = check(part)
        if not report.sound:
            hint = "the journal itself is damaged: migrate journal check"
            raise JournalError("the copy is not sound", hint, journal=path, found=report.problems[0])
        part.rename(target)
        _sync(target.parent)
    except OSError as error:
        raise LocalError("the backup cannot be written", file=target, reason=error.strerror) from None
    except sqlite3.Error as error:
        raise told(path, error) from None
    finally:
        part.unlink(missing_ok=True)
    return target.stat().st_size


def _copy(path: Path, part: Path) -> None:
    part.unlink(missing_ok=True)
    part.touch(0o600)
    with (
        closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as live,
        closing(sqlite3.connect(part, isolation_level=None)) as copy,
    ):
        live.backup(copy, pages=PAGES_AT_ONCE)
        # One file that stands alone: no -wal beside it that could be left behind.
        copy.execute("PRAGMA journal_mode=DELETE")
    _sync(part)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def exported(run_folder: Path) -> Iterator[str]:
    """Every event as one line of JSON, oldest first: UIDs, counts and reasons, no identity."""
    for event in read.events(run_folder):
        yield json.dumps(event, ensure_ascii=False)
