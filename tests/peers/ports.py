"""TCP ports that nobody else uses: neither another test process nor an outgoing connection."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import IO

# Below the range that Linux gives to outgoing connections (32768 up), so a client cannot take one in between.
_RANGE = range(15_000, 31_000)
_CLAIMS: list[IO[bytes]] = []
_FOLDER = Path(tempfile.gettempdir()) / f"migrate-test-ports-{os.getuid()}"  # one for all test processes of a user


def free_port() -> int:
    """A loopback port that stays ours until this process ends, even while nothing listens on it.

    Raises:
        OSError: No port is left.
    """
    _FOLDER.mkdir(exist_ok=True)
    for port in random.sample(_RANGE, len(_RANGE)):
        if _claimed(_FOLDER / str(port)) and _nobody_listens(port):
            return port
    message = f"no free port between {_RANGE.start} and {_RANGE.stop}"
    raise OSError(message)


def _claimed(path: Path) -> bool:
    claim = path.open("wb")
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        claim.close()
        return False
    os.set_inheritable(claim.fileno(), False)
    _CLAIMS.append(claim)
    return True


def _nobody_listens(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
