"""The audit trail of a run folder: one file a day, one message a line, numbered without a gap.

    {"seq": 7, "at": "2026-11-24T04:00:00.000+00:00", "chain": "<xxh3 of this and all before>", "message": "<…>"}

Several processes may write; a lock file orders them and remembers the end, so that a file that is
taken away is missed. The files are also the spool of the syslog sender. The chain finds accidents
and clumsy hands, not a forger who knows it: the collector's copy is for that.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migrate.dicom.digest import xxh3
from migrate.errors import LocalError
from migrate.model import now

FOLDER = "audit"
LOCK_FILE = "lock"
SUFFIX = ".jsonl"
SYNC_EVERY_S = 1.0
_BLOCK_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class End:
    """The last message: its number (0: none yet) and its link of the chain."""

    seq: int = 0
    chain: str = ""


@dataclass(frozen=True, slots=True)
class _Left:
    """How this process left the trail: what the lock file says, the last file, its size, the end."""

    noted: bytes
    path: Path
    size_bytes: int
    end: End


class Trail:
    """Appends messages. Use as a context manager, or `close`.

    Raises (everywhere):
        LocalError: The files cannot be written: what cannot be audited must not go on.
    """

    def __init__(self, run_folder: Path) -> None:
        self.folder = run_folder / FOLDER
        self._dirty: set[Path] = set()
        self._mine = threading.RLock()
        self._synced_at = time.monotonic()
        self._left: _Left | None = None
        with _told(self.folder):
            self.folder.mkdir(mode=0o700, exist_ok=True)

    def append(self, messages: Iterable[str]) -> None:
        """Write messages at the end, in one go; durable within a second, and before `close` returns."""
        with self._mine, _told(self.folder), _locked(self.folder) as lock:
            end = self._known_end(lock) or _end(self.folder, lock)
            lines = []
            for message in messages:
                end, line = _line(end, message)
                lines.append(line)
            path = self.folder / f"{now()[:10].replace('-', '')}{SUFFIX}"
            size_bytes = _append(path, "".join(lines).encode())
            noted = f"{end.seq:020d} {end.chain:<32}".encode()
            os.pwrite(lock, noted, 0)
            self._left = _Left(noted, path, size_bytes, end)
            self._dirty.add(path)
        if time.monotonic() - self._synced_at > SYNC_EVERY_S:
            self.sync()

    def _known_end(self, lock: int) -> End | None:
        """The end without reading the trail, where nobody has written since this process did."""
        left = self._left
        if left is None or os.pread(lock, len(left.noted), 0) != left.noted:
            return None
        try:
            untouched = left.path.stat().st_size == left.size_bytes
        except FileNotFoundError:
            return None
        return left.end if untouched else None

    def sync(self) -> None:
        """What was appended is durable now."""
        with self._mine, _told(self.folder):
            for path in self._dirty:
                sync(path)
            sync(self.folder)
            self._dirty.clear()
            self._synced_at = time.monotonic()


def chained(end: End, at: str, message: str) -> End:
    """The next link."""
    seq = end.seq + 1
    return End(seq, xxh3("\x1f".join((end.chain, str(seq), at, message)).encode()))


def files(folder: Path) -> list[Path]:
    """The trail's files, oldest first."""
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if path.is_file())


def lines(path: Path, start: int = 0) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """The entries of one file from byte `start` on, each with where it ends; None for a line that is none."""
    with path.open("rb") as file:
        file.seek(start)
        for line in file:
            start += len(line)
            try:
                entry = json.loads(line)
            except ValueError:
                entry = None
            sound = isinstance(entry, dict) and {"seq", "at", "chain", "message"} <= entry.keys()
            yield start, entry if sound else None


def remembered(folder: Path) -> int:
    """The number of the last message that was ever written here; 0 when that is not known."""
    try:
        seq = (folder / LOCK_FILE).read_bytes()[:20]
    except OSError:
        return 0
    return int(seq) if seq.isdigit() else 0


def sync(path: Path) -> None:
    """Make a file or a folder durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _line(end: End, message: str) -> tuple[End, str]:
    at = now()
    end = chained(end, at, message)
    entry = {"seq": end.seq, "at": at, "chain": end.chain, "message": message}
    return end, json.dumps(entry, ensure_ascii=False) + "\n"


def _end(folder: Path, lock: int) -> End:
    """From the lock file; a power cut may have kept less of it, or less of the trail, than was written."""
    noted = os.pread(lock, 64, 0).split()
    known = End(int(noted[0]), noted[1].decode()) if len(noted) == 2 and noted[0].isdigit() else End()
    last = _last_entry(folder)
    return End(last["seq"], last["chain"]) if last and last["seq"] >= known.seq else known


def _last_entry(folder: Path) -> dict[str, Any] | None:
    for path in reversed(files(folder)):
        _cut_torn_line(path)
        with path.open("rb") as file:
            tail = b""
            at = file.seek(0, os.SEEK_END)
            while at and tail.count(b"\n") < 2:
                step = min(_BLOCK_BYTES, at)
                at -= step
                file.seek(at)
                tail = file.read(step) + tail
        for line in reversed(tail.splitlines()):
            with contextlib.suppress(ValueError, KeyError, TypeError):
                entry: dict[str, Any] = json.loads(line)
                return {"seq": int(entry["seq"]), "chain": str(entry["chain"])}
    return None


def _cut_torn_line(path: Path) -> None:
    """A message that a kill left half written was never said."""
    with path.open("r+b") as file:
        size = at = file.seek(0, os.SEEK_END)
        while at:
            step = min(_BLOCK_BYTES, at)
            file.seek(at - step)
            found = file.read(step).rfind(b"\n")
            if found >= 0:
                at = at - step + found + 1
                break
            at -= step
        if at < size:
            file.truncate(at)


def _append(path: Path, content: bytes) -> int:
    """Gives the size of the file afterwards."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "ab", buffering=0) as file:
        view = memoryview(content)
        while view:
            view = view[file.write(view) :]
        return os.fstat(handle).st_size


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[int]:
    lock = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)


@contextlib.contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "check the disk and the permissions; nothing goes on that cannot be audited"
        raise LocalError("the audit trail cannot be written", hint, folder=folder, reason=error.strerror) from None
