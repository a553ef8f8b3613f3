"""A process that lands files until it is stopped and names each on stdout once it was told to be durable.

    python -m benchmarks.torture.lander FOLDER SEED [careless]

`careless` is the negative control: a landing area that forgets the fsync of the folder.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from pathlib import Path

from migrate.dicom.digest import xxh3
from migrate.staging.area import Landed, LandingArea

# More than a few files become durable with one call for the whole file system, which cannot forget a folder.
BURST, CARELESS_BURST = 12, 2
LONGEST_PAUSE_S = 0.15


class CarelessArea(LandingArea):
    """What is landed has its bytes on the disk, but perhaps no name."""

    def sync_folder(self, folder: Path | str) -> None:
        """Nothing: the mistake that power cuts must show."""


def main(arguments: list[str]) -> None:
    """Land bursts of files for ever, with pauses: in a pause no later fsync covers up for a forgotten one."""
    folder, seed = Path(arguments[0]), int(arguments[1])
    careless = "careless" in arguments
    area, most = (CarelessArea(folder), CARELESS_BURST) if careless else (LandingArea(folder), BURST)
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    while True:
        landed = [_land(area, chance.randbytes(chance.randint(100, 20_000))) for _ in range(chance.randint(1, most))]
        for durable in landed:
            durable.wait()
        time.sleep(chance.uniform(0, LONGEST_PAUSE_S))


def _land(area: LandingArea, content: bytes) -> threading.Event:
    temporary, descriptor = area.create()
    with open(descriptor, "wb") as file:  # noqa: PTH123 - an open descriptor
        file.write(content)
    name, told = xxh3(content), threading.Event()

    def durable(error: Exception | None) -> None:
        if error is None:
            os.write(1, f"{name}\n".encode())
        told.set()

    area.land(Landed(temporary, area.name_of(name), durable))
    return told


if __name__ == "__main__":
    main(sys.argv[1:])
