"""What was measured on: processor, load, versions, commit."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

PACKAGES = ("dask", "pyarrow", "pydicom", "pynetdicom", "xxhash")


def facts(folder: Path) -> dict[str, str]:
    """Facts by name, taken before the first trial."""
    one, five, _ = os.getloadavg()
    found = {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "commit": _output("git", "describe", "--always", "--dirty"),
        "processor": f"{os.cpu_count()} x {_processor()}",
        "load at start": f"{one:.1f} (1 min), {five:.1f} (5 min)",
        "system": f"{platform.system()} {platform.release()}, {_output('stat', '-f', '-c', '%T', str(folder))}",
        "Python": platform.python_version(),
        "peers": f"Orthanc {_first_number('Orthanc', '--version')}, DCMTK {_first_number('storescu', '--version')}",
    }
    return found | {name: importlib.metadata.version(name) for name in PACKAGES}


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _first_number(*command: str) -> str:
    found = re.search(r"\d+\.\d+\.\d+", _output(*command))
    return found[0] if found else "unknown"


def _output(*command: str) -> str:
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))
    try:
        done = subprocess.run(  # noqa: S603 - fixed programs
            command, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
        )
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"
