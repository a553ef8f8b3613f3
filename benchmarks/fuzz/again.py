"""One input again, with the traceback of what it does: python -m benchmarks.fuzz.again NAME NUMBER."""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

from benchmarks.fuzz.bench import SEED, drives


def main() -> None:
    """Drive the one input that the command line names, unwatched."""
    name, number = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        drive, _ = drives(Path(folder))[name]
        print(drive(random.Random(SEED << 40 | number)))  # noqa: S311, T201 - repeatable; what was asked for


if __name__ == "__main__":
    main()
