"""One engine per run folder: a locked file that says who holds it and when it last showed life.

The lock is the system's (flock): it ends with its holder, however that ends, and needs no clock.
What stands in the file is for people, for the case that a lock outlives its holder, and to notice
a journal that lost its end: the file knows how many events were durable.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from migrate.errors import JournalError, JournalLocked
from migrate.model import now

FILE_NAME = "journal.lock"
HEARTBEAT_S = 5.0
_OWNER_BYTES = 1024  # the owner stands in front of it, the last event behind it
_SEQ_BYTES = 20
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_MOUNTS = Path("/proc/self/mounts")
#: Filesystems over a network: their locks depend on servers, and SQLite's WAL needs shared memory.
NETWORK = frozenset("nfs nfs4 cifs smb3 smbfs 9p afs ceph lustre glusterfs fuse.sshfs fuse.glusterfs".split())


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """Who holds a run folder. `started` are the kernel's ticks at which the process began."""

    pid: int
    host: str
    user: str
    since: str
    boot_id: str
    started: str

    @classmethod
    def myself(cls) -> Owner:
        """This process."""
        return cls(
            pid=os.getpid(),
            host=socket.gethostname(),
            user=_user(),
            since=now(),
            boot_id=_text_of(_BOOT_ID),
            started=_started(os.getpid()),
        )

    @property
    def gone(self) -> bool:
        """Whether it is proven that this process does not live any more; False when that is not known."""
        if self.host != socket.gethostname():
            return False
        return self.boot_id != _text_of(_BOOT_ID) or self.started != _started(self.pid)

    def __str__(self) -> str:
        return f"pid {self.pid} on {self.host}, user {self.user}, since {self.since}"


class Lease:
    """The lock of one run folder, held until `release`.

    Args:
        run_folder: What to lock.
        take_over: Take it from an owner that lives, or may live; its writes are refused from then on.
        heartbeat_s: How often the file's time says that the owner lives.

    Raises:
        JournalLocked: Another engine holds it.
        JournalError: The file cannot be made, or the filesystem cannot lock.
    """

    def __init__(self, run_folder: Path, *, take_over: bool = False, heartbeat_s: float = HEARTBEAT_S) -> None:
        self.heartbeat_s = heartbeat_s
        self.path = run_folder / FILE_NAME
        refuse_network(run_folder)
        with _told(self.path):
            self._file = _take(self.path, take_over=take_over)
            self.last_seq = last_seq(self.path)
        self._released = threading.Event()
        self._open = threading.Lock()
        threading.Thread(target=self._beat, daemon=True, name="journal-heartbeat").start()

    def note(self, seq: int) -> None:
        """The journal's newest durable event: what opens it next must find at least that."""
        with _told(self.path):
            os.pwrite(self._file, str(seq).encode().ljust(_SEQ_BYTES), _OWNER_BYTES)

    def release(self) -> None:
        """Give it back; may be called twice."""
        if not self._released.is_set():
            self._released.set()
            with self._open, contextlib.suppress(OSError):
                os.close(self._file)

    def _beat(self) -> None:
        """The file's time is the owner's last sign of life."""
        while not self._released.wait(self.heartbeat_s):
            with self._open, contextlib.suppress(OSError):
                if not self._released.is_set():
                    os.utime(self._file)


def holder(path: Path) -> Owner | None:
    """Who stands in a lock file; None when nobody does."""
    try:
        return Owner(**json.loads(path.read_bytes()[:_OWNER_BYTES]))
    except (OSError, ValueError, TypeError):
        return None


def last_seq(path: Path) -> int:
    """The newest event that the last owner knew to be durable; 0 when nobody noted one."""
    try:
        noted = path.read_bytes()[_OWNER_BYTES:].strip()
    except OSError:
        return 0
    return int(noted) if noted.isdigit() else 0


def refuse_network(folder: Path, mounts: str | None = None) -> None:
    """Raise JournalError when `folder` lies on a filesystem whose locks cannot be trusted."""
    kind = _filesystem(folder, _text_of(_MOUNTS) if mounts is None else mounts)
    if kind in NETWORK:
        hint = "put the run folder on a local disk; reports and manifests may be copied anywhere"
        raise JournalError("a journal cannot live on a network filesystem", hint, folder=folder, filesystem=kind)


def _take(path: Path, *, take_over: bool) -> int:
    """Lock the file, or a new one in its place, and sign it.

    A file whose owner is proven gone (a child of it kept the lock), or that is taken by force, is replaced.

    Raises:
        JournalLocked: Its owner may be at work.
    """
    with _alone(path.parent):
        file = _locked(path)
        if file is None:
            owner = holder(path)
            if not (take_over or (owner and owner.gone)):
                raise _refusal(path, owner)
            _replace(path)
            file = _locked(path)
        if file is None:
            raise _refusal(path, holder(path))
        os.pwrite(file, json.dumps(asdict(Owner.myself())).encode().ljust(_OWNER_BYTES), 0)
        return file


def _locked(path: Path) -> int | None:
    """A handle that holds the lock; None when another one does."""
    file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    except BaseException:
        os.close(file)
        raise
    return file


def _replace(path: Path) -> None:
    """The same content in a file that nobody has locked."""
    fresh = path.with_suffix(".fresh")
    fresh.touch(0o600)
    fresh.write_bytes(path.read_bytes())
    fresh.replace(path)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two that take over do so one after the other."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _refusal(path: Path, owner: Owner | None) -> JournalLocked:
    beat = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
    hint = (
        "wait until it ends, or stop it; two engines never work on one run folder."
        " If it hangs and cannot be stopped: migrate run --take-over"
    )
    return JournalLocked(
        "another engine works on this run folder", hint, holder=owner or "unknown", last_sign_of_life=beat
    )


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "check the disk and the permissions; the run folder needs a local disk with working file locks"
        raise JournalError("the run folder cannot be locked", hint, file=path, reason=error.strerror) from None


def _filesystem(folder: Path, mounts: str) -> str:
    """The type of the deepest mount above `folder`."""
    where = str(folder.resolve())
    found = [(fields[1], fields[2]) for line in mounts.splitlines() if len(fields := line.split()) > 2]
    above = [(len(at), kind) for at, kind in found if where == at or where.startswith(at.rstrip("/") + "/")]
    return max(above, default=(0, ""), key=lambda one: one[0])[1]


def _started(pid: int) -> str:
    """When a process began, in ticks since boot; "" when there is none (proc(5), field 22)."""
    fields = _text_of(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 and fields[0] != "Z" else ""


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
