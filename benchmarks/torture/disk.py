"""A disk that can lose its power: ext4 in a file behind a loop device, copied while its users stand still."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.peers.tools import missing

SIZE = "96M"
UNMOUNT_ATTEMPTS = 50


class CutDisk:
    """One mounted image. After `lose_power` the folder shows what a reboot would find.

    What the file system has not yet sent to its device is in no copy of the image, as after a cut.
    """

    def __init__(self, folder: Path) -> None:
        self.mounted_at = folder / "disk"
        self._folder = folder
        self._image = folder / "image-0"
        self._cuts = 0

    def snapshot(self) -> Path:
        """A copy of the device as it is now; whoever writes must have been stopped before."""
        self._cuts += 1
        copy = self._folder / f"image-{self._cuts}"
        _command("cp", "--sparse=always", str(self._image), str(copy))
        return copy

    @contextmanager
    def shown(self, snapshot: Path) -> Iterator[Path]:
        """A snapshot, mounted elsewhere so that its journal is replayed; it is deleted afterwards."""
        place = self._folder / "shown"
        place.mkdir(exist_ok=True)
        _command("mount", "-o", "loop", str(snapshot), str(place))
        try:
            yield place
        finally:
            _unmount(place)
            snapshot.unlink()

    def become(self, snapshot: Path) -> None:
        """Go on with a snapshot at the old place; whoever used the old disk must be gone."""
        _unmount(self.mounted_at)
        self._image.unlink()
        self._image = snapshot
        self.mount()

    def make(self) -> None:
        """An empty file system, mounted."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.mounted_at.mkdir()
        _command("truncate", "-s", SIZE, str(self._image))
        _command("mkfs.ext4", "-q", "-F", str(self._image))
        self.mount()

    def mount(self) -> None:
        """Mount the image; the journal of the file system is replayed."""
        _command("mount", "-o", "loop", str(self._image), str(self.mounted_at))

    def settle(self) -> None:
        """Let everything written so far reach the device."""
        _command("sync", "-f", str(self.mounted_at))

    def close(self) -> None:
        """Unmount it."""
        _unmount(self.mounted_at)


@contextmanager
def cut_disk(folder: Path) -> Iterator[CutDisk]:
    """A disk for as long as a `with` block lasts; skipped where loop devices cannot be mounted."""
    if os.geteuid() != 0:
        missing("needs root, to mount a file system in a file for power cuts")
    disk = CutDisk(folder)
    try:
        disk.make()
    except (OSError, RuntimeError) as error:
        missing(f"needs loop devices and ext4, to mount a file system in a file: {error}")
    try:
        yield disk
    finally:
        disk.close()


def _unmount(place: Path) -> None:
    """Processes that were just killed may hold it for a moment."""
    for _ in range(UNMOUNT_ATTEMPTS):
        with contextlib.suppress(RuntimeError):
            _command("umount", str(place))
            return
        time.sleep(0.1)
    _command("umount", "-l", str(place))


def _command(*words: str) -> None:
    done = subprocess.run(  # noqa: S603 - programs of this harness, no shell
        words, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{words[0]}: {done.stderr.strip()}")
