"""Sending the trail to a collector: syslog (RFC 5424) over TLS (RFC 5425).

The trail's files are the spool. Syslog acknowledges nothing, so a batch counts as sent when the
collector has answered our end of the TLS connection: it has read everything before that. What is
doubtful goes out again, with the same number. Transfers never wait for a collector.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from migrate.audit.trail import FOLDER, files, lines, sync

log = logging.getLogger("migrate.audit")

CURSOR_FILE = "sent"
BATCH = 200
EVERY_S = 2.0
TIMEOUT_S = 10.0
# PS3.15 A.5: facility 10 (security), severity 5 (notice).
PRIORITY = 10 * 8 + 5
MESSAGE_ID = "DICOM+RFC3881"


@dataclass(frozen=True, kw_only=True, slots=True)
class Collector:
    """Where messages go. `ca`, `certificate` and `key` are PEM files; without `ca` the system's store counts."""

    host: str
    port: int
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """TLS 1.2 at least, the collector's name checked. Raises OSError when a file is wrong."""
        context = ssl.create_default_context(cafile=self.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate:
            context.load_cert_chain(self.certificate, self.key)
        return context


def framed(entry: dict[str, Any]) -> bytes:
    """One entry of the trail as RFC 5424 message in the frame of RFC 5425 (length, space, message)."""
    host = socket.gethostname() or "-"
    head = f'<{PRIORITY}>1 {entry["at"]} {host} migrate {os.getpid()} {MESSAGE_ID} [meta sequenceId="{entry["seq"]}"] '
    message = head.encode("ascii", "replace") + b"\xef\xbb\xbf" + entry["message"].encode()
    return b"%d %s" % (len(message), message)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last message that a collector has, and where it ends in the trail."""

    seq: int = 0
    file: str = ""
    offset: int = 0


def unsent(folder: Path) -> Iterator[tuple[Cursor, dict[str, Any]]]:
    """Entries that no collector is known to have, oldest first; durable before they are given."""
    after = cursor(folder)
    for path in files(folder):
        if path.name < after.file:
            continue
        sync(path)
        for offset, entry in lines(path, after.offset if path.name == after.file else 0):
            if entry and entry["seq"] > after.seq:
                yield Cursor(entry["seq"], path.name, offset), entry


def cursor(folder: Path) -> Cursor:
    """Where the last sender came to."""
    try:
        return Cursor(**json.loads((folder / CURSOR_FILE).read_text(encoding="ascii")))
    except (OSError, ValueError, TypeError):
        return Cursor()


def drain(run_folder: Path, collector: Collector) -> int:
    """Send what is unsent. Returns how many messages.

    Raises:
        OSError: The collector cannot be reached, or did not take all; the rest stays in the spool.
    """
    folder = run_folder / FOLDER
    sent = 0
    context = collector.context()
    waiting = unsent(folder)
    while batch := list(itertools.islice(waiting, BATCH)):
        _send(collector, context, [entry for _, entry in batch])
        _set_cursor(folder, batch[-1][0])
        sent += len(batch)
    return sent


def _send(collector: Collector, context: ssl.SSLContext, batch: Sequence[dict[str, Any]]) -> None:
    with (
        socket.create_connection((collector.host, collector.port), TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=collector.host) as secured,
    ):
        secured.sendall(b"".join(map(framed, batch)))
        # An end of file is an answer too: with anything unread the system would have reset the connection.
        with contextlib.suppress(ssl.SSLEOFError):
            secured.unwrap()


def _set_cursor(folder: Path, reached: Cursor) -> None:
    part = folder / f".{CURSOR_FILE}"
    part.write_text(json.dumps(asdict(reached)), encoding="ascii")
    sync(part)
    part.replace(folder / CURSOR_FILE)


class Sender:
    """Drains the spool from time to time in a thread of its own, and once more when it is stopped."""

    def __init__(self, run_folder: Path, collector: Collector, every_s: float = EVERY_S) -> None:
        self._run_folder, self._collector, self._every_s = run_folder, collector, every_s
        self._stopping = threading.Event()
        self._failed = False
        self._thread = threading.Thread(target=self._run, daemon=True, name="audit-syslog")
        self._thread.start()

    def stop(self) -> None:
        """Try once more; what does not go out stays in the spool for the next run."""
        self._stopping.set()
        self._thread.join(2 * TIMEOUT_S)

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            self._once()
        self._once()

    def _once(self) -> None:
        try:
            with contextlib.suppress(FileNotFoundError):
                drain(self._run_folder, self._collector)
            self._failed = False
        except OSError as error:
            if not self._failed:
                log.warning("audit messages wait in the spool: the collector says %s", type(error).__name__)
            self._failed = True
