"""One folder in the place of another, in one step where the filesystem can (Linux renameat2)."""

from __future__ import annotations

import ctypes
import os
import shutil
from pathlib import Path

from migrate.errors import LocalError
from migrate.manifest.place import private_folder, sync_folder

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def exchange_folder(fresh: Path, target: Path) -> None:
    """Make `fresh` the new `target` and delete what `target` held.

    Where folders cannot be exchanged in one step, the old one waits beside the new one under a name
    that `recover_folder` knows.

    Raises:
        LocalError: The folders cannot be renamed.
    """
    private_folder(target.parent)
    recover_folder(fresh.parent, target)
    try:
        if not target.exists():
            fresh.rename(target)
        elif _exchange(fresh, target):
            shutil.rmtree(fresh, ignore_errors=True)  # a leftover, whoever deletes it
        else:
            _rename_twice(fresh, target)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise LocalError("cannot replace a table", table=target.parent.name, reason=reason) from error
    sync_folder(target.parent)


def recover_folder(work_folder: Path, target: Path) -> None:
    """Put the old folder back when a kill came between the two renames of `exchange_folder`."""
    waiting = _waiting_name(work_folder, target)
    if waiting.exists() and not target.exists():
        waiting.rename(target)


def _waiting_name(work_folder: Path, target: Path) -> Path:
    return work_folder / f"{target.parent.name}-{target.name}.old"


def _rename_twice(fresh: Path, target: Path) -> None:
    waiting = _waiting_name(fresh.parent, target)
    shutil.rmtree(waiting, ignore_errors=True)
    target.rename(waiting)
    fresh.rename(target)
    shutil.rmtree(waiting)


def _exchange(one: Path, other: Path) -> bool:
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    outcome: int = renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    return outcome == 0
