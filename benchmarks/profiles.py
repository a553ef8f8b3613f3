"""Where the time goes, by py-spy: the functions on top of the stacks of a process and its children."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

SHOWN = 14
NO_PROFILE = ("no profile: py-spy is not installed",)
_FRAME = re.compile(r"^(?P<function>.+) \((?P<file>[^:)]+)(?::\d+)?\)$")


def hot_functions(pid: int, what: Callable[[], object]) -> tuple[str, ...]:
    """Shares of the samples in which each function was on top while `what` ran."""
    with _recording("-p", str(pid), "-d", "600") as (recorder, stacks):
        if recorder is None:
            return NO_PROFILE
        try:
            what()
        finally:
            recorder.send_signal(signal.SIGINT)
            recorder.wait(30)
        return _tops(stacks)


def hot_command(arguments: Sequence[str]) -> tuple[str, ...]:
    """The same for a command and the processes that it starts."""
    with _recording("--", *arguments) as (recorder, stacks):
        if recorder is None:
            return NO_PROFILE
        recorder.wait(600)
        return _tops(stacks)


@contextmanager
def _recording(*target: str) -> Iterator[tuple[subprocess.Popen[bytes] | None, Path]]:
    program = shutil.which("py-spy") or shutil.which("py-spy", path=str(Path(sys.executable).parent))
    with tempfile.TemporaryDirectory() as folder:
        stacks = Path(folder) / "stacks"
        if program is None:
            yield None, stacks
            return
        arguments = [program, "record", "-s", "-r", "250", "-f", "raw", "-o", str(stacks), *target]
        yield subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), stacks  # noqa: S603


def _tops(stacks: Path) -> tuple[str, ...]:
    found: Counter[str] = Counter()
    for line in stacks.read_text(encoding="utf-8").splitlines() if stacks.exists() else ():
        stack, _, samples = line.rpartition(" ")
        found[_short(stack.split(";")[-1])] += int(samples)
    total = sum(found.values()) or 1
    return tuple(f"{100 * count / total:.0f} % {name}" for name, count in found.most_common(SHOWN))


def _short(frame: str) -> str:
    match = _FRAME.match(frame.strip())
    if match is None:
        return frame.strip()
    parts = Path(match["file"]).parts
    return f"{match['function']} ({'/'.join(parts[-2:])})"
