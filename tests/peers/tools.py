"""Programs of the operating system that the tests need, and what to say when one is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import pytest

_PACKAGE_OF = {
    "Orthanc": "orthanc",
    "dcmdump": "dcmtk",
    "dcmqridx": "dcmtk",
    "dcmqrscp": "dcmtk",
    "echoscu": "dcmtk",
    "findscu": "dcmtk",
    "dicom_echo": "ctn",
    "gdcmscu": "libgdcm-tools",
    "getscu": "dcmtk",
    "movescu": "dcmtk",
    "wlmscpfs": "dcmtk",
    "node": "nodejs",
    "send_image": "ctn",
    "simple_storage": "ctn",
    "storescp": "dcmtk",
    "storescu": "dcmtk",
    "chromium": "chromium",
    "ip": "iproute2",
    "ss": "iproute2",
    "iptables": "iptables",
    "strace": "strace",
}
_ALSO_IN = os.pathsep.join(("/usr/sbin", "/sbin"))  # Debian keeps servers there, off an ordinary user's PATH


def program(name: str) -> str:
    """Path of an installed program; without it the test is skipped, and fails where `CI=true`."""
    found = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", os.defpath), _ALSO_IN)))
    if found is None:
        missing(f"needs {name}: apt-get install {_PACKAGE_OF.get(name, name)}")
    return found


def plugin(file_name: str, package: str) -> Path:
    """Path of an Orthanc plugin, under the same terms as `program`."""
    for folder in ("/usr/share/orthanc/plugins", "/usr/lib/orthanc", "/usr/local/share/orthanc/plugins"):
        path = Path(folder) / file_name
        if path.exists():
            return path
    return missing(f"needs the Orthanc plugin {file_name}: apt-get install {package}")


def missing(sentence: str) -> NoReturn:
    """Skip the running test with a sentence, or fail it where `CI=true` promises that all is installed."""
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


def without(sentence: str) -> NoReturn:
    """Skip the running test everywhere: what it needs comes from a place that a build may not be able to reach."""
    pytest.skip(sentence)


def run(arguments: Sequence[str | Path], *, timeout_s: float = 60, env: Mapping[str, str] | None = None) -> str:
    """Run a tool to its end and return what it printed.

    Raises:
        AssertionError: It ended with another exit code than 0; the message holds its output.
    """
    name, *rest = map(str, arguments)
    done = subprocess.run(  # the exit code is looked at below, with the output beside it
        [program(name), *rest],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout_s,
        env={**os.environ, **(env or {})},
        check=False,
        text=True,
        errors="replace",
    )
    assert done.returncode == 0, f"{name} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout
