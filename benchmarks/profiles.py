"""Where the time goes, by py-spy: the functions on top of the stacks of a process and its children."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

SHOWN = 14
_FRAME = re.compile(r"^(?P<function>.+) \((?P<file>[^:)]+)(?::\d+)?\)$")


def hot_functions(pid: int, what: Callable[[], object]) -> tuple[str, ...]:
    """Shares of the samples in which each function was on top while `what` ran."""
    program = shutil.which("py-spy") or shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if program is None:
        return ("no profile: py-spy is not installed",)
    with tempfile.TemporaryDirectory() as folder:
        stacks = Path(folder) / "stacks"
        arguments = [program, "record", "-p", str(pid), "-s", "-n", "-r", "200", "-f", "raw", "-o", str(stacks)]
        recorder = subprocess.Popen(  # noqa: S603 - a program of the environment
            [*arguments, "-d", "600"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            what()
        finally:
            recorder.send_signal(signal.SIGINT)
            recorder.wait(30)
        return _tops(stacks.read_text(encoding="utf-8").splitlines() if stacks.exists() else ())


def _tops(lines: Iterable[str]) -> tuple[str, ...]:
    found: Counter[str] = Counter()
    for line in lines:
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
