"""Pixels digests from a process of their own: a codec that hangs or dies on a spoilt object takes nobody along.

Codecs are other people's C and C++, and some end the whole process at a frame they do not understand. The child
reads one line of JSON for each object and answers with one; it ends when its input does.
"""

from __future__ import annotations

import contextlib
import json
import resource
import select
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Final

from migrate.dicom.digest import digest_file
from migrate.dicom.pixels import pixels_digest
from migrate.errors import IllegalDicom

LEAST_TIME_S: Final = 60.0
BYTES_PER_S: Final = 1_000_000
MOST_MEMORY_BYTES: Final = 8 * 1024**3


class PixelReader:
    """Children that decode, started when asked for; one for each caller at a time.

    Args:
        command: How to start one, for tests.
        least_time_s: How long a small object may take.
    """

    def __init__(self, command: tuple[str, ...] = (), least_time_s: float = LEAST_TIME_S) -> None:
        self._command = command or (sys.executable, "-m", "migrate.dicom.decoding")
        self._least_time_s = least_time_s
        self._idle: list[subprocess.Popen[str]] = []
        self._lock = threading.Lock()

    def digest(self, path: Path, dataset_offset: int, transfer_syntax_uid: str) -> str | None:
        """The pixels digest of an object in a file; None where it has none or cannot be decoded without doubt."""
        question = json.dumps([str(path), dataset_offset, transfer_syntax_uid])
        limit_s = self._least_time_s + path.stat().st_size / BYTES_PER_S
        child = self._take()
        answer = _ask(child, question, limit_s)
        if not answer:
            _end(child)
            return None
        with self._lock:
            self._idle.append(child)
        found = json.loads(answer)
        return found if isinstance(found, str) else None

    def close(self) -> None:
        """End the children."""
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            _end(child)

    def _take(self) -> subprocess.Popen[str]:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what a library says may show values
            text=True,
        )


def _ask(child: subprocess.Popen[str], question: str, limit_s: float) -> str:
    """The child's answer; "" when it died or took too long."""
    if child.stdin is None or child.stdout is None:
        return ""
    try:
        child.stdin.write(question + "\n")
        child.stdin.flush()
    except OSError:
        return ""
    ready, _, _ = select.select([child.stdout], [], [], limit_s)
    return child.stdout.readline() if ready else ""


def _end(child: subprocess.Popen[str]) -> None:
    child.kill()
    for pipe in (child.stdin, child.stdout):
        with contextlib.suppress(OSError):  # what was not written yet has no reader any more
            if pipe:
                pipe.close()
    child.wait()


def answer_all(questions: IO[str], answers: IO[str]) -> None:
    """The child: one answer for each question, null where there is nothing to prove with."""
    for question in questions:
        path, dataset_offset, transfer_syntax_uid = json.loads(question)
        found = _digest(Path(path), dataset_offset, transfer_syntax_uid)
        answers.write(json.dumps(found) + "\n")
        answers.flush()


def _digest(path: Path, dataset_offset: int, transfer_syntax_uid: str) -> str | None:
    try:
        with path.open("rb") as file:
            header = digest_file(file, dataset_offset, transfer_syntax_uid).header
            return pixels_digest(file, dataset_offset, header)
    except (OSError, IllegalDicom):
        return None


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    answer_all(sys.stdin, sys.stdout)
