"""Embedded peers in processes of their own, for those who start them."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from migrate.demo.pacs import PeerOptions
from migrate.errors import LocalError

_STOP_TIMEOUT_S = 5.0
_START_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class PeerProcess:
    """A peer that runs elsewhere: where it listens, and its process id."""

    ae_title: str
    host: str
    port: int
    pid: int


@contextmanager
def started_peer(options: PeerOptions) -> Iterator[PeerProcess]:
    """Start a peer, yield it when it listens, stop it at the end.

    The child holds our end of a pipe as its standard input, so it ends with us even when we are
    killed. Raises LocalError when it does not come up.
    """
    with tempfile.TemporaryDirectory(prefix="migrate-peer-") as folder:
        config = Path(folder) / "peer.json"
        config.write_text(json.dumps(options.to_mapping()), encoding="utf-8")
        command = [sys.executable, "-m", "migrate.demo.serve", str(config)]
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            port = _port(process, options)
            yield PeerProcess(options.ae_title, options.host, port, process.pid)
        finally:
            _stop(process)


def read_store_log(path: Path) -> list[tuple[str, int | None]]:
    """The (SOP Instance UID, status) of each C-STORE in a peer's `store_log`; None: never answered."""
    if not path.exists():
        return []
    lines = (line.split(" ") for line in path.read_text(encoding="ascii").splitlines())
    return [(uid, int(status, 16) if status else None) for uid, status, _ in lines]


def _port(process: subprocess.Popen[str], options: PeerOptions) -> int:
    late = threading.Timer(_START_TIMEOUT_S, process.kill)
    late.start()
    try:
        line = process.stdout.readline() if process.stdout else ""
    finally:
        late.cancel()
    if not line:
        raise LocalError("the embedded peer did not start", peer=options.ae_title, port=options.port)
    return int(json.loads(line)["port"])


def _stop(process: subprocess.Popen[str]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
    process.terminate()
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
