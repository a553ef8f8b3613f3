"""Files of the landing area: named by content, written whole or not at all, in groups.

`tmp/<random>` while bytes arrive, `ab/cd/<wire xxh3>.dcm` when durable, `quarantine/<wire xxh3>.dcm`
for objects that are not DICOM we trust. A UID is never part of a path. Folders 0700, files 0600.
Order: file fsync, rename, folder fsync; only then the caller hears of it (DESIGN section 7).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from migrate.dicom.digest import xxh3
from migrate.errors import LocalError, StagingFull
from migrate.staging.filesystem import SYNCFS, Filesystem
from migrate.staging.pace import Pace

GROUP_OBJECTS = 64
GROUP_WAIT_S = 0.2
TOGETHER_FROM = 4  # fewer files than that are cheaper one by one than a whole filesystem
SPACE_CHECK_S = 0.5


@dataclass(frozen=True, slots=True)
class Landed:
    """A file that is complete in `tmp/` and wants its final name.

    Attributes:
        temporary: Where it lies; a plain string, since a `Path` costs more than the renaming.
        final: Where it belongs.
        durable: Called from another thread: None, or why it is not.
    """

    temporary: str
    final: str
    durable: Callable[[Exception | None], None]


class LandingArea:
    """One folder on one filesystem (the rename must be atomic).

    Args:
        root: The staging folder; made when absent.
        reserve_bytes: What must stay free on its disk.
        pace: How quickly bytes may come in.

    Raises:
        LocalError: The folder cannot be made or written.
    """

    def __init__(self, root: Path, reserve_bytes: int = 0, pace: Pace | None = None) -> None:
        self.root = root
        self.pace = pace or Pace()
        self.reserve_bytes = reserve_bytes
        self._checked_at = -SPACE_CHECK_S
        self._free_bytes = 0
        for folder in (root, root / "tmp", root / "quarantine"):
            _make_folder(folder)
        self._filesystem = _filesystem_of(root)
        self._name = secrets.token_hex(8)  # no other process has it, so a count makes a new name each time
        self._count = itertools.count(1)
        self._arriving = str(root / "tmp")
        self._queue: queue.SimpleQueue[Landed | None] = queue.SimpleQueue()
        self._due = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def path_of(self, wire_xxh3: str) -> Path:
        """Where the object with this wire digest lies, if it does."""
        return Path(self.name_of(wire_xxh3))

    def name_of(self, wire_xxh3: str) -> str:
        """`path_of` as a string."""
        return f"{self.root}/{wire_xxh3[:2]}/{wire_xxh3[2:4]}/{wire_xxh3}.dcm"

    def free_bytes(self) -> int:
        """What may still be written before the reserve is touched (asked twice a second)."""
        if time.monotonic() - self._checked_at > SPACE_CHECK_S:
            self._free_bytes = shutil.disk_usage(self.root).free - self.reserve_bytes
            self._checked_at = time.monotonic()
        return self._free_bytes

    def create(self) -> tuple[str, int]:
        """A new temporary file and its descriptor.

        Raises:
            StagingFull: The reserve would be touched.
            LocalError: The disk refuses.
        """
        if self.free_bytes() <= 0:
            raise full(self.root, self.reserve_bytes)
        path = f"{self._arriving}/{self._name}{next(self._count):016x}"
        try:
            return path, os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise refused(self.root, error) from None

    def land(self, landed: Landed, *, at_once: bool = False) -> None:
        """Make it durable with the next group; `durable` is called from another thread.

        Args:
            landed: What is complete.
            at_once: Whether somebody has all he waits for with this one: then the group waits for no other.
        """
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._commit_groups, name="landing", daemon=True)
                self._thread.start()
        self._queue.put(landed)
        if at_once or self._queue.qsize() >= GROUP_OBJECTS:
            self._due.set()

    def set_aside(self, temporary: str, wire_xxh3: str) -> None:
        """Keep an untrusted object for a person to look at; never sent anywhere."""
        with contextlib.suppress(OSError):
            os.replace(temporary, f"{self.root}/quarantine/{wire_xxh3}.dcm")

    def remove(self, wire_xxh3s: Iterable[str]) -> None:
        """Forget staged files; absent ones are no error. Raises LocalError when the disk refuses."""
        for wire_xxh3 in wire_xxh3s:
            self._delete(self.name_of(wire_xxh3))

    def discard(self, path: Path | str) -> None:
        """Forget a file that nobody wants. Raises LocalError when the disk refuses."""
        self._delete(path)

    def secure(self, path: Path) -> None:
        """Make a file durable that a killed process may have left between rename and fsync.

        Raises:
            LocalError: The disk refuses.
        """
        try:
            _sync(path)
            for folder in (path.parent, path.parent.parent, self.root):
                self.sync_folder(folder)
        except OSError as error:
            raise refused(self.root, error) from None

    def sweep(self) -> None:
        """Delete what a killed process left half-written. Raises LocalError when the disk refuses."""
        try:
            left = [path for path in (self.root / "tmp").iterdir() if not path.is_dir()]
        except OSError as error:
            raise refused(self.root, error) from None
        for path in left:
            self._delete(path)

    def first_time(self, key: str) -> bool:
        """Whether nobody has begun the work of this name since the last `sweep` or `forget`.

        Raises:
            LocalError: The disk refuses.
        """
        try:
            os.close(os.open(self._begun(key), os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            return False
        except OSError as error:
            raise refused(self.root, error) from None
        return True

    def forget(self, key: str) -> None:
        """The work of this name is recorded: its name will not come again."""
        self._delete(self._begun(key))

    def _begun(self, key: str) -> Path:
        return self.root / "tmp" / f"begun-{xxh3(key.encode())}"

    def _delete(self, path: Path | str) -> None:
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise refused(self.root, error) from None

    def staged(self) -> Iterator[Path]:
        """Every file with a content name."""
        return self.root.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*.dcm")

    def close(self) -> None:
        """Finish the last group."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread:
            self._queue.put(None)
            self._due.set()
            thread.join()

    def sync_folder(self, folder: Path | str) -> None:
        """Make the names in a folder durable. Raises OSError when the disk refuses."""
        _sync(folder)

    def _group(self) -> list[Landed | None]:
        """What came within 200 ms of the first, or until somebody needs it: at most 64 objects."""
        taken = [self._queue.get()]
        self._due.wait(GROUP_WAIT_S)
        self._due.clear()
        with contextlib.suppress(queue.Empty):
            while len(taken) < GROUP_OBJECTS:
                taken.append(self._queue.get_nowait())
            self._due.set()  # there may be more
        return taken

    def _commit_groups(self) -> None:
        while True:
            taken = self._group()
            group = [item for item in taken if item]
            if self._filesystem and len(group) >= TOGETHER_FROM:
                commit_together(group, self._filesystem.sync)
            else:
                commit(group, self.sync_folder)
            if None in taken:
                return


def _filesystem_of(root: Path) -> Filesystem | None:
    if SYNCFS is None:
        return None
    try:
        return Filesystem(root)
    except OSError as error:
        raise refused(root, error) from None


def _sync(path: Path | str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def commit(group: list[Landed], sync_folder: Callable[[str], None] = _sync) -> None:
    """File fsync, rename, folder fsync for a whole group, then tell each owner.

    A file that the disk refuses is told to its owner and leaves nothing under its final name: after
    a failed fsync nobody knows what is on the disk, and the next one may claim success.
    """
    named: dict[str, list[Landed]] = {}
    for item in group:
        folder = os.path.dirname(item.final)
        try:
            _sync(item.temporary)
            _make_folder(Path(folder))
            os.replace(item.temporary, item.final)
        except (OSError, LocalError) as error:
            _refuse(item, item.temporary, error)
        else:
            named.setdefault(folder, []).append(item)
    for folder, items in named.items():
        try:
            sync_folder(folder)
        except OSError as error:
            for item in items:
                _refuse(item, item.final, error)
        else:
            for item in items:
                item.durable(None)


def commit_together(group: list[Landed], sync: Callable[[], None]) -> None:
    """Like `commit`, with one flush for all files of a group and one for all their names.

    Args:
        group: What is complete in `tmp/`.
        sync: Makes the whole filesystem durable; when it fails, nothing of the group counts.
    """
    try:
        sync()
    except OSError as error:
        for item in group:
            _refuse(item, item.temporary, error)
        return
    named = [item for item in group if _renamed(item)]
    try:
        sync()
    except OSError as error:
        for item in named:
            _refuse(item, item.final, error)
        return
    for item in named:
        item.durable(None)


def _renamed(item: Landed) -> bool:
    """Give it its final name, in folders that become durable with it."""
    try:
        try:
            os.replace(item.temporary, item.final)
        except FileNotFoundError:
            folder = Path(item.final).parent
            folder.parent.mkdir(mode=0o700, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            os.replace(item.temporary, item.final)
    except OSError as error:
        _refuse(item, item.temporary, error)
        return False
    return True


def _refuse(item: Landed, path: str, error: OSError | LocalError) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)
    item.durable(error if isinstance(error, LocalError) else refused(Path(item.final).parent, error))


def _make_folder(folder: Path) -> None:
    """Make a folder and its parents, each entry durable before anything is put inside."""
    if folder.is_dir():
        return
    try:
        _make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync(folder.parent)
    except OSError as error:
        raise refused(folder, error) from None


def full(root: Path, reserve_bytes: int) -> StagingFull:
    """The error of a disk on which the reserve would be touched."""
    hint = "free space on this disk, lower staging.reserve_gb, or move staging.path; then run the same command again"
    return StagingFull("the staging disk is full", hint, staging=root, reserve_bytes=reserve_bytes)


def refused(root: Path, error: OSError) -> LocalError:
    """The error of a disk that refuses; a full one is StagingFull."""
    if error.errno in {28, 122}:  # ENOSPC, EDQUOT
        return full(root, 0)
    hint = "check that the disk is mounted, writable and healthy"
    return LocalError("the staging disk refuses", hint, staging=root, reason=os.strerror(error.errno or 5))
