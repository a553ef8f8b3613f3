"""What a kill left half-written in the work folder is told from what somebody is writing: by a lock.

Whoever writes there holds an advisory lock (flock(2)) on the file or folder; a kill lets go of it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from migrate.manifest.place import Manifests, private_folder

_UNPUBLISHED = re.compile(r"[a-z_]+-[0-9a-f]{32}")


def open_unfinished(path: Path) -> int:
    """A descriptor of a new file that `forget_leftovers` leaves alone while it is open.

    Raises:
        OSError: The disk is full or not writable.
    """
    while True:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        if _claim(descriptor):
            return descriptor
        os.close(descriptor)


@contextlib.contextmanager
def unfinished_folder(path: Path) -> Iterator[None]:
    """A new folder that `forget_leftovers` leaves alone inside the block; what is at `path` after it goes."""
    private_folder(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _claim(descriptor)
        yield
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def forget_leftovers(manifests: Manifests) -> None:
    """Delete the unfinished files and folders whose writer is dead."""
    for path in list(manifests.work_folder.glob("*")) if manifests.work_folder.is_dir() else ():
        if path.suffix == ".tmp" or _UNPUBLISHED.fullmatch(path.name):
            with contextlib.suppress(OSError):  # somebody writes it, or it has gone
                _remove(path)


def _claim(descriptor: int) -> bool:
    """Lock it; whether it is still there: somebody may have taken it for a leftover before that."""
    with contextlib.suppress(OSError):  # a filesystem without locks
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return os.fstat(descriptor).st_nlink > 0


def _remove(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    finally:
        os.close(descriptor)
