"""One call that makes a whole filesystem durable: a group of files costs two flushes of the disk, not two each.

Used where `syncfs` reports what could not be written (Linux 5.8 and newer); elsewhere a failed write would go
unnoticed, and each file is synced by itself.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Final

_REPORTS_ERRORS_SINCE: Final = (5, 8)


class Filesystem:
    """The filesystem that holds a folder.

    Open it before the files are written: an error is reported to whoever had it open by then.

    Raises:
        OSError: The folder cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._descriptor)

    def sync(self) -> None:
        """Return when everything written so far is on the disk: files, names and folders.

        Raises:
            OSError: Something could not be written; nobody knows which file it was.
        """
        assert SYNCFS is not None
        if SYNCFS(self._descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


def _syncfs() -> Callable[[int], int] | None:
    found = re.match(r"(\d+)\.(\d+)", platform.release())
    if sys.platform != "linux" or found is None or (int(found[1]), int(found[2])) < _REPORTS_ERRORS_SINCE:
        return None
    try:
        function: Callable[[int], int] = ctypes.CDLL(None, use_errno=True).syncfs
    except (OSError, AttributeError):
        return None
    return function


SYNCFS: Final = _syncfs()
